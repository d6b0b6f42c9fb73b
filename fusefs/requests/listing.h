/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_LISTING_H
#define FUSEFS_LISTING_H

/*
 * With --watch the kernel keeps what it has read of a directory, for the next
 * opendir(3). Without, it reads anew: the answers (READDIRPLUS) bring the attributes
 * along, which otherwise would be asked for one by one, as they are kept for a second
 * only.
 */

#include "inode_table.h"

/**
 * What the kernel may do with the listing it has, and with what is read now: sets
 * fi->cache_readdir and fi->keep_cache. Counts the opening in; listing_closed() counts
 * it out, when the kernel has released it.
 * Locks taken: sample_lock.
 */
void listing_opened(struct inode *dir, struct fuse_file_info *fi);
void listing_closed(struct inode *dir);

#endif
