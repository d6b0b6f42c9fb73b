/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SESSION_H
#define FUSEFS_SESSION_H

/*
 * The connection to the kernel: how it is set up, and how it ends.
 */

#include "daemon.h"

/** Make daemon->session; options and max_request_bytes are set. What is wrong is
 * logged.
 *  @return 0 or a negative errno */
int session_create(struct daemon *daemon);
/** Unmount, if still mounted, and free. A session that was never made is fine. */
void session_free(struct daemon *daemon);

/** Mount. From then on requests may be waiting. On the thread that will call
 *  session_run(). What is wrong is logged.
 *  @return 0 or a negative errno */
int session_mount(struct daemon *daemon);

/** Serve requests until unmounted or session_stop().
 *  @return 0 or a negative errno */
int session_run(struct daemon *daemon);

/** Make session_run() return, from another thread; returns at once. */
void session_stop(struct daemon *daemon);

/** Of struct fuse_lowlevel_ops: agree with the kernel on what we do. */
void session_init(void *userdata, struct fuse_conn_info *conn);

#endif
