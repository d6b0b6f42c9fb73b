/* SPDX-License-Identifier: MIT */
/*
 * Open files and store descriptors.
 *
 * The store's file is reached through /proc/self/fd and the inode's O_PATH descriptor,
 * so it is the right one whatever has been renamed or removed meanwhile. When a writer
 * comes to a file that is open for reading only, the new descriptor takes the old one's
 * number (dup3): input and output under way holds the old file and is not disturbed.
 */

#include "open_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "change_guard.h"
#include "dirty_hold.h"
#include "fd_pressure.h"
#include "fd_share.h"
#include "inode_log.h"
#include "inode_store.h"
#include "kept_fd.h"
#include "notifier.h"
#include "serving.h"
#include "standing_open.h"
#include "store_readahead.h"
#include "watch.h"

/* ----------------------------------------------------------- store descriptors */

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
 * O_NOATIME; there it moves. Required: open_lock.
 */
static void set_noatime(struct inode *inode)
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
	set_noatime(inode);
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
	set_noatime(inode);
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
		set_noatime(inode);
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

/* A user from the beginning, so that nobody else is the last one meanwhile.
 * Required: open_lock, which is given up meanwhile. */
static int use_store(struct inode *inode, int access)
{
	int status;

	inode->store_users++;
	status = open_store(inode, access);
	if (status == 0)
		set_noatime(inode);
	else
		tell_of_dirty(inode, stop_using(inode));
	return status;
}

int store_get(struct inode *inode, int access)
{
	int status;

	pthread_mutex_lock(&inode->open_lock);
	status = use_store(inode, access);
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

/* ------------------------------------------------------------------- mappings */

/* Required: open_lock. */
static int ensure_mapping(struct inode *inode)
{
	struct cl_mapping *mapping;
	uint64_t size;
	int status;

	if (inode->mapping)
		return 0;
	assert(S_ISREG(inode->type));
	/* The sample first: what changes after it, is noticed. */
	status = change_settle(inode, &size);
	if (status < 0)
		return status;
	status = cl_mapping_create(inode->daemon->cache, &inode_store_ops, inode, size,
				   &mapping);
	if (status == 0)
		inode->mapping = mapping;
	return status;
}

int inode_mapping_ensure(struct inode *inode)
{
	int status;

	pthread_mutex_lock(&inode->open_lock);
	status = ensure_mapping(inode);
	pthread_mutex_unlock(&inode->open_lock);
	return status;
}

/* ---------------------------------------------------------------- open files */

static int access_of(int flags)
{
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		return STORE_READ;
	case O_WRONLY:
		return STORE_WRITE;
	default:
		return STORE_READ | STORE_WRITE;
	}
}

/* Whether what is read through an open file moves the access time. */
static bool moves_atime(int flags)
{
	return access_of(flags) & STORE_READ && !(flags & O_NOATIME);
}

/*
 * What open(2) says of files that nobody may change, whatever his mode, and that can
 * only be appended to. The store's descriptor may be open already, and does not ask.
 * Required: open_lock.
 */
static int may_join_writers(struct inode *inode, int flags)
{
	struct statx stx;
	bool append_only;

	if (statx(inode->fd, "", AT_EMPTY_PATH, STATX_TYPE, &stx) < 0)
		return -errno;
	if (stx.stx_attributes & STATX_ATTR_IMMUTABLE)
		return -EPERM;
	append_only = stx.stx_attributes & STATX_ATTR_APPEND;
	if (append_only && !(flags & O_APPEND))
		return -EPERM;
	/* It has been that, and is not any more. */
	if (!append_only && inode->store_appends &&
	    fcntl(inode->store_write_fd, F_SETFL, 0) == 0)
		inode->store_appends = inode->store_noatime = false;
	return 0;
}

/* Whoever opens a file first has its descriptors. Required: open_lock. */
static int take_share(struct inode *inode, uint32_t account)
{
	const int status = inode->opens > 0 ? 0 : fd_share_take(inode->daemon, account);

	if (status == 0 && inode->opens == 0)
		inode->opened_for = account;
	return status;
}

/* Required: open_lock. */
static void give_share(struct inode *inode)
{
	if (inode->opens == 0)
		fd_share_give(inode->daemon, inode->opened_for);
}

/* Count an open in. */
static int register_open(struct inode *inode, int flags, uint32_t account)
{
	const int access = access_of(flags);
	int status;

	pthread_mutex_lock(&inode->open_lock);
	status = take_share(inode, account);
	if (status < 0) {
		pthread_mutex_unlock(&inode->open_lock);
		return status;
	}
	/* First, so that the store is opened the way it is going to be read. */
	inode->atime_readers += moves_atime(flags);
	status = ensure_mapping(inode);
	if (status == 0 && access & STORE_WRITE && inode->store_users > 0 &&
	    inode->store_write_fd >= 0)
		status = may_join_writers(inode, flags);
	if (status == 0)
		status = use_store(inode,
				   flags & O_APPEND ? access | STORE_APPEND : access);
	if (status == 0) {
		inode->opens++;
		if (access & STORE_WRITE)
			inode->writers++;
		inode->executing += (flags & KERNEL_FMODE_EXEC) != 0;
	} else {
		inode->atime_readers -= moves_atime(flags);
		set_noatime(inode);
		give_share(inode);
	}
	pthread_mutex_unlock(&inode->open_lock);
	return status;
}

int open_file_create(struct inode *inode, int flags, uint32_t account,
		     struct open_file **ret_file)
{
	struct open_file *file = calloc(1, sizeof(*file));
	int status;

	if (!file)
		return -ENOMEM;
	file->access = access_of(flags);
	status = register_open(inode, flags, account);
	if (status < 0) {
		free(file);
		return status;
	}
	/* From now on its attributes are asked for again and again. */
	if (file->access & STORE_WRITE && watch_drop(inode))
		notifier_forget_attributes(inode);
	inode_get(inode);
	file->inode = inode;
	file->flags = flags;
	file->refs = 1;
	file->errseq = cl_errseq_sample(inode->mapping);
	pthread_mutex_init(&file->lock, NULL);
	*ret_file = file;
	return 0;
}

int open_file_get(struct inode *inode, int flags, uint32_t account,
		  struct fuse_file_info *fi)
{
	struct open_file *file;
	const int status = open_file_create(inode, flags, account, &file);

	if (status < 0)
		return status;
	fi->fh = (uintptr_t)file;
	fi->keep_cache = 1;
	/* The kernel would read up to the size and no further. */
	fi->direct_io = inode->unsized;
#if LIBFUSE_HAS_NOFLUSH
	/* Nothing to report and nothing to write when a mere reader closes. */
	fi->noflush = file->access == STORE_READ;
#endif
	return 0;
}

void open_file_ref(struct open_file *file)
{
	atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
	inode_get(file->inode);
}

void open_file_abandon(struct open_file *file)
{
	struct inode *inode = file->inode;

	if (atomic_fetch_sub(&file->refs, 1) > 1)
		return;
	pthread_mutex_lock(&inode->open_lock);
	inode->opens--;
	give_share(inode);
	if (file->access & STORE_WRITE)
		inode->writers--;
	inode->atime_readers -= moves_atime(file->flags);
	inode->executing -= (file->flags & KERNEL_FMODE_EXEC) != 0;
	/* Who goes last closes it. */
	if (inode->store_users > 1)
		set_noatime(inode);
	pthread_mutex_unlock(&inode->open_lock);
	pthread_mutex_destroy(&file->lock);
	free(file);
	store_put(inode);
}

/* Its room comes free soon, or later, if a program has it open; of one that has closed it
 * the RELEASE may be still to come. */
static void expect_forget(struct inode *inode)
{
	if (S_ISREG(inode->type))
		freed_room_expect(&inode->leaving, inode->dev);
}

void open_file_unlinked(struct inode *inode)
{
	atomic_store(&inode->unlinked, true);
	expect_forget(inode);
}

void open_file_put(struct open_file *file)
{
	struct inode *inode = file->inode;

	open_file_abandon(file);
	if (atomic_load(&inode->unlinked))
		expect_forget(inode);
	inode_put(inode, 1);
}
