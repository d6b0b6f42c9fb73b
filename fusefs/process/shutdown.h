/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHUTDOWN_H
#define FUSEFS_SHUTDOWN_H

/*
 * Ending on SIGTERM, SIGINT or SIGHUP with everything written.
 *
 * Stores through mappings are in the kernel's cache; only while we serve can it write
 * them. So a signal does not stop the daemon but unmounts it, and the end of the mount
 * ends the daemon. If somebody uses the mount so that it cannot be unmounted, or if it
 * is mounted in another mount namespace, too, everything is written, and the connection
 * is cut: who still uses it gets errors. A second signal cuts at once. So does, after
 * some seconds, a store that takes nothing any more.
 */

#include "daemon.h"

/** Block those signals, and SIGALRM, which is the log's, in this thread and all it will
 * start. While there is one. */
void shutdown_block_signals(void);

/** Wait for signals from now on, in a thread. The mount stands.
 *  @return 0 or a negative errno */
int shutdown_watch(struct daemon *daemon);

/** End the connection at once, whoever waits for us or we for him: then everybody's calls
 *  on the mount fail, and session_run() returns. Any thread, no credentials taken. */
void shutdown_cut(struct daemon *daemon);

/** Cut the connection if it is still there, so that nobody in the
 *  kernel waits for us any more. session_run() has returned.
 *  @return 0; -EBUSY: we were told to end, and the mount point is still taken, by a
 *  mount that is dead now */
int shutdown_finish(struct daemon *daemon);

/** All has been taken down. Until then the process is ended if that is held up. */
void shutdown_done(void);

#endif
