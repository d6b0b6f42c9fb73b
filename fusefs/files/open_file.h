/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPEN_FILE_H
#define FUSEFS_OPEN_FILE_H

/* Open files of the mount. */

#include "store_file.h"

/* FMODE_EXEC of the kernel's <linux/fs.h>: this open is an execve(2). The kernel keeps
 * writers away from such a file, but not range operations, which come without an open.
 */
#define KERNEL_FMODE_EXEC 0x20

/** One open(2) of the mount, which lives in fi->fh; or a standing open. */
struct open_file {
	/* Set once. */
	struct inode *inode; /* each reference comes with one of the inode */
	int flags;
	int access; /* of enum store_access */

	/* The kernel's, one per request and prefetch under way; and of a standing open
	 * its list's, which comes without one of the inode. */
	_Atomic unsigned refs;

	/* In the inode's list; guarded by its open_lock. */
	struct cds_list_head node;

	/* Guarded by standing_open.c's lock. */
	unsigned standing_class;
	uint64_t used_ns;
	struct cds_list_head standing_node;

	pthread_mutex_t lock;
	/* Guarded by lock. */
	struct cl_readahead readahead;
	bool prefetching;
	cl_errseq_t errseq;
};

/** The open file in a request, if there is one. */
static inline struct open_file *open_file_of(const struct fuse_file_info *fi)
{
	return (struct open_file *)(uintptr_t)fi->fh;
}

/** Make the mapping of a regular file if it has none yet. Returns 0 or a negative
 *  errno. Locks taken: open_lock. */
int inode_mapping_ensure(struct inode *inode);

/**
 * Register an open: the mapping is made, the store's file opened as flags want it, and
 * fi filled in for fuse_reply_open() or fuse_reply_create(): fh, keep_cache, noflush.
 * O_TRUNC, O_CREAT and O_EXCL are not looked at.
 * @param flags    of open(2)
 * @param account  who opens it (account.h), and holds its descriptors if he is the first
 * @return 0; what open(2) of the store's file said; -ENFILE out of descriptors, or out of
 * the account's share of them (fd_share.h);
 * -ENOMEM. Blocks only for the store. Locks taken: open_lock.
 */
int open_file_get(struct inode *inode, int flags, uint32_t account,
		  struct fuse_file_info *fi);

/** Likewise, of which the kernel does not hear.
 *  @param ret_file  with one reference */
int open_file_create(struct inode *inode, int flags, uint32_t account,
		     struct open_file **ret_file);

/** Another reference, and one of the inode. */
void open_file_ref(struct open_file *file);
/** Drop both; the last one gives its share of the store's descriptor back. Owed by
 *  whoever got an open that the kernel never heard of (fuse_reply_open() failed). */
void open_file_put(struct open_file *file);
/** Drop a reference that comes without one of the inode. */
void open_file_abandon(struct open_file *file);

/** Free what the kernel never closed: the connection has ended before the RELEASE was sent.
 *  Nobody else has the inode. */
void open_file_free_left(struct inode *inode);

/** The inode's last name has gone. */
void open_file_unlinked(struct inode *inode);

#endif
