/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_KEPT_FD_H
#define FUSEFS_KEPT_FD_H

/*
 * Descriptors of files that were read and closed, for who reads them again: to open one
 * by way of /proc and to close it take longer than all else that an OPEN takes.
 *
 * Only what is open for reading: a descriptor that can write keeps others from
 * executing the file. And only as long as the file's ctime is what it was: who has been
 * denied reading since is not to find it open.
 */

#include "inode_table.h"

/** Keep a descriptor that nobody uses any more; consumed. Required: open_lock. */
void kept_fd_put(struct inode *inode, int fd);

/** The inode's descriptor, if it is kept and as good as a new one; or -1.
 *  Required: open_lock. */
int kept_fd_take(struct inode *inode);

/** Close it, if it is kept; any lock but this file's may be held. */
void kept_fd_drop(struct inode *inode);

/** Close all of them: descriptors are short. No lock held. */
void kept_fd_drop_all(void);

/** How many may be kept. */
void kept_fd_set_max(size_t max);

#endif
