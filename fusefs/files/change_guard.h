/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_CHANGE_GUARD_H
#define FUSEFS_CHANGE_GUARD_H

/*
 * Who changed the store's file: we, or somebody behind the mount?
 *
 * Every change of ours (a write, a resize, also chmod, link, rename: all that moves
 * ctime) runs between change_begin() and change_end(). The first to begin compares
 * size, mtime and ctime with the sample that the last to end took: a difference is
 * somebody else's, and is remembered until a revalidation takes it in. So nobody waits
 * for anybody, and a change of ours never hides one that was made before it.
 *
 * What somebody else does in the very moment in which we change the file, too, shows by
 * the size alone: the last of ours to end says how long they have made the file, and
 * another length is somebody else's. A cut that is not noticed would bring old bytes back
 * where zeros are due. Other changes of that moment cannot be told apart; NFS has the
 * same limit.
 */

#include "inode_table.h"

/** Before a change of ours. Never waits, save for one fstat. Not owed on directories
 *  and the like, but harmless. Locks taken: sample_lock. */
void change_begin(struct inode *inode);

/*
 * After it, whether it succeeded or not; also refreshes inode->mode. One of these, by what
 * the change has done to the file's size. Of changes that overlap in time, those with a
 * size of their own must have been kept apart by the gate from those that reach past it.
 * Locks taken: sample_lock.
 */

/** It has left the size alone. */
void change_end(struct inode *inode);
/** The file is at least so long now. @param end  of what was written, bytes */
void change_end_reaching(struct inode *inode, uint64_t end);
/** The file is exactly so long now. @param size  bytes */
void change_end_sized(struct inode *inode, uint64_t size);

/**
 * Whether somebody else has changed the file since we last took its content in.
 * @return false also if nothing of it can be cached, or while a change of ours is
 *         under way and none was noticed before
 * Locks taken: sample_lock.
 */
bool change_differs(struct inode *inode);

/** Take the file as it is now for what both caches are about to know; a revalidation
 *  calls this before it looks at the bytes.
 *  @param ret_size  of the store's file, bytes
 *  @return 0 or a negative errno */
int change_settle(struct inode *inode, uint64_t *ret_size);

/** What change_differs() would say without looking at the file again. */
bool change_pending(struct inode *inode);

/** Have change_differs() say yes, because a difference has been seen by other means. */
void change_suspect(struct inode *inode);

#endif
