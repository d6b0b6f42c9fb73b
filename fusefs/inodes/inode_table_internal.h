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
	const struct inode_hooks *hooks;
	struct nodeid_table *nodeids;
	struct forgotten *forgotten; /* NULL without the right to open file handles */
	uint64_t generation;	     /* of every inode but the root */

	pthread_mutex_t lock;
	/* Guarded by lock. */
	struct cds_hlist_head *buckets;	     /* by dev and ino */
	struct cds_hlist_head *name_buckets; /* by parent and name */
	size_t bucket_count;		     /* of each; a power of two */
	size_t inode_count;
	uint64_t version; /* counts what comes to be found by another number */
};

/* The rest requires the table's lock. */

/** The next inode with this number after one, or the first after NULL. Numbers may be
 *  those of several files; identity.h. */
struct inode *inode_table_next(struct inode_table *table, const struct store_id *id,
			       const struct inode *after);
/** The inode has another number by now. */
void inode_table_renumber(struct inode_table *table, struct inode *inode,
			  const struct store_id *id);

/** Note where an inode was found last; or nowhere (0, NULL). */
void inode_set_name(struct inode_table *table, struct inode *inode, fuse_ino_t parent,
		    const char *name);
/** Some inode that was found there last, or NULL. */
struct inode *inode_named(struct inode_table *table, fuse_ino_t parent,
			  const char *name);
/** Of a table that has got other buckets. */
void inode_hash_name(struct inode_table *table, struct inode *inode);

static inline void inode_mark_used(struct inode *inode)
{
	atomic_store_explicit(&inode->last_used, inode_clock_ns(),
			      memory_order_relaxed);
}

#endif
