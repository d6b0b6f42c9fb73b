/* SPDX-License-Identifier: MIT */
/*
 * Store attributes: from statx(2) to who a file is and what we show; and
 * inode_stat(), where the page cache has its say.
 */

#include "store_stat.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static void id_from(const struct statx *stx, struct store_id *ret_id)
{
	*ret_id = (struct store_id){
		.dev = makedev(stx->stx_dev_major, stx->stx_dev_minor),
		.ino = stx->stx_ino,
		.mode = stx->stx_mode,
		.has_links = stx->stx_nlink > 1 && !S_ISDIR(stx->stx_mode),
		.no_blocks = stx->stx_blocks == 0,
		.automount = stx->stx_attributes & STATX_ATTR_AUTOMOUNT,
	};
	if (stx->stx_mask & STATX_BTIME)
		ret_id->birth_ns =
			stx->stx_btime.tv_sec * 1000000000 + stx->stx_btime.tv_nsec;
	if (stx->stx_mask & STATX_MNT_ID)
		ret_id->mount = stx->stx_mnt_id;
}

int store_identify(int dirfd, const char *name, struct store_id *ret_id)
{
	struct statx stx;

	/* AT_STATX_DONT_SYNC: identity never changes, and FUSE, too, answers it from
	 * memory, so that our own mount cannot keep us waiting for ourselves. */
	if (statx(dirfd, name,
		  AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC |
			  (name[0] == '\0' ? AT_EMPTY_PATH : 0),
		  STATX_INO | STATX_TYPE | STATX_NLINK | STATX_BTIME | STATX_MNT_ID,
		  &stx) < 0)
		return -errno;
	id_from(&stx, ret_id);
	return 0;
}

bool store_is_overlayfs(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

bool store_is_unsized(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	switch (fs.f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case CGROUP2_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

static struct timespec time_from(const struct statx_timestamp *ts)
{
	return (struct timespec){.tv_sec = ts->tv_sec, .tv_nsec = ts->tv_nsec};
}

static void stat_from(const struct statx *stx, struct stat *ret_attr)
{
	memset(ret_attr, 0, sizeof(*ret_attr));
	ret_attr->st_dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
	ret_attr->st_ino = stx->stx_ino;
	ret_attr->st_mode = stx->stx_mode;
	ret_attr->st_nlink = stx->stx_nlink;
	ret_attr->st_uid = stx->stx_uid;
	ret_attr->st_gid = stx->stx_gid;
	ret_attr->st_rdev = makedev(stx->stx_rdev_major, stx->stx_rdev_minor);
	ret_attr->st_size = (off_t)stx->stx_size;
	ret_attr->st_blksize = (blksize_t)stx->stx_blksize;
	ret_attr->st_blocks = (blkcnt_t)stx->stx_blocks;
	ret_attr->st_atim = time_from(&stx->stx_atime);
	ret_attr->st_mtim = time_from(&stx->stx_mtime);
	ret_attr->st_ctim = time_from(&stx->stx_ctime);
}

int store_stat(const struct daemon *daemon, int fd, struct store_id *ret_id,
	       struct stat *ret_attr)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT,
		  STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &stx) < 0)
		return -errno;
	if (ret_id)
		id_from(&stx, ret_id);
	stat_from(&stx, ret_attr);
	ret_attr->st_ino = store_shown_ino(daemon, ret_attr->st_dev, ret_attr->st_ino);
	return 0;
}

ino_t store_shown_ino(const struct daemon *daemon, dev_t dev, ino_t ino)
{
	const uint64_t both[2] = {dev, ino};

	if (dev == daemon->source_dev)
		return ino;
	/* File systems count upwards from 1; nobody's own numbers have the top bit. */
	return XXH3_64bits(both, sizeof(both)) | UINT64_C(1) << 63;
}

int inode_stat(struct inode *inode, struct stat *ret_attr)
{
	struct cl_mapping *mapping = atomic_load(&inode->mapping);
	uint64_t size = 0;
	bool dirty = false;
	int status;

	/* Asked before the store is: a page written back in between is in both, one
	 * asked for afterwards would be in neither. */
	if (mapping) {
		size = cl_mapping_size(mapping);
		dirty = cl_mapping_dirty_pages(mapping) > 0;
	}
	status = store_stat(inode->daemon, inode->fd, NULL, ret_attr);
	if (status < 0)
		return status;
	if (dirty)
		ret_attr->st_size = (off_t)size;
	atomic_store_explicit(&inode->mode, ret_attr->st_mode, memory_order_relaxed);
	atomic_store_explicit(&inode->owner, ret_attr->st_uid, memory_order_relaxed);
	return 0;
}
