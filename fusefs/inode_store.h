/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_INODE_STORE_H
#define FUSEFS_INODE_STORE_H

#include "cachelayer/store.h"

/** The library's way to the store's file of an inode: `store` is the struct inode. */
extern const struct cl_store_ops inode_store_ops;

struct inode;

/** A descriptor of the store's file for calls that any will do for; -1 if closed. */
int inode_store_fd(struct inode *inode);

#endif
