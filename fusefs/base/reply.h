/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_REPLY_H
#define FUSEFS_REPLY_H

/*
 * The only place where errors change sign: inside the daemon and the library a failure
 * is a negative errno; libfuse wants a positive one.
 */

#include "daemon.h"

/**
 * Answer with success (0) or failure (a negative errno). Consumes req. A store's ENOSYS
 * becomes EOPNOTSUPP: of us, it would have the kernel send no request of that kind any
 * more, of any file, and take an fsync(2) for done.
 */
void reply_status(fuse_req_t req, int status);

/** Answer that requests of this kind are not for us: the kernel sends none of them any
 *  more (ENOSYS). Consumes req. */
void reply_never_again(fuse_req_t req);

#endif
