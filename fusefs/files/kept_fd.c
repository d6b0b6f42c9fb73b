/* SPDX-License-Identifier: MIT */
/* Kept descriptors, longest unused first. */

#include "kept_fd.h"

#include <unistd.h>

static struct {
	pthread_mutex_t lock;
	/* Guarded by lock. */
	struct cds_list_head list;
	size_t count, max;
} kept = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.list = CDS_LIST_HEAD_INIT(kept.list),
};

/* Required: the lock, it is kept. @return the descriptor, the caller's */
static int take_out(struct inode *inode)
{
	const int fd = inode->kept_fd;

	cds_list_del(&inode->kept_node);
	inode->kept_fd = -1;
	kept.count--;
	return fd;
}

static struct timespec ctime_of(struct inode *inode, bool *ret_valid)
{
	struct timespec ctime;

	pthread_mutex_lock(&inode->sample_lock);
	ctime = inode->sample.ctime;
	*ret_valid = inode->sample.valid && inode->changers == 0;
	pthread_mutex_unlock(&inode->sample_lock);
	return ctime;
}

void kept_fd_put(struct inode *inode, int fd)
{
	int victim = fd;
	bool valid;

	inode->kept_ctime = ctime_of(inode, &valid);
	pthread_mutex_lock(&kept.lock);
	if (valid && kept.max > 0) {
		victim = -1;
		if (kept.count == kept.max)
			victim = take_out(cds_list_entry(kept.list.next, struct inode,
							 kept_node));
		inode->kept_fd = fd;
		cds_list_add_tail(&inode->kept_node, &kept.list);
		kept.count++;
	}
	pthread_mutex_unlock(&kept.lock);
	if (victim >= 0)
		close(victim);
}

int kept_fd_take(struct inode *inode)
{
	struct timespec ctime;
	bool valid;
	int fd = -1;

	pthread_mutex_lock(&kept.lock);
	if (inode->kept_fd >= 0)
		fd = take_out(inode);
	pthread_mutex_unlock(&kept.lock);
	if (fd < 0)
		return -1;
	ctime = ctime_of(inode, &valid);
	if (valid && ctime.tv_sec == inode->kept_ctime.tv_sec &&
	    ctime.tv_nsec == inode->kept_ctime.tv_nsec)
		return fd;
	close(fd);
	return -1;
}

void kept_fd_drop(struct inode *inode)
{
	int fd = -1;

	pthread_mutex_lock(&kept.lock);
	if (inode->kept_fd >= 0)
		fd = take_out(inode);
	pthread_mutex_unlock(&kept.lock);
	if (fd >= 0)
		close(fd);
}

void kept_fd_drop_all(void)
{
	int fd;

	do {
		fd = -1;
		pthread_mutex_lock(&kept.lock);
		if (!cds_list_empty(&kept.list))
			fd = take_out(cds_list_entry(kept.list.next, struct inode,
						     kept_node));
		pthread_mutex_unlock(&kept.lock);
		if (fd >= 0)
			close(fd);
	} while (fd >= 0);
}

void kept_fd_set_max(size_t max)
{
	pthread_mutex_lock(&kept.lock);
	kept.max = max;
	pthread_mutex_unlock(&kept.lock);
}
