/* SPDX-License-Identifier: MIT */
/*
 * Attributes: set.
 *
 * The kernel has checked who may change what by the owner that it remembers, and of a
 * descriptor it never asks again. So everything is done with the caller's rights
 * (credentials.h), through the inode's own descriptor, and the store decides; it also
 * clears the set-id bits that are due.
 *
 * Dirty pages are written before any attribute is set, since their writing would change
 * the times that are being set, and clear the set-id bits. Then comes the size. A path
 * that is truncated takes the right to write the file now, a descriptor had it when it
 * was opened. Set-id bits are cleared by the store, which knows the true mode, and the
 * times are set by it. What a kernel sends beside a size (a mode without those bits, the
 * time of now) is left out: who may write a file need not be its owner.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu/compiler.h>

#include "change_guard.h"
#include "credentials.h"
#include "open_file.h"
#include "ops_attr.h"
#include "reply.h"
#include "resize.h"
#include "standing_open.h"
#include "store_stat.h"

#define TIMES_TO_SET                                                                   \
	(FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |         \
	 FUSE_SET_ATTR_MTIME_NOW)

/* ------------------------------------------------------------------ the store */

struct setting {
	const struct inode *inode;
	const struct stat *attr;
	int to_set; /* FUSE_SET_ATTR_… */
};

static int set_owner(void *arg)
{
	const struct setting *setting = arg;
	const bool user = setting->to_set & FUSE_SET_ATTR_UID;
	const bool group = setting->to_set & FUSE_SET_ATTR_GID;

	return fchownat(setting->inode->fd, "",
			user ? setting->attr->st_uid : (uid_t)-1,
			group ? setting->attr->st_gid : (gid_t)-1,
			AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

static int set_mode(void *arg)
{
	const struct setting *setting = arg;
	const struct inode *inode = setting->inode;

	/* Nothing can change a symbolic link's mode; chmod of the name in /proc would
	 * not say so on every kernel. */
	if (S_ISLNK(inode->type))
		return -EOPNOTSUPP;
	return fchmodat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text,
			setting->attr->st_mode & ~(mode_t)S_IFMT, 0) < 0
		       ? -errno
		       : 0;
}

static struct timespec time_to_set(int set, int set_now, struct timespec time)
{
	if (set_now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return set ? time : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int set_times(void *arg)
{
	const struct setting *setting = arg;
	const struct inode *inode = setting->inode;
	const struct stat *attr = setting->attr;
	const int to_set = setting->to_set;
	const struct timespec times[2] = {
		time_to_set(to_set & FUSE_SET_ATTR_ATIME,
			    to_set & FUSE_SET_ATTR_ATIME_NOW, attr->st_atim),
		time_to_set(to_set & FUSE_SET_ATTR_MTIME,
			    to_set & FUSE_SET_ATTR_MTIME_NOW, attr->st_mtim),
	};

	return utimensat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text, times,
			 0) < 0
		       ? -errno
		       : 0;
}

/* ------------------------------------------------------------- with whose rights */

/* Whether the caller may be about to change the file's bytes. Where the kernel opens
 * files by itself, we do not hear of writers before they write. */
static bool may_be_writing(fuse_req_t req, const struct inode *inode)
{
	if (!S_ISREG(inode->type))
		return false;
	return inode->daemon->options.no_open ? credentials_may(req, inode, W_OK) == 0
					      : atomic_load(&inode->writers) > 0;
}

/*
 * Nothing to set is chown(path, -1, -1), or the kernel that asks, before a change of
 * the file's bytes, for what is due to be cleared (init_answer.c); they cannot be told
 * apart. The first is the store's to do or to refuse. The second may come from somebody
 * who may write the file and no more: he is told that it has been done, and the store
 * does it at the change.
 */
static int clear_setid(fuse_req_t req, struct setting *setting)
{
	const bool writing = may_be_writing(req, setting->inode);
	int status;

	/* A capable writer keeps the bits; chown(-1, -1) by him waits for a quiet
	 * moment. */
	if (writing && credentials_has_cap(req, CAP_FSETID))
		return 0;
	status = credentials_call_with_all(req, set_owner, setting);
	return writing ? 0 : status;
}

/* Kernels before 5.11 clear set-id bits by a chmod of whoever is about to write. */
static bool is_clearing(fuse_req_t req, const struct setting *setting)
{
	const struct inode *inode = setting->inode;
	const mode_t wanted = setting->attr->st_mode & 07777;
	struct stat now;

	return !inode->daemon->kernel_leaves_setid && may_be_writing(req, inode) &&
	       fstat(inode->fd, &now) == 0 &&
	       wanted == (now.st_mode & 07777 & ~(mode_t)(S_ISUID | S_ISGID)) &&
	       wanted != (now.st_mode & 07777);
}

static int change_mode(fuse_req_t req, struct setting *setting)
{
	int status;

	/* A set-group-id bit is only for members of the group. */
	status = setting->attr->st_mode & S_ISGID
			 ? credentials_call_with_all(req, set_mode, setting)
			 : credentials_call(req, set_mode, setting);
	return status == -EPERM && is_clearing(req, setting) ? 0 : status;
}

static int set_in_store(fuse_req_t req, struct setting *setting)
{
	const int to_set = setting->to_set;
	int status = 0;

	if (to_set == 0)
		status = clear_setid(req, setting);
	/* The owner first: it clears set-id bits, which the mode may set again. By his
	 * groups, or not: so with all that he has. */
	if (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		status = credentials_call_with_all(req, set_owner, setting);
	if (status == 0 && to_set & FUSE_SET_ATTR_MODE)
		status = change_mode(req, setting);
	if (status == 0 && to_set & TIMES_TO_SET)
		status = credentials_call(req, set_times, setting);
	return status;
}

/* ------------------------------------------------------------ all but the size */

/* to_set: without FUSE_SET_ATTR_SIZE; may be 0. Then answers. */
static void set_rest(fuse_req_t req, struct inode *inode, const struct stat *attr,
		     int to_set)
{
	const bool sets_mode = to_set & FUSE_SET_ATTR_MODE;
	int status;

	if (sets_mode && standing_open_is_loss(attr->st_mode))
		standing_open_before_loss(inode);
	change_begin(inode);
	status = set_in_store(req, &(struct setting){inode, attr, to_set});
	change_end(inode);
	if (sets_mode)
		standing_open_after_loss(inode);
	if (status < 0)
		reply_status(req, status);
	else
		attr_reply(req, inode);
}

/* ----------------------------------------------------------------- the request */

struct setattr {
	struct parked_request parked; /* until dirty pages are written */
	struct resize resize;
	struct stat attr;
	int to_set;
};

static void resized(struct resize *resize, int status)
{
	struct setattr *s = caa_container_of(resize, struct setattr, resize);

	if (status < 0)
		reply_status(s->parked.req, status);
	else if (s->to_set & FUSE_SET_ATTR_SIZE)
		attr_reply(s->parked.req, s->parked.inode);
	else
		set_rest(s->parked.req, s->parked.inode, &s->attr, s->to_set);
	free(s);
}

static void resize_if_asked(struct setattr *s)
{
	s->resize.size = (uint64_t)s->attr.st_size;
	s->resize.done = resized;
	if (s->to_set & FUSE_SET_ATTR_SIZE)
		resize_start(&s->resize, s->parked.inode, s->parked.req);
	else
		resized(&s->resize, 0);
}

static void write_back(struct parked_request *parked)
{
	/* An error is for fsync(2); the pages stay dirty. */
	cl_writeback(parked->inode->mapping, parked->entry.range);
	parked_request_leave(parked);
	resize_if_asked((struct setattr *)parked);
}

/* By a descriptor of which we know nothing, or what it was opened for. An open to read
 * and truncate can come as an OPEN and this. */
static bool was_opened_to_write(const struct fuse_file_info *fi)
{
	return fi && (fi->fh == 0 || open_file_of(fi)->access & STORE_WRITE);
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	const bool dirty = inode->mapping && cl_mapping_dirty_pages(inode->mapping) > 0;
	struct setattr *s;

	if (!(to_set & FUSE_SET_ATTR_SIZE) && !dirty) {
		set_rest(req, inode, attr, to_set);
		return;
	}
	if (!S_ISREG(inode->type)) {
		reply_status(req, S_ISDIR(inode->type) ? -EISDIR : -EINVAL);
		return;
	}
	if (to_set & FUSE_SET_ATTR_SIZE && !was_opened_to_write(fi)) {
		const int status = credentials_may(req, inode, W_OK);

		if (status < 0) {
			reply_status(req, status);
			return;
		}
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		reply_status(req, -ENOMEM);
		return;
	}
	s->parked =
		(struct parked_request){.inode = inode, .req = req, .run = write_back};
	s->attr = *attr;
	s->to_set = to_set;
	if (dirty)
		parked_request_enter(&s->parked, CL_GATE_WRITE,
				     (struct cl_range){0, CL_RANGE_EOF});
	else
		resize_if_asked(s);
}
