/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_KILLPRIV_H
#define FUSEFS_KILLPRIV_H

/*
 * FUSE_HANDLE_KILLPRIV_V2: the kernel need not ask before each write(2) whether the
 * file has set-id bits or capabilities to lose, since we and the store see to that.
 */

#include <stdbool.h>

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 14)
#include <fuse_lowlevel.h>

/**
 * Have the kernel told so when the session begins, if it knows of it.
 * @param session  mounted, and no request received yet
 * @return 0 or a negative errno
 */
int killpriv_promise(struct fuse_session *session);

/** Whether the kernel knows of it: once INIT has come, after killpriv_promise(). */
bool killpriv_is_offered(void);

#endif
