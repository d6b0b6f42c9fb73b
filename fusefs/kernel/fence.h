/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_FENCE_H
#define FUSEFS_FENCE_H

/*
 * The kernel's half of the fence: no WRITE is on its way that we do not know of.
 * cachelayer/range_op.h has what it is for.
 */

#include "inode_table.h"

/**
 * Every WRITE of this file that the kernel had sent when this was called is known to the
 * gate when it returns 0.
 * @return 0; -EAGAIN if WRITEs may be waiting for a place in the background which READs
 *         that are parked at this file's gate have; -EBUSY if it could not be had within
 *         FENCE_NS; -ENOMEM; another negative errno of /dev/fuse
 * On threads of daemon->notifications, no lock held; takes none of the kernel's but for
 * a moment, and waits for serving threads to have read what is there.
 */
int fence_pass(struct inode *inode);

/**
 * Every WRITE of this file that the kernel had sent or kept back when this was called has
 * been answered when it returns 0: what mapped programs had stored before is in the
 * store, or has failed there. With the gate open, and with the file's inode lock held in
 * the kernel or not; what is stored meanwhile may be or not.
 * @return 0, or as fence_pass(), but never -EAGAIN
 * On threads of daemon->notifications, no lock held. Takes EXCLUSIVE over the file.
 */
int fence_drain(struct inode *inode);

/** For how long it is tried: round trips take microseconds, but the threads that serve
 *  may all be in a store that hangs. */
#define FENCE_NS ((uint64_t)10 * 1000000000)

#endif
