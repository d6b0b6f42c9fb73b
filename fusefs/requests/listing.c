/* SPDX-License-Identifier: MIT */
/*
 * Listings: whether what the kernel has read of a directory is still so.
 *
 * Asked at each OPENDIR, so a directory that is opened shows what is in it then: mtime
 * and ctime are compared with what they were when the kernel began to read. That must
 * be a while after they were set, or a second change within the clock's tick would look
 * like none (git has the same trouble with its index, and the same way out).
 *
 * The kernel adds to its listing whatever anybody reads who was let; so a new one is
 * begun only when nobody has the directory open who may still be reading what was there
 * before.
 */

#include "listing.h"

#include <time.h>

#include "watch.h"

/* The coarsest clock of a file system, FAT's. */
#define TICK_S 2

static bool is_same(const struct content_sample *sample, const struct stat *attr)
{
	return sample->valid && sample->mtime.tv_sec == attr->st_mtim.tv_sec &&
	       sample->mtime.tv_nsec == attr->st_mtim.tv_nsec &&
	       sample->ctime.tv_sec == attr->st_ctim.tv_sec &&
	       sample->ctime.tv_nsec == attr->st_ctim.tv_nsec;
}

static bool is_settled(const struct stat *attr)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	/* On the side that cannot overflow: times of files are anybody's. */
	return attr->st_mtim.tv_sec < now.tv_sec - TICK_S &&
	       attr->st_ctim.tv_sec < now.tv_sec - TICK_S;
}

/* Required: sample_lock. */
static void decide(struct inode *dir, bool is_open, struct fuse_file_info *fi)
{
	struct stat attr;

	if (fstat(dir->fd, &attr) < 0) {
		dir->listing.valid = false;
		return;
	}
	if (is_same(&dir->listing, &attr)) {
		fi->cache_readdir = fi->keep_cache = 1;
		return;
	}
	dir->listing = (struct content_sample){
		.mtime = attr.st_mtim,
		.ctime = attr.st_ctim,
		.valid = !is_open && is_settled(&attr),
	};
	fi->cache_readdir = dir->listing.valid;
}

void listing_opened(struct inode *dir, struct fuse_file_info *fi)
{
	bool is_open;

	pthread_mutex_lock(&dir->sample_lock);
	is_open = atomic_fetch_add(&dir->open_dirs, 1) > 0;
	if (watch_inode(dir))
		decide(dir, is_open, fi);
	else
		dir->listing.valid = false;
	pthread_mutex_unlock(&dir->sample_lock);
}

void listing_closed(struct inode *dir)
{
	atomic_fetch_sub(&dir->open_dirs, 1);
}
