/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_ACCOUNT_H
#define FUSEFS_ACCOUNT_H

/*
 * On whose account work is done: of all that can be held up, nobody has more than a
 * share (worker_pool.h).
 */

#include "inode_table.h"

/** What the daemon does of its own accord, for everybody. No user has this uid. */
#define ACCOUNT_OURS UINT32_MAX

/**
 * @param req    or NULL
 * @param inode  what it is about
 * @return the caller's uid; of what nobody has called for, a page written back, say,
 * the file's owner
 */
static inline uint32_t account_of(fuse_req_t req, const struct inode *inode)
{
	const struct fuse_ctx *ctx = req ? fuse_req_ctx(req) : NULL;

	return ctx && ctx->pid != 0 ? ctx->uid : atomic_load(&inode->owner);
}

#endif
