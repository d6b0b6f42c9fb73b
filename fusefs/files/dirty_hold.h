/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_DIRTY_HOLD_H
#define FUSEFS_DIRTY_HOLD_H

/*
 * Files that nobody has open any more but whose dirty pages the store did not take:
 * they keep their descriptor and their inode until the library's flusher has got rid of
 * them.
 */

#include "inode_table.h"

/** Hold an inode. Takes a reference of it, and takes over the last use of its store
 *  descriptors (open_file.c). Required: open_lock. */
void dirty_hold_add(struct inode *inode);

/** Let go of the inodes whose pages are clean by now, or whose last name has gone: of
 *  those, with their pages. Called when a file is closed or removed. No lock held. */
void dirty_hold_sweep(void);

/** The inode is being freed, pages and all. */
void dirty_hold_forget(struct inode *inode);

#endif
