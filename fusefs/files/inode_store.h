/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_INODE_STORE_H
#define FUSEFS_INODE_STORE_H

#include "cachelayer/store.h"

/** The library's way to the store's file of an inode: `store` is the struct inode. */
extern const struct cl_store_ops inode_store_ops;

struct inode;

/**
 * Append to the store's file, atomically: never over what somebody else has appended.
 * With the rights that the thread has taken (credentials.h).
 * @param ret_at  where the bytes are now; set if any are
 * @return bytes, 0 or a negative errno
 * Required: STORE_WRITE.
 */
ssize_t inode_store_append(struct inode *inode, const void *buf, size_t len,
			   uint64_t *ret_at);

/** A descriptor of the store's file for calls that any will do for; -1 if closed. */
int inode_store_fd(struct inode *inode);

#endif
