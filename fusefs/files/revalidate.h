/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_REVALIDATE_H
#define FUSEFS_REVALIDATE_H

/*
 * Taking in a change that was made behind the mount: both caches drop what is stale,
 * and the kernel learns the size. One at a time per inode; requests that notice while
 * one is under way join it.
 */

#include <urcu/list.h>

#include "inode_table.h"

/** Somebody who waits for a revalidation. Embedded in what he needs to go on. */
struct revalidate_waiter {
	/** Called on a thread of daemon->notifications, no lock held; may free the
	 *  waiter.
	 *  @param status  0: both caches are right; a negative errno: the kernel could
	 *                 not be made to drop what is stale, and the next one who opens
	 *                 the file or asks for its attributes tries again */
	void (*done)(struct revalidate_waiter *waiter, int status);
	/** Also wait until the kernel has adopted the size; for those whose own answer
	 *  does not carry it. */
	bool needs_adoption;
	struct cds_list_head node; /* revalidate.c's own */
};

/** Start a revalidation, or join the one under way.
 *  @param waiter  may be NULL
 *  @return 0; -ENOMEM: then nothing happens and done() is not called
 *  Locks taken: revalidate_lock. */
int revalidate_start(struct inode *inode, struct revalidate_waiter *waiter);

/** Whether one is under way: until it is over, no answer may carry new attributes. */
bool revalidate_running(struct inode *inode);

/** The file does not look as it should: revalidate it some time. Any thread, page locks
 *  held or not. */
void revalidate_soon(struct inode *inode);

#endif
