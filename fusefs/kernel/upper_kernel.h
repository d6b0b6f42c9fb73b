/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_UPPER_KERNEL_H
#define FUSEFS_UPPER_KERNEL_H

/*
 * The kernel's page cache of a FUSE inode as the library's upper cache. On threads of
 * daemon->notifications only.
 */

#include "cachelayer/range_op.h"
#include "inode_table.h"

/** What the functions below get as `upper`. */
struct upper_kernel {
	struct inode *inode;
	pid_t pid; /* who asked for the operation, and has the file open or its path */
};

/** Those of this mount: with the fence where the kernel needs it. */
const struct cl_upper_ops *upper_kernel_ops(const struct daemon *daemon);

#endif
