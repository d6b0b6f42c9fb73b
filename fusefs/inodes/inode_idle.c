/* SPDX-License-Identifier: MIT */
/*
 * Idle inodes: which ones the kernel could best do without.
 */

#include <stdlib.h>
#include <time.h>

#include "inode_table_internal.h"

uint64_t inode_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct idle {
	uint64_t last_used;
	fuse_ino_t nodeid;
};

static int by_last_used(const void *a, const void *b)
{
	const struct idle *x = a, *y = b;

	return (x->last_used > y->last_used) - (x->last_used < y->last_used);
}

static bool is_idle(const struct inode *inode)
{
	return inode->name && atomic_load(&inode->open_dirs) == 0 &&
	       atomic_load(&inode->store_fd) < 0 &&
	       atomic_load(&inode->store_write_fd) < 0;
}

/* Required: lock. */
static size_t collect_idle(struct inode_table *table, bool directories,
			   struct idle *idle)
{
	struct inode *inode;
	size_t n = 0;

	for (size_t i = 0; i < table->bucket_count; i++) {
		cds_hlist_for_each_entry_2(inode, &table->buckets[i], node) {
			if (S_ISDIR(inode->type) != directories || !is_idle(inode))
				continue;
			idle[n].last_used = atomic_load_explicit(&inode->last_used,
								 memory_order_relaxed);
			idle[n++].nodeid = inode->nodeid;
		}
	}
	return n;
}

size_t inode_table_idle(struct inode_table *table, bool directories,
			fuse_ino_t *nodeids, size_t max)
{
	struct idle *idle;
	size_t n = 0;

	pthread_mutex_lock(&table->lock);
	idle = calloc(table->inode_count, sizeof(*idle));
	if (idle)
		n = collect_idle(table, directories, idle);
	pthread_mutex_unlock(&table->lock);
	if (!idle)
		return 0;

	qsort(idle, n, sizeof(*idle), by_last_used);
	if (n > max)
		n = max;
	for (size_t i = 0; i < n; i++)
		nodeids[i] = idle[i].nodeid;
	free(idle);
	return n;
}

size_t inode_table_idle_from(struct inode_table *table, size_t *bucket,
			     fuse_ino_t *nodeids, size_t max)
{
	struct inode *inode;
	size_t n = 0;

	pthread_mutex_lock(&table->lock);
	/* What a bucket has too much of has its turn when the table has grown. */
	for (size_t i = 0; i < table->bucket_count && i < 4 * max && n < max; i++) {
		const size_t at = *bucket & (table->bucket_count - 1);

		cds_hlist_for_each_entry_2(inode, &table->buckets[at], node)
			if (n < max && is_idle(inode))
				nodeids[n++] = inode->nodeid;
		++*bucket;
	}
	pthread_mutex_unlock(&table->lock);
	return n;
}

bool inode_table_take_name(struct inode_table *table, fuse_ino_t nodeid,
			   fuse_ino_t *ret_parent, char **ret_name)
{
	struct inode *inode;
	bool idle;

	pthread_mutex_lock(&table->lock);
	inode = nodeid_find(table->nodeids, nodeid);
	idle = inode && is_idle(inode);
	if (idle) {
		*ret_parent = inode->parent;
		*ret_name = inode->name;
		cds_hlist_del(&inode->name_node);
		inode->parent = 0;
		inode->name = NULL;
	}
	pthread_mutex_unlock(&table->lock);
	return idle;
}
