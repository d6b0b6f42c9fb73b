/* SPDX-License-Identifier: MIT */
/*
 * Change guard: tells changes of ours from changes made behind the mount.
 *
 * The sample is worth something only while no change of ours is under way: it is taken
 * when the last one ends, and looked at when the first one begins or when somebody asks
 * in a quiet moment. fstat() is of the O_PATH descriptor, which is always there.
 *
 * Size, mtime and ctime are all that a user may see of a file's history; the change
 * cookie that some kernels keep is not handed to user space. Since Linux 6.13 a time
 * that has been looked at is never given to a second change, so ctime is as good as a
 * cookie there; before, two changes within one tick and without a change of size look
 * like one.
 */

#include "change_guard.h"

#include <assert.h>
#include <errno.h>

static bool time_equal(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Required: sample_lock. */
static int take_sample(struct inode *inode)
{
	struct stat attr;

	if (fstat(inode->fd, &attr) < 0)
		return -errno;
	inode->sample = (struct content_sample){
		.size = (uint64_t)attr.st_size,
		.mtime = attr.st_mtim,
		.ctime = attr.st_ctim,
		.valid = true,
	};
	atomic_store_explicit(&inode->mode, attr.st_mode, memory_order_relaxed);
	atomic_store_explicit(&inode->owner, attr.st_uid, memory_order_relaxed);
	return 0;
}

/* Required: sample_lock, no change of ours under way. */
static void compare_with_sample(struct inode *inode)
{
	const struct content_sample before = inode->sample;

	if (!before.valid || take_sample(inode) < 0)
		return;
	if (before.size != inode->sample.size ||
	    !time_equal(before.mtime, inode->sample.mtime) ||
	    !time_equal(before.ctime, inode->sample.ctime))
		inode->changed_behind = true;
}

void change_begin(struct inode *inode)
{
	pthread_mutex_lock(&inode->sample_lock);
	if (inode->changers++ == 0)
		compare_with_sample(inode);
	pthread_mutex_unlock(&inode->sample_lock);
}

/* While changes of ours are under way, the sample's size is what they make of it.
 * Required: sample_lock. */
static void end(struct inode *inode)
{
	const uint64_t expected = inode->sample.size;

	assert(inode->changers > 0);
	if (--inode->changers > 0 || !inode->sample.valid || take_sample(inode) < 0)
		return;
	if (inode->sample.size != expected && !inode->unsized)
		inode->changed_behind = true;
}

void change_end(struct inode *inode)
{
	pthread_mutex_lock(&inode->sample_lock);
	end(inode);
	pthread_mutex_unlock(&inode->sample_lock);
}

void change_end_reaching(struct inode *inode, uint64_t size)
{
	pthread_mutex_lock(&inode->sample_lock);
	if (inode->sample.size < size)
		inode->sample.size = size;
	end(inode);
	pthread_mutex_unlock(&inode->sample_lock);
}

void change_end_sized(struct inode *inode, uint64_t size)
{
	pthread_mutex_lock(&inode->sample_lock);
	inode->sample.size = size;
	end(inode);
	pthread_mutex_unlock(&inode->sample_lock);
}

bool change_differs(struct inode *inode)
{
	bool differs;

	if (!inode->mapping)
		return false;
	pthread_mutex_lock(&inode->sample_lock);
	if (inode->changers == 0)
		compare_with_sample(inode);
	differs = inode->changed_behind;
	pthread_mutex_unlock(&inode->sample_lock);
	return differs;
}

int change_settle(struct inode *inode, uint64_t *ret_size)
{
	int status;

	pthread_mutex_lock(&inode->sample_lock);
	status = take_sample(inode);
	if (status == 0) {
		inode->changed_behind = false;
		*ret_size = inode->sample.size;
	}
	pthread_mutex_unlock(&inode->sample_lock);
	return status;
}

bool change_pending(struct inode *inode)
{
	bool pending;

	pthread_mutex_lock(&inode->sample_lock);
	pending = inode->changed_behind;
	pthread_mutex_unlock(&inode->sample_lock);
	return pending;
}

void change_suspect(struct inode *inode)
{
	pthread_mutex_lock(&inode->sample_lock);
	inode->changed_behind = true;
	pthread_mutex_unlock(&inode->sample_lock);
}
