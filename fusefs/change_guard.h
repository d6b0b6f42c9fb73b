/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_CHANGE_GUARD_H
#define FUSEFS_CHANGE_GUARD_H

/*
 * Who changed the store's file: we, or somebody behind the mount?
 *
 * Every change of ours (a write, a resize, also chmod, link, rename: all that moves
 * ctime) runs between change_begin() and change_end(), which samples size, mtime and
 * ctime again. Whoever looks at the attributes takes the lock exclusively, so no change
 * of ours is half done: a difference from the sample is somebody else's.
 */

#include "inode_table.h"

/** Shared; may wait for a change_differs() that is running, that is for one fstat. */
void change_begin(struct inode *inode);
/** Samples the attributes (fd: store_fd or O_PATH) and unlocks. */
void change_end(struct inode *inode);

/**
 * Compare the store's file with the sample, and take the sample anew.
 * @return true if somebody else changed it; false if not, if there was no sample yet,
 *         or if nothing of it is cached
 */
bool change_differs(struct inode *inode);

#endif
