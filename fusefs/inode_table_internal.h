/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_INODE_TABLE_INTERNAL_H
#define FUSEFS_INODE_TABLE_INTERNAL_H

/*
 * The table itself, for inode_table.c and inode_idle.c only.
 */

#include "forgotten.h"
#include "inode_table.h"
#include "nodeid_table.h"

struct inode_table {
	/* Set once. */
	struct nodeid_table *nodeids;
	struct forgotten *forgotten; /* NULL without the right to open file handles */
	uint64_t generation;	     /* of every inode but the root */

	pthread_mutex_t lock;
	/* Guarded by lock. */
	struct cds_hlist_head *buckets;
	size_t bucket_count; /* a power of two */
	size_t inode_count;
};

static inline void inode_mark_used(struct inode *inode)
{
	atomic_store_explicit(&inode->last_used, inode_clock_ns(),
			      memory_order_relaxed);
}

#endif
