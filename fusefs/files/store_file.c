/* SPDX-License-Identifier: MIT */
/*
 * Store descriptors.
 *
 * The store's file is reached through /proc/self/fd and the inode's O_PATH descriptor,
 * so it is the right one whatever has been renamed or removed meanwhile. When a writer
 * comes to a file that is open for reading only, the new descriptor takes the old one's
 * number (dup3): input and output under way holds the old file and is not disturbed.
 */

#include "store_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "dirty_hold.h"
#include "fd_pressure.h"
#include "inode_log.h"
#include "kept_fd.h"
#include "serving.h"
#include "store_readahead.h"

static int open_by_proc(const struct inode *inode, int flags)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%d", inode->fd);
	do
		fd = openat(inode->daemon->proc_fd_dir, name,
			    flags | O_CLOEXEC | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	return fd;
}

/*
 * Somebody may have a lease on the file, whom the store gives some time to let go
 * (/proc/sys/fs/lease-break-time, 45 s as a rule): others are served meanwhile.
 * Required: no lock.
 * @return a descriptor or a negative errno
 */
static int reopen(struct inode *inode, int flags)
{
	int fd = open_by_proc(inode, flags | O_NONBLOCK);

	if (fd >= 0) {
		/* It is for the open alone; on a splice it would mean something else.
		 */
		fcntl(fd, F_SETFL, flags & O_APPEND);
	} else if (errno == EWOULDBLOCK) {
		serving_will_wait();
		fd = open_by_proc(inode, flags);
	}
	if (fd >= 0 && inode->daemon->readahead_races)
		store_readahead_stop(fd);
	return fd < 0 ? fd_pressure_error(inode->daemon, -errno) : fd;
}

/* Likewise, with the open_lock, which is given up meanwhile: who reads a file does not
 * wait for who opens it to write. Required: open_lock, and to be a user of the store's
 * file, so that what is open stays so. */
static int reopen_unlocked(struct inode *inode, int flags)
{
	int fd;

	pthread_mutex_unlock(&inode->open_lock);
	fd = reopen(inode, flags);
	pthread_mutex_lock(&inode->open_lock);
	return fd;
}

/*
 * Reading of ours (for a page that is written in part, for a comparison) moves the
 * access time only while somebody reads who wants that. Files of others refuse
 * O_NOATIME; there it moves.
 */
void store_set_noatime(struct inode *inode)
{
	const int fd = inode->store_fd;
	const bool noatime =
		inode->daemon->options.noatime || inode->atime_readers == 0;

	if (fd < 0 || noatime == inode->store_noatime)
		return;
	if (fcntl(fd, F_SETFL,
		  (noatime ? O_NOATIME : 0) | (inode->store_appends ? O_APPEND : 0)) ==
	    0)
		inode->store_noatime = noatime;
}

/* The store is read and written through fd from now on. Required: open_lock. */
static void install_read_write(struct inode *inode, int fd)
{
	kept_fd_drop(inode);
	if (inode->store_fd < 0) {
		inode->store_fd = fd;
	} else {
		/* Cannot fail: both are open. */
		dup3(fd, inode->store_fd, O_CLOEXEC);
		close(fd);
	}
	inode->store_write_fd = inode->store_fd;
	inode->store_noatime = false;
	store_set_noatime(inode);
}

/* An append-only file of the store can be opened for that alone. Required: as of
 * reopen_unlocked(). */
static int reopen_for_writing(struct inode *inode, int mode, bool may_append,
			      bool *ret_appends)
{
	int fd = reopen_unlocked(inode, mode);

	*ret_appends = fd == -EPERM && may_append;
	return *ret_appends ? reopen_unlocked(inode, mode | O_APPEND) : fd;
}

/* Required: as of reopen_unlocked(). */
static int open_for_writing(struct inode *inode, int access)
{
	const bool may_append = access & STORE_APPEND;
	bool reads = true, appends;
	int fd = reopen_for_writing(inode, O_RDWR, may_append, &appends);

	if (fd == -EACCES && !(access & STORE_READ)) {
		/* Permitted to write and not to read: beside whatever there is. */
		reads = false;
		fd = reopen_for_writing(inode, O_WRONLY, may_append, &appends);
	}
	if (fd < 0)
		return fd;
	if (inode->store_write_fd >= 0) {
		close(fd); /* somebody was faster */
		return 0;
	}
	inode->store_appends = appends;
	if (reads)
		install_read_write(inode, fd);
	else
		inode->store_write_fd = fd;
	return 0;
}

/* Required: as of reopen_unlocked(). */
static int open_for_reading(struct inode *inode)
{
	int fd = kept_fd_take(inode);

	if (fd < 0) {
		fd = reopen_unlocked(inode, O_RDONLY);
		if (fd < 0)
			return fd;
		if (inode->store_fd >= 0) {
			close(fd); /* likewise */
			return 0;
		}
		inode->store_noatime = false;
	}
	inode->store_fd = fd;
	store_set_noatime(inode);
	return 0;
}

/* Required: as of reopen_unlocked(). */
static int open_store(struct inode *inode, int access)
{
	int status = 0;

	if (access & STORE_WRITE && inode->store_write_fd < 0)
		status = open_for_writing(inode, access);
	if (status == 0 && access & STORE_READ && inode->store_fd < 0)
		status = open_for_reading(inode);
	return status;
}

void store_close(struct inode *inode)
{
	const int fd = inode->store_fd, write_fd = inode->store_write_fd;

	inode->store_fd = inode->store_write_fd = -1;
	inode->store_appends = false;
	if (write_fd >= 0 && write_fd != fd)
		close(write_fd);
	if (fd >= 0)
		close(fd);
}

/* Required: open_lock; nobody uses it any more. */
static void leave_store(struct inode *inode)
{
	const int fd = inode->store_fd;

	if (fd >= 0 && inode->store_write_fd < 0) {
		inode->store_fd = -1;
		kept_fd_put(inode, fd);
	} else {
		store_close(inode);
	}
}

/* Required: open_lock. @return pages that the store did not take, and that are held */
static uint64_t stop_using(struct inode *inode)
{
	uint64_t dirty = 0;

	assert(inode->store_users > 0);
	if (inode->store_users == 1 && inode->mapping)
		dirty = cl_mapping_dirty_pages(inode->mapping);
	if (dirty > 0) {
		dirty_hold_add(inode); /* is now the only user */
		store_set_noatime(inode);
	} else if (--inode->store_users == 0) {
		leave_store(inode);
	}
	return dirty;
}

static void tell_of_dirty(struct inode *inode, uint64_t dirty)
{
	if (dirty > 0)
		log_inode(LOG_WARNING, inode,
			  "closed, but the store did not take %llu of its pages; they "
			  "are kept and tried again",
			  (unsigned long long)dirty);
}

/* A user from the beginning, so that nobody else is the last one meanwhile. */
int store_use(struct inode *inode, int access)
{
	int status;

	inode->store_users++;
	status = open_store(inode, access);
	if (status == 0)
		store_set_noatime(inode);
	else
		tell_of_dirty(inode, stop_using(inode));
	return status;
}

int store_get(struct inode *inode, int access)
{
	int status;

	pthread_mutex_lock(&inode->open_lock);
	status = store_use(inode, access);
	pthread_mutex_unlock(&inode->open_lock);
	return status;
}

void store_put(struct inode *inode)
{
	uint64_t dirty;

	pthread_mutex_lock(&inode->open_lock);
	dirty = stop_using(inode);
	pthread_mutex_unlock(&inode->open_lock);
	tell_of_dirty(inode, dirty);
}

bool store_is_mine(struct inode *inode)
{
	bool mine;

	pthread_mutex_lock(&inode->open_lock);
	mine = inode->store_users == 1;
	pthread_mutex_unlock(&inode->open_lock);
	return mine;
}

void store_adopt(struct inode *inode, int fd)
{
	pthread_mutex_lock(&inode->open_lock);
	if (inode->store_write_fd < 0)
		install_read_write(inode, fd);
	else
		close(fd);
	pthread_mutex_unlock(&inode->open_lock);
}

int store_open_to_append(struct inode *inode)
{
	return reopen(inode, O_WRONLY | O_APPEND);
}
