/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_BYPASS_H
#define FUSEFS_BYPASS_H

/*
 * Bypass: large READs of files that are larger than our whole cache, passed on as
 * references to the store's own pages.
 *
 * To take such a file through the cache is to fill pages, copy them, and drop them
 * before anybody asks again. The store has them in memory as well, and two splices from
 * there cost one copy instead of two.
 */

#include "inode_table.h"

/**
 * Answer a READ without the page cache, if it is worth that and can be done.
 * @param offset, len  bytes
 * @return whether it has been answered; if not, nothing has happened
 * Gate: FILL over the range. Blocks for the store.
 */
bool bypass_read(fuse_req_t req, struct inode *inode, uint64_t offset, size_t len);

#endif
