/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_REPLY_H
#define FUSEFS_REPLY_H

/*
 * The only place where errors change sign: inside the daemon and the library a failure
 * is a negative errno; libfuse wants a positive one.
 */

#include "daemon.h"

/** Answer with success (0) or failure (a negative errno). Consumes req. */
void reply_status(fuse_req_t req, int status);

#endif
