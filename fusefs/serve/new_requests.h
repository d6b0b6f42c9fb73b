/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_NEW_REQUESTS_H
#define FUSEFS_NEW_REQUESTS_H

/*
 * Requests that the kernel has and older libfuse has not: TMPFILE (Linux 6.1; libfuse
 * 3.17) and STATX (6.6; 3.18), which alone tells when a file was made. An older libfuse
 * would say ENOSYS for us.
 *
 * Each begins as another one that every libfuse knows: TMPFILE has the very form of
 * CREATE, and STATX that of GETATTR with more behind it. So they are given that name before
 * libfuse sees them, whatever its version, and the operation asks here what it was.
 */

#include <stddef.h>
#include <stdint.h>

#include "libfuse_compat.h"

/* As <linux/fuse.h> has them, where it is new enough. */
#define NEW_REQUEST_TMPFILE 51u
#define NEW_REQUEST_STATX   52u

/**
 * Name a request anew, and remember what it was until this thread's next one.
 * @param request  whole, in memory or not: one in a pipe is a WRITE
 */
void new_requests_translate(struct fuse_buf *request);

/** What the request was that this thread serves: NEW_REQUEST_…, or 0 for all others. Only
 *  within the operation that libfuse calls. */
uint32_t new_requests_was(void);

#endif
