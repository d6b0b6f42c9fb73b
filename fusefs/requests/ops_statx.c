/* SPDX-License-Identifier: MIT */
/*
 * STATX: attributes, and when the file was made. The kernel asks for it where a program
 * wants to know that (Linux 6.6), and takes the rest as it does from GETATTR. Written out
 * by hand, as libfuse can only from 3.18 on (new_requests.h).
 */

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "ops_attr.h"
#include "reply.h"
#include "size_adoption.h"
#include "store_stat.h"
#include "watch.h"

/* struct fuse_sx_time, fuse_statx and fuse_statx_out of Linux 6.6. */
struct statx_time {
	int64_t sec;
	uint32_t nsec;
	int32_t reserved;
};

struct statx_answer {
	uint64_t valid_s;
	uint32_t valid_ns;
	uint32_t flags;
	uint64_t spare[2];

	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare0;
	uint64_t ino, size, blocks, attributes_mask;
	struct statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare2[14];
};

_Static_assert(sizeof(struct statx_answer) == 288, "as the kernel has it");

static struct statx_time time_of(struct timespec time)
{
	return (struct statx_time){.sec = time.tv_sec, .nsec = (uint32_t)time.tv_nsec};
}

static void reply(fuse_req_t req, const struct stat *attr, double timeout_s,
		  const struct timespec *birth)
{
	const uint64_t whole_s = (uint64_t)timeout_s;
	struct statx_answer answer = {
		.valid_s = whole_s,
		.valid_ns = (uint32_t)((timeout_s - (double)whole_s) * 1e9),
		.mask = STATX_BASIC_STATS,
		.blksize = (uint32_t)attr->st_blksize,
		.nlink = (uint32_t)attr->st_nlink,
		.uid = attr->st_uid,
		.gid = attr->st_gid,
		.mode = (uint16_t)attr->st_mode,
		.ino = attr->st_ino,
		.size = (uint64_t)attr->st_size,
		.blocks = (uint64_t)attr->st_blocks,
		.atime = time_of(attr->st_atim),
		.ctime = time_of(attr->st_ctim),
		.mtime = time_of(attr->st_mtim),
		.rdev_major = major(attr->st_rdev),
		.rdev_minor = minor(attr->st_rdev),
	};

	if (birth) {
		answer.mask |= STATX_BTIME;
		answer.btime = time_of(*birth);
	}
	fuse_reply_buf(req, (const char *)&answer, sizeof(answer));
}

/* A copy-up of overlayfs makes it another one, as it does there. */
static bool birth_of(const struct inode *inode, struct timespec *ret_birth)
{
	struct statx stx;

	if (statx(inode->fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BTIME, &stx) <
		    0 ||
	    !(stx.stx_mask & STATX_BTIME))
		return false;
	*ret_birth = (struct timespec){stx.stx_btime.tv_sec, stx.stx_btime.tv_nsec};
	return true;
}

void statx_reply(fuse_req_t req, struct inode *inode)
{
	/* Before it is looked at. */
	const struct trust trust = {.attributes = watch_inode(inode)};
	struct timespec birth;
	struct stat attr;
	const int status = inode_stat(inode, &attr);
	bool known;

	if (status < 0) {
		reply_status(req, status);
		return;
	}
	known = birth_of(inode, &birth);
	/* Before the answer: after it the kernel may forget the inode. */
	adoption_answered(inode, &attr);
	reply(req, &attr, watch_attr_timeout(inode->daemon, trust),
	      known ? &birth : NULL);
}
