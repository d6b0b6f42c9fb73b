/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_INIT_ANSWER_H
#define FUSEFS_INIT_ANSWER_H

/*
 * The answer to INIT, with flags in it that libfuse does not know of or forgets.
 *
 * Libfuse hands FUSE_HANDLE_KILLPRIV_V2 and FUSE_PARALLEL_DIROPS on to the kernel from
 * 3.17 on. From 3.13 on it leaves room for callers that bring their own read and write,
 * and ours add them to the answer as it passes. Before that there is no way, and it is
 * slower: a GETXATTR before each write(2), and one lookup or listing of a directory at a
 * time.
 */

#include <stdint.h>

#include "libfuse_compat.h"

/* Where the kernel's header is older than 5.11. */
#define INIT_HANDLE_KILLPRIV_V2 (UINT32_C(1) << 28)
#define INIT_PARALLEL_DIROPS	(UINT32_C(1) << 18)

/* What the answer has to be given beside what libfuse puts into it. */
#define INIT_ANSWER_LACKS                                                              \
	((LIBFUSE_CAP_HANDLE_KILLPRIV_V2 ? 0 : INIT_HANDLE_KILLPRIV_V2) |              \
	 (LIBFUSE_CAP_PARALLEL_DIROPS ? 0 : INIT_PARALLEL_DIROPS))

/**
 * Have flags added to the answer, those of them that the kernel offers. Once in a
 * process; nothing where libfuse is older than 3.13.
 * @param session  mounted, and no request received yet
 * @param flags    as the kernel has them, INIT_…; 0 is fine
 * @return 0; -EIO: libfuse refuses
 */
int init_answer_add(struct fuse_session *session, uint32_t flags);

/** @return those of the flags that the kernel offers and will be told: once INIT has
 * come, 0 before */
uint32_t init_answer_added(void);

#endif
