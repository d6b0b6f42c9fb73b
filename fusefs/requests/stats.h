/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STATS_H
#define FUSEFS_STATS_H

/*
 * Counters and gauges as JSON, for user.foldfs.stats.
 */

#include "inode_table.h"

/** @return a string to free(), or NULL if out of memory */
char *stats_of_mount(struct daemon *daemon);
char *stats_of_inode(struct inode *inode);

#endif
