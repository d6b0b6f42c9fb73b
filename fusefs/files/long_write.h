/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_LONG_WRITE_H
#define FUSEFS_LONG_WRITE_H

/*
 * Long writes: past the page cache, and from a pipe if they came in one.
 *
 * write(2) of a few hundred kilobytes costs what it takes to copy them. So their pages
 * are not looked up one by one but kept out by the gate, and the bytes are not copied
 * to us but spliced from the kernel's pages to the store's file.
 */

#include "inode_table.h"

/**
 * Write, if the write is long enough, written through, and nobody is in the way: a
 * range operation, a reader of these pages. Asks for the next request to be taken into
 * a pipe.
 * @param buf     the bytes; of those in a pipe all are taken, or as many as the store
 *                took, if anything was written
 * @param ret_n   bytes written or a negative errno
 * @return false: nothing was done; to be written like any other
 * Gate: EXCLUSIVE over the range, meanwhile. Required: no lock held.
 */
bool long_write_try(fuse_req_t req, struct inode *inode, const struct fuse_buf *buf,
		    uint64_t offset, ssize_t *ret_n);

#endif
