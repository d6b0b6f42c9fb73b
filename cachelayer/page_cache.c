/* SPDX-License-Identifier: MIT */
/* Pages coming into, moving through and going out of the page cache. */

#include "page_cache.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "cond.h"
#include "mapping_internal.h"
#include "page_lock.h"
#include "test_point.h"
#include "verify.h"

/* Requests can hold half of the arena, dirty pages a quarter, prefetches an eighth:
 * some page can always be reclaimed, unless others take it first. This many misses in a
 * row are a bug. */
#define ALLOC_ROUNDS 100000

unsigned char *page_bytes(const struct cl_mapping *mapping, const struct cl_page *page)
{
	return arena_page_bytes(&mapping->cache->arena, page);
}

struct cl_page *page_cache_alloc(struct cl_mapping *mapping, uint64_t index)
{
	struct cl_cache *cache = mapping->cache;

	struct cl_page *page = arena_alloc(&cache->arena, mapping, index);

	if (page)
		return page;

	const uint64_t since_ns = cl_now_ns();

	for (int round = 0; round < ALLOC_ROUNDS && !page; round++) {
		if (reclaim_some(cache) == 0)
			sched_yield();
		page = arena_alloc(&cache->arena, mapping, index);
	}
	wait_class_add(cache_waits(cache, RECLAIM_PAGE), since_ns);
	return page;
}

bool page_cache_is(const struct cl_page *page, const struct cl_mapping *mapping,
		   uint64_t index)
{
	page_assert_locked(page);
	return page_mapping(page) == mapping &&
	       (page_index(page) == index || CL_BROKEN(index));
}

/** @return 0, -EEXIST or -ENOMEM */
static int add_page(struct cl_mapping *mapping, uint64_t index, struct cl_page *page)
{
	page_pin(page); /* the table's */
	cl_mutex_lock(&mapping->table.lock);
	const int ret = page_table_insert(&mapping->table, index, page);

	if (ret == 0) {
		atomic_fetch_add_explicit(&mapping->npages, 1, memory_order_relaxed);
		/* Before anybody can remove it again: they need the page lock. */
		reclaim_add(mapping->cache, page);
	}
	cl_mutex_unlock(&mapping->table.lock);
	if (ret < 0)
		arena_unpin(&mapping->cache->arena, page);
	return ret;
}

int page_cache_get(struct cl_mapping *mapping, uint64_t index,
		   struct cl_page **ret_page)
{
	struct arena *arena = &mapping->cache->arena;

	for (;;) {
		struct cl_page *page = page_table_lookup(&mapping->table, index);

		if (page) {
			*ret_page = page;
			return PAGE_FOUND_OLD;
		}
		page = page_cache_alloc(mapping, index);
		if (!page)
			return -ENOMEM;

		const int ret = add_page(mapping, index, page);

		if (ret == 0) {
			*ret_page = page;
			return PAGE_FOUND_NEW;
		}
		page_unlock(page);
		arena_unpin(arena, page);
		if (ret != -EEXIST)
			return ret;
	}
}

/** Lock a page that was pinned when it was found. @return whether it is still that one
 */
static bool lock_found(struct cl_mapping *mapping, struct cl_page *page, uint64_t index)
{
	CL_POINT(page_found);
	page_lock(page, cache_waits(mapping->cache, RANGE_PAGE));
	if (page_cache_is(page, mapping, index))
		return true;
	/* Reclaim was faster. */
	page_unlock(page);
	arena_unpin(&mapping->cache->arena, page);
	return false;
}

struct cl_page *page_cache_lock_next(struct cl_mapping *mapping, uint64_t *index,
				     uint64_t end)
{
	struct cl_page *page;

	do {
		cl_mutex_lock(&mapping->table.lock);
		page = page_table_next(&mapping->table, index);
		if (page && *index < end)
			page_pin(page); /* in the table, so it has a pin already */
		else
			page = NULL;
		cl_mutex_unlock(&mapping->table.lock);
	} while (page && !lock_found(mapping, page, *index));
	return page;
}

struct cl_page *page_cache_lock_prev(struct cl_mapping *mapping, uint64_t start,
				     uint64_t *index)
{
	struct cl_page *page;

	do {
		cl_mutex_lock(&mapping->table.lock);
		page = page_table_prev(&mapping->table, index);
		if (page && *index >= start)
			page_pin(page);
		else
			page = NULL;
		cl_mutex_unlock(&mapping->table.lock);
	} while (page && !lock_found(mapping, page, *index));
	return page;
}

static void set_tag(struct cl_page *page, enum page_tag tag)
{
	page_table_tag(&page_mapping(page)->table, page_index(page), tag);
}

static bool clear_tag(struct cl_page *page, enum page_tag tag)
{
	return page_table_untag(&page_mapping(page)->table, page_index(page), tag);
}

void page_cache_remove(struct cl_page *page)
{
	struct cl_mapping *mapping = page_mapping(page);
	struct cl_cache *cache = mapping->cache;

	page_assert_locked(page);
	assert(!page_test(page, PAGE_WRITEBACK));

	cl_mutex_lock(&mapping->table.lock);
	const bool dirty = clear_tag(page, PAGE_TAG_DIRTY);

	page_table_erase(&mapping->table, page_index(page));
	atomic_fetch_sub_explicit(&mapping->npages, 1, memory_order_relaxed);
	if (dirty) {
		atomic_fetch_sub_explicit(&mapping->ndirty, 1, memory_order_release);
		atomic_fetch_sub_explicit(&cache->dirty, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&cache->unwritten, 1, memory_order_relaxed);
	}
	cl_mutex_unlock(&mapping->table.lock);

	page_set(page, PAGE_REMOVED);
	page_clear(page, PAGE_DIRTY | PAGE_UPTODATE);
	reclaim_forget(cache, page);
	atomic_store_explicit(&page->mapping, NULL, memory_order_relaxed);
	arena_unpin(&cache->arena, page); /* the table's pin */
}

bool page_cache_move(struct cl_page *page, uint64_t to)
{
	struct cl_mapping *mapping = page_mapping(page);

	page_assert_locked(page);
	assert(!page_test(page, PAGE_DIRTY | PAGE_WRITEBACK));
	/* Into its new place first: a lookup that finds it there before its index has
	 * changed waits for the page lock. */
	cl_mutex_lock(&mapping->table.lock);
	const int ret = page_table_insert(&mapping->table, to, page);

	if (ret == 0) {
		page_table_erase(&mapping->table, page_index(page));
		atomic_store_explicit(&page->index, to, memory_order_relaxed);
	}
	cl_mutex_unlock(&mapping->table.lock);
	assert(ret != -EEXIST);
	if (ret < 0)
		page_cache_remove(page);
	return ret == 0;
}

/** Put a copy in a page's place: table, tags, reclaim queue. Both LOCKED. */
static void replace_page(struct cl_mapping *mapping, struct cl_page *old,
			 struct cl_page *copy)
{
	struct cl_cache *cache = mapping->cache;

	page_pin(copy); /* the table's */
	cl_mutex_lock(&mapping->table.lock);
	page_table_replace(&mapping->table, page_index(old), copy);
	cl_mutex_unlock(&mapping->table.lock);
	reclaim_replace(cache, old, copy);

	page_set(old, PAGE_REMOVED);
	atomic_store_explicit(&old->mapping, NULL, memory_order_relaxed);
	arena_unpin(&cache->arena, old); /* the table's pin */
}

int page_cache_make_writable(struct cl_page **page)
{
	struct cl_page *old = *page;
	struct cl_mapping *mapping = page_mapping(old);
	struct cl_cache *cache = mapping->cache;

	page_assert_locked(old);
	assert(!page_test(old, PAGE_WRITEBACK));
	/* The table's pin and ours. Whoever pins it from now on must take the lock
	 * before it trusts the page. */
	if (page_pins(old) == 2)
		return 0;

	struct cl_page *copy = page_cache_alloc(mapping, page_index(old));

	if (!copy)
		return -ENOMEM;
	memcpy(page_bytes(mapping, copy), page_bytes(mapping, old), CL_PAGE_SIZE);
	copy->hash = old->hash;
	page_set(copy, atomic_load_explicit(&old->state, memory_order_relaxed) &
			       (PAGE_UPTODATE | PAGE_DIRTY | PAGE_ASIDE));
	replace_page(mapping, old, copy);
	page_unlock(old);
	arena_unpin(&cache->arena, old);
	count_add(&cache->count.copied_on_write, 1);
	*page = copy;
	return 0;
}

bool page_cache_mark_dirty(struct cl_page *page)
{
	struct cl_mapping *mapping = page_mapping(page);

	page_assert_locked(page);
	assert(page_test(page, PAGE_UPTODATE) && !page_test(page, PAGE_WRITEBACK));
	if (page_test(page, PAGE_DIRTY))
		return false;
	page_set(page, PAGE_DIRTY);
	cl_mutex_lock(&mapping->table.lock);
	set_tag(page, PAGE_TAG_DIRTY);
	const bool first = atomic_fetch_add_explicit(&mapping->ndirty, 1,
						     memory_order_relaxed) == 0;

	cl_mutex_unlock(&mapping->table.lock);
	atomic_fetch_add_explicit(&mapping->cache->dirty, 1, memory_order_relaxed);
	if (first)
		flusher_add(mapping);
	return true;
}

void page_cache_start_writeback(struct cl_page *page)
{
	struct cl_mapping *mapping = page_mapping(page);

	page_assert_locked(page);
	assert(page_test(page, PAGE_DIRTY) && !page_test(page, PAGE_WRITEBACK));
	cl_mutex_lock(&mapping->table.lock);
	clear_tag(page, PAGE_TAG_DIRTY);
	set_tag(page, PAGE_TAG_WRITEBACK);
	cl_mutex_unlock(&mapping->table.lock);
	page_set(page, PAGE_WRITEBACK);
	page_clear(page, PAGE_DIRTY);
	atomic_fetch_sub_explicit(&mapping->cache->dirty, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&mapping->cache->writeback, 1, memory_order_relaxed);
}

/* A page under writeback cannot be removed or changed, so its mapping, index and bytes
 * stand still without the page lock. */
void page_cache_end_writeback(struct cl_page *page, bool written)
{
	struct cl_mapping *mapping = page_mapping(page);
	struct cl_cache *cache = mapping->cache;

	if (written)
		verify_update(mapping, page);
	cl_mutex_lock(&mapping->table.lock);
	clear_tag(page, PAGE_TAG_WRITEBACK);
	/* Release: who sees none left may close the store's file. */
	if (written)
		atomic_fetch_sub_explicit(&mapping->ndirty, 1, memory_order_release);
	else
		set_tag(page, PAGE_TAG_DIRTY);
	cl_mutex_unlock(&mapping->table.lock);
	atomic_fetch_sub_explicit(&cache->writeback, 1, memory_order_relaxed);
	if (written)
		atomic_fetch_sub_explicit(&cache->unwritten, 1, memory_order_relaxed);
	else
		atomic_fetch_add_explicit(&cache->dirty, 1, memory_order_relaxed);
	page_end_writeback(page, written ? 0 : PAGE_DIRTY);
}
