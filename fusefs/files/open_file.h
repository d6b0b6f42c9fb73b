/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPEN_FILE_H
#define FUSEFS_OPEN_FILE_H

/*
 * Open files, and the store descriptors that serve them.
 *
 * However often a file is open on the mount, the store's file is open once: for
 * reading at first, for both as soon as somebody writes, for as long as anybody uses
 * it. A file that we may write but not read gets a second, write-only descriptor
 * beside. All input and output is at explicit offsets, so nobody shares a position.
 */

#include "inode_table.h"

/** What somebody needs a store descriptor for. */
enum store_access {
	STORE_READ = 1,
	STORE_WRITE = 2,  /* and for reading as well, if that is permitted */
	STORE_APPEND = 4, /* if nothing else is permitted */
};

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

/** Close the store's file, whoever uses it. Required: open_lock, or that nobody else has
 *  the inode. */
void store_close(struct inode *inode);

/**
 * Use the store's file apart from any open of the mount: descriptors stay open, and
 * their numbers the same, until store_put().
 * @param access  of enum store_access
 * @return 0, or what open(2) of the store's file said
 * Locks taken: open_lock.
 */
int store_get(struct inode *inode, int access);
/** The caller still holds a reference of the inode. */
void store_put(struct inode *inode);

/** Whether the caller's use is the only one. Somebody may come at any time. */
bool store_is_mine(struct inode *inode);

/**
 * Hand over the descriptor a file was created with, for the open_file_get() that
 * follows: it may write whatever the file's mode says, which a new one could not.
 * @param fd  read-write; consumed
 * Locks taken: open_lock.
 */
void store_adopt(struct inode *inode, int fd);

/** The inode's last name has gone. */
void open_file_unlinked(struct inode *inode);

#endif
