/* SPDX-License-Identifier: MIT */
/* Open files, and the mappings that they are read and written through. */

#include "open_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "change_guard.h"
#include "fd_share.h"
#include "inode_store.h"
#include "notifier.h"
#include "watch.h"

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
static int register_open(struct inode *inode, struct open_file *file, int flags,
			 uint32_t account)
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
		status = store_use(inode,
				   flags & O_APPEND ? access | STORE_APPEND : access);
	if (status == 0) {
		inode->opens++;
		cds_list_add_tail(&file->node, &inode->open_files);
		if (access & STORE_WRITE)
			inode->writers++;
		inode->executing += (flags & KERNEL_FMODE_EXEC) != 0;
	} else {
		inode->atime_readers -= moves_atime(flags);
		store_set_noatime(inode);
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
	status = register_open(inode, file, flags, account);
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

static void free_file(struct open_file *file)
{
	pthread_mutex_destroy(&file->lock);
	free(file);
}

void open_file_abandon(struct open_file *file)
{
	struct inode *inode = file->inode;

	if (atomic_fetch_sub(&file->refs, 1) > 1)
		return;
	pthread_mutex_lock(&inode->open_lock);
	inode->opens--;
	cds_list_del(&file->node);
	give_share(inode);
	if (file->access & STORE_WRITE)
		inode->writers--;
	inode->atime_readers -= moves_atime(file->flags);
	inode->executing -= (file->flags & KERNEL_FMODE_EXEC) != 0;
	/* Who goes last closes it. */
	if (inode->store_users > 1)
		store_set_noatime(inode);
	pthread_mutex_unlock(&inode->open_lock);
	free_file(file);
	store_put(inode);
}

void open_file_free_left(struct inode *inode)
{
	struct open_file *file, *next;

	cds_list_for_each_entry_safe(file, next, &inode->open_files, node)
		free_file(file);
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
