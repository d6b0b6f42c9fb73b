/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_BULK_FLUSH_H
#define FUSEFS_BULK_FLUSH_H

/*
 * Having the kernel write a range's dirty pages back in large WRITEs, before a
 * notification would have it write them one at a time.
 */

#include "cachelayer/types.h"
#include "inode_table.h"

/**
 * Start the writeback, and wait until that has been done, 100 ms at most. On a thread
 * of daemon->notifications, no lock held. Only to make what follows cheap: a failure
 * (the file may not be opened, nothing leads to it) changes nothing.
 * @param range  bytes; CL_RANGE_EOF is the end of the file
 * @param pid    of a process that has the file open, if it may have no name; or 0
 */
void bulk_flush(struct inode *inode, struct cl_range range, pid_t pid);

#endif
