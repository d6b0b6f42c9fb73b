/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_KERNEL_PROBE_H
#define FUSEFS_KERNEL_PROBE_H

/*
 * Looking what the kernel really has cached of a file, for --verify: it answers
 * NOTIFY_RETRIEVE with the pages it has and asks for none.
 */

#include "inode_table.h"

/**
 * The first page of a range that the kernel has. It may be one that it has just
 * allocated and is going to READ. Ranges of more than KERNEL_PROBE_PAGES_MAX pages are
 * sampled, at even distances.
 * @param range  bytes
 * @return 1 and its offset; 0 if there is none; -ETIMEDOUT if the kernel does not
 * answer within a second; other negative errnos On threads of daemon->notifications, no
 * lock held.
 */
int kernel_probe_find(struct inode *inode, struct cl_range range, uint64_t *ret_offset);

#define KERNEL_PROBE_PAGES_MAX 4096

#endif
