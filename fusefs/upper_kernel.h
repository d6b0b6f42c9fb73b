/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_UPPER_KERNEL_H
#define FUSEFS_UPPER_KERNEL_H

/*
 * The kernel's page cache of a FUSE inode as the library's upper cache. `upper` is the
 * struct inode. On threads of daemon->notifications only.
 */

#include "cachelayer/range_op.h"

extern const struct cl_upper_ops upper_kernel_ops;

#endif
