/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_KERNEL_WAIT_H
#define FUSEFS_KERNEL_WAIT_H

/*
 * --abort-stuck: what to do when the kernel does not come back to us.
 *
 * A notification, and a system call of ours on our own mount, waits in the kernel for
 * locks that programs hold there, who may be waiting for us. Here it is known of each
 * since when it waits. One that waits for longer than the user has allowed ends the
 * connection, and with it the daemon: everybody gets an error instead of a process that
 * cannot even be killed.
 */

#include <urcu/list.h>

#include "daemon.h"

/** One wait; lives on its thread's stack. */
struct kernel_wait {
	/* kernel_wait.c's own, guarded by its lock. */
	struct cds_list_head node;
	fuse_ino_t nodeid;
	const char *what;
	unsigned looks; /* of the watch, so far */
};

/** Before a call that may wait for a lock in the kernel.
 *  @param nodeid  whose, for the message
 *  @param what    "a notification of pages", say; a constant
 *  Any thread. Locks taken: kernel_wait.c's, a leaf. */
void kernel_wait_begin(struct kernel_wait *wait, fuse_ino_t nodeid, const char *what);
void kernel_wait_end(struct kernel_wait *wait);

/** Look from now on, if options.abort_stuck_s says so. The session stands.
 *  @param cut  ends the connection at once; called once at most, on a thread of its own,
 *              with no lock held
 *  @return 0 or a negative errno */
int kernel_wait_watch(struct daemon *daemon, void (*cut)(struct daemon *daemon));

/** Look no more. The session has ended.
 *  @return whether the connection was ended here */
bool kernel_wait_stop(void);

#endif
