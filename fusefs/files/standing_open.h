/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STANDING_OPEN_H
#define FUSEFS_STANDING_OPEN_H

/*
 * Standing opens, with --no-open: the kernel opens and closes files without telling us,
 * so what it reads and writes comes without an open file of its own. Each inode has at
 * most two of ours instead, one for reading and one for writing. They are made by the
 * request that needs them, stand while they are used, and for a second more.
 *
 * That is enough as long as the file can be opened again. Who takes his own right to it
 * away (chmod 0, with a program reading it) leaves a daemon that is not root unable to
 * do that. So before such a change the file is opened in every way that is permitted
 * yet, and what would be refused afterwards is kept until the inode is forgotten or the
 * right comes back. Not so the writing of a file that can be executed, which it would
 * keep everybody from behind the mount: that stands for a minute more.
 */

#include "open_file.h"

/** Start, if --no-open was given. @return 0 or a negative errno */
int standing_open_start(struct daemon *daemon);
/** No standing open is closed any more but with its inode. Harmless if not started. */
void standing_open_stop(void);

/** How many may stand of each kind: used lately, kept for a minute, kept for good. The
 *  longest unused goes first. */
void standing_open_set_max(size_t max);

/** What a request without an open file of its own is about to do. */
enum standing_use {
	STANDING_READ,
	STANDING_WRITE,
	STANDING_EITHER, /* whichever there is: fsync, lseek */
};

/**
 * The open file of a request: its own, or the standing one of the inode.
 * @param fi        of the request; its flags are looked at with STANDING_READ
 * @param ret_file  give it back with open_file_put() when the request has been answered
 * @return 0; what open(2) of the store's file said; -EIO if the file is shut; -ENFILE
 *         out of descriptors; -ENOMEM
 * Locks taken: this file's, open_lock. Blocks only for the store.
 */
int request_file(struct inode *inode, const struct fuse_file_info *fi,
		 enum standing_use use, struct open_file **ret_file);

/**
 * What CREATE has made is open for writing, whatever its mode: store_adopt() has been
 * called.
 * @param fi  filled in for fuse_reply_create(): no handle, since the kernel would not
 *            send a RELEASE for it
 * @return as of request_file()
 */
int standing_open_created(struct inode *inode, mode_t mode, struct fuse_file_info *fi);

/** Whether a mode can keep its owner from reading or writing. */
bool standing_open_is_loss(mode_t mode);

/** Before a change of the file's rights that may take ours away, and after it, whether
 *  it succeeded or not. The kernel holds the inode's lock from one to the other. Any
 *  type of file; nothing without --no-open. */
void standing_open_before_loss(struct inode *inode);
void standing_open_after_loss(struct inode *inode);

/** Close those that are not kept for a reason: descriptors are short. No lock held. */
void standing_open_close_idle(void);

/** The inode is being freed. */
void standing_open_forget(struct inode *inode);

#endif
