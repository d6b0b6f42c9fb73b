/* SPDX-License-Identifier: MIT */
/*
 * The page table: a radix tree under RCU.
 *
 * The tree grows at the root: a new root gets the old one as its first slot, so a
 * reader that still has the old root sees what it covers and nothing else. An empty
 * node is unhooked at once and freed after a grace period; nodes never move.
 */

#include "page_table.h"

#include <errno.h>
#include <stdlib.h>
#include <urcu/compiler.h>

#include "arena.h"
#include "rcu.h"

struct pt_node {
	unsigned shift;	 /* of the index, for this node's slots; 0 in a leaf */
	unsigned offset; /* in the parent */
	struct pt_node *parent;
	unsigned count;		  /* slots in use */
	uint64_t tags[PAGE_TAGS]; /* a bit for each slot */
	void *_Atomic slots[PT_NODE_SLOTS];
	struct rcu_head rcu;
};

#ifdef CL_TSAN
char cl_rcu_grace_period;
#endif

void page_table_init(struct page_table *table, struct arena *arena)
{
	table->arena = arena;
	cl_mutex_init(&table->lock, CL_RANK_PAGE_TABLE, "page table");
	atomic_init(&table->root, NULL);
}

static void free_node(struct rcu_head *head)
{
	cl_rcu_tsan_acquire();
	free(caa_container_of(head, struct pt_node, rcu));
}

void page_table_fini(struct page_table *table)
{
	cl_mutex_destroy(&table->lock);
}

static struct pt_node *root_of(struct page_table *table)
{
	return atomic_load_explicit(&table->root, memory_order_acquire);
}

static void *slot_load(struct pt_node *node, unsigned offset)
{
	return atomic_load_explicit(&node->slots[offset], memory_order_acquire);
}

static void slot_store(struct pt_node *node, unsigned offset, void *entry)
{
	atomic_store_explicit(&node->slots[offset], entry, memory_order_release);
}

static bool covers(const struct pt_node *node, uint64_t index)
{
	const unsigned bits = node->shift + PT_NODE_SHIFT;

	return bits >= 64 || index >> bits == 0;
}

static unsigned offset_in(const struct pt_node *node, uint64_t index)
{
	return (unsigned)(index >> node->shift) & (PT_NODE_SLOTS - 1);
}

/** The leaf that has, or would have, a slot for this index; NULL if there is none. */
static struct pt_node *find_leaf(struct page_table *table, uint64_t index)
{
	struct pt_node *node = root_of(table);

	if (!node || !covers(node, index))
		return NULL;
	while (node && node->shift > 0)
		node = slot_load(node, offset_in(node, index));
	return node;
}

struct cl_page *page_table_lookup(struct page_table *table, uint64_t index)
{
	struct cl_page *page = NULL;

	cl_rcu_read_lock();
	struct pt_node *leaf = find_leaf(table, index);

	while (leaf) {
		const unsigned offset = offset_in(leaf, index);

		page = slot_load(leaf, offset);
		if (!page)
			break;
		/*
		 * The page may be freed, and used for another index, between the load
		 * and the pin. If the slot still has it after the pin it is the right
		 * one, and cannot be recycled any more (Linux: filemap_get_entry()).
		 */
		if (!page_try_pin(page))
			continue;
		if (slot_load(leaf, offset) == page)
			break;
		arena_unpin(table->arena, page);
	}
	cl_rcu_read_unlock();
	return page;
}

/* ------------------------------------------------------------------ changing it */

static struct pt_node *new_node(unsigned shift)
{
	struct pt_node *node = calloc(1, sizeof(*node));

	if (node)
		node->shift = shift;
	return node;
}

static unsigned shift_for(uint64_t index)
{
	unsigned shift = 0;

	while (shift + PT_NODE_SHIFT < 64 && index >> (shift + PT_NODE_SHIFT))
		shift += PT_NODE_SHIFT;
	return shift;
}

/** Put a new root over the old one; its tags are those of the old one together. */
static int grow_root(struct page_table *table)
{
	struct pt_node *old = root_of(table);
	struct pt_node *node = new_node(old->shift + PT_NODE_SHIFT);

	if (!node)
		return -ENOMEM;
	slot_store(node, 0, old);
	node->count = 1;
	for (int tag = 0; tag < PAGE_TAGS; tag++)
		node->tags[tag] = old->tags[tag] ? 1 : 0;
	old->parent = node;
	old->offset = 0;
	atomic_store_explicit(&table->root, node, memory_order_release);
	return 0;
}

/** Unhook a node that has become empty, and its ancestors as far as they have, too. */
static void prune(struct page_table *table, struct pt_node *node)
{
	while (node && node->count == 0) {
		struct pt_node *parent = node->parent;

		if (parent) {
			slot_store(parent, node->offset, NULL);
			parent->count--;
		} else {
			atomic_store_explicit(&table->root, NULL, memory_order_release);
		}
		cl_rcu_tsan_release();
		urcu_bp_call_rcu(&node->rcu, free_node);
		node = parent;
	}
}

static struct pt_node *make_leaf(struct page_table *table, uint64_t index)
{
	struct pt_node *node = root_of(table);

	if (!node) {
		node = new_node(shift_for(index));
		if (!node)
			return NULL;
		atomic_store_explicit(&table->root, node, memory_order_release);
	}
	while (!covers(node, index)) {
		if (grow_root(table) < 0) {
			prune(table, node);
			return NULL;
		}
		node = root_of(table);
	}
	while (node->shift > 0) {
		const unsigned offset = offset_in(node, index);
		struct pt_node *child = slot_load(node, offset);

		if (!child) {
			child = new_node(node->shift - PT_NODE_SHIFT);
			if (!child) {
				prune(table, node);
				return NULL;
			}
			child->parent = node;
			child->offset = offset;
			slot_store(node, offset, child);
			node->count++;
		}
		node = child;
	}
	return node;
}

int page_table_insert(struct page_table *table, uint64_t index, struct cl_page *page)
{
	cl_mutex_assert_held(&table->lock);
	struct pt_node *leaf = make_leaf(table, index);

	if (!leaf)
		return -ENOMEM;

	const unsigned offset = offset_in(leaf, index);

	if (slot_load(leaf, offset))
		return -EEXIST;
	slot_store(leaf, offset, page);
	leaf->count++;
	return 0;
}

void page_table_replace(struct page_table *table, uint64_t index, struct cl_page *page)
{
	cl_mutex_assert_held(&table->lock);
	struct pt_node *leaf = find_leaf(table, index);

	slot_store(leaf, offset_in(leaf, index), page);
}

void page_table_erase(struct page_table *table, uint64_t index)
{
	cl_mutex_assert_held(&table->lock);
	struct pt_node *leaf = find_leaf(table, index);
	const unsigned offset = offset_in(leaf, index);

	for (int tag = 0; tag < PAGE_TAGS; tag++)
		if (leaf->tags[tag] & UINT64_C(1) << offset)
			page_table_untag(table, index, (enum page_tag)tag);
	slot_store(leaf, offset, NULL);
	leaf->count--;
	prune(table, leaf);
}

/* ------------------------------------------------------------------------- tags */

void page_table_tag(struct page_table *table, uint64_t index, enum page_tag tag)
{
	cl_mutex_assert_held(&table->lock);
	struct pt_node *node = find_leaf(table, index);
	unsigned offset = offset_in(node, index);

	while (node) {
		node->tags[tag] |= UINT64_C(1) << offset;
		offset = node->offset;
		node = node->parent;
	}
}

bool page_table_untag(struct page_table *table, uint64_t index, enum page_tag tag)
{
	cl_mutex_assert_held(&table->lock);
	struct pt_node *node = find_leaf(table, index);

	if (!node)
		return false;

	unsigned offset = offset_in(node, index);

	if (!(node->tags[tag] & UINT64_C(1) << offset))
		return false;
	while (node) {
		node->tags[tag] &= ~(UINT64_C(1) << offset);
		if (node->tags[tag])
			break;
		offset = node->offset;
		node = node->parent;
	}
	return true;
}

/* ------------------------------------------------------------------------ walks */

/** The first slot in use from `offset` on, tagged if there is a tag; or PT_NODE_SLOTS.
 */
static unsigned first_used(struct pt_node *node, unsigned offset, int tag)
{
	if (tag >= 0) {
		const uint64_t tagged = node->tags[tag] & ~UINT64_C(0) << offset;

		return tagged ? (unsigned)__builtin_ctzll(tagged) : PT_NODE_SLOTS;
	}
	while (offset < PT_NODE_SLOTS && !slot_load(node, offset))
		offset++;
	return offset;
}

/**
 * One step of a walk: go down to the first entry at or behind *index, or, where this
 * subtree has none, set *index to what follows it.
 * @return the page; NULL with *retry if the walk goes on at the new *index
 */
static struct cl_page *descend(struct page_table *table, uint64_t *index, int tag,
			       bool *retry)
{
	struct pt_node *node = root_of(table);

	*retry = false;
	if (!node || !covers(node, *index))
		return NULL;
	for (;;) {
		const unsigned offset = offset_in(node, *index);
		const unsigned first = first_used(node, offset, tag);

		if (first == PT_NODE_SLOTS) {
			const unsigned bits = node->shift + PT_NODE_SHIFT;
			const uint64_t span = bits < 64 ? UINT64_C(1) << bits : 0;

			if (!node->parent || !span)
				return NULL;
			*index = (*index & ~(span - 1)) + span;
			*retry = *index != 0;
			return NULL;
		}
		if (first != offset) {
			*index >>= node->shift;
			*index = (*index & ~(uint64_t)(PT_NODE_SLOTS - 1)) | first;
			*index <<= node->shift;
		}
		if (node->shift == 0)
			return slot_load(node, first);
		node = slot_load(node, first);
	}
}

static struct cl_page *walk(struct page_table *table, uint64_t *index, int tag)
{
	struct cl_page *page;
	bool retry;

	cl_mutex_assert_held(&table->lock);
	do
		page = descend(table, index, tag, &retry);
	while (retry);
	return page;
}

struct cl_page *page_table_next(struct page_table *table, uint64_t *index)
{
	return walk(table, index, -1);
}

/** As descend(), to the last entry at or before *index. */
static struct cl_page *descend_back(struct page_table *table, uint64_t *index,
				    bool *retry)
{
	struct pt_node *node = root_of(table);

	*retry = false;
	if (!node)
		return NULL;
	if (!covers(node, *index))
		*index = (UINT64_C(1) << (node->shift + PT_NODE_SHIFT)) - 1;
	for (;;) {
		unsigned last = offset_in(node, *index);
		const unsigned offset = last;

		while (last < PT_NODE_SLOTS && !slot_load(node, last))
			last--; /* past 0 it wraps */
		if (last >= PT_NODE_SLOTS) {
			const unsigned bits = node->shift + PT_NODE_SHIFT;

			if (bits >= 64 || *index >> bits == 0)
				return NULL;
			*index = (*index >> bits << bits) - 1;
			*retry = true;
			return NULL;
		}
		if (last != offset) {
			*index >>= node->shift;
			*index = (*index & ~(uint64_t)(PT_NODE_SLOTS - 1)) | last;
			*index = ((*index + 1) << node->shift) - 1;
		}
		if (node->shift == 0)
			return slot_load(node, last);
		node = slot_load(node, last);
	}
}

struct cl_page *page_table_prev(struct page_table *table, uint64_t *index)
{
	struct cl_page *page;
	bool retry;

	cl_mutex_assert_held(&table->lock);
	do
		page = descend_back(table, index, &retry);
	while (retry);
	return page;
}

struct cl_page *page_table_next_tagged(struct page_table *table, uint64_t *index,
				       enum page_tag tag)
{
	return walk(table, index, (int)tag);
}
