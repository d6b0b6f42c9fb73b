/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_PAGE_TABLE_H
#define CACHELAYER_PAGE_TABLE_H

/*
 * The page table of one mapping: index → page, in order, with lock-free lookup.
 *
 * A radix tree with 64-way nodes, as Linux's XArray (lib/xarray.c) and its page cache.
 * Lookups walk it under RCU; changes are made under the table's mutex. liburcu's own
 * hash table has no order, and may not take an entry back before a grace period has
 * passed, which a cache with a hard bound cannot wait for; its order-keeping structures
 * were never released. So the tree is ours, and all the RCU in it is liburcu's.
 *
 * Two tags mark pages that are dirty or under writeback; a walk over tagged pages skips
 * subtrees without any (XArray marks).
 */

#include <stdatomic.h>

#include "lock_rank.h"
#include "page.h"

#define PT_NODE_SHIFT 6
#define PT_NODE_SLOTS (1u << PT_NODE_SHIFT)

enum page_tag {
	PAGE_TAG_DIRTY,
	PAGE_TAG_WRITEBACK,
	PAGE_TAGS,
};

struct arena;
struct pt_node;

struct page_table {
	struct arena *arena; /* set once */
	struct cl_mutex lock;
	struct pt_node *_Atomic root; /* written under lock, read under RCU */
};

void page_table_init(struct page_table *table, struct arena *arena);
/** Empty tables only. */
void page_table_fini(struct page_table *table);

/** The page at an index, pinned, or NULL. Lock-free. The page may have been removed by
 *  the time this returns: trust it only as DESIGN.md's I3 says. */
struct cl_page *page_table_lookup(struct page_table *table, uint64_t index);

/*
 * Everything below: the table's lock is held.
 */

/** @return 0; -EEXIST if there is a page; -ENOMEM */
int page_table_insert(struct page_table *table, uint64_t index, struct cl_page *page);
/** Put another page in a page's place; its tags stay. */
void page_table_replace(struct page_table *table, uint64_t index, struct cl_page *page);
/** Take a page out, tags as well. */
void page_table_erase(struct page_table *table, uint64_t index);

void page_table_tag(struct page_table *table, uint64_t index, enum page_tag tag);
/** @return whether the tag was set */
bool page_table_untag(struct page_table *table, uint64_t index, enum page_tag tag);

/** The first page at or behind *index, its index in *index; not pinned; NULL if none.
 */
struct cl_page *page_table_next(struct page_table *table, uint64_t *index);
/** The same, downwards: the last page at or before *index. */
struct cl_page *page_table_prev(struct page_table *table, uint64_t *index);
struct cl_page *page_table_next_tagged(struct page_table *table, uint64_t *index,
				       enum page_tag tag);

#endif
