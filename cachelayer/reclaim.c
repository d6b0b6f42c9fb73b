/* SPDX-License-Identifier: MIT */
/*
 * Reclaim: S3-FIFO over the arena's page descriptors.
 *
 * A candidate is first isolated from its queue under the reclaim lock, then looked at
 * without it: page locks come before the reclaim lock in the lock tree. What cannot be
 * taken goes back to the head of the main queue.
 */

#include "reclaim.h"

#include <assert.h>
#include <xxhash.h>

#include "cache_internal.h"
#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "test_point.h"
#include "verify.h"

/* Enough to make the lock worth taking, few enough that nobody waits long. */
#define RECLAIM_BATCH 32

int reclaim_init(struct cl_cache *cache)
{
	struct reclaim *r = &cache->reclaim;
	const uint32_t npages = cache->arena.npages;

	r->small = r->main = (struct page_fifo){PAGE_NUMBER_NONE, PAGE_NUMBER_NONE, 0};
	r->small_target = npages / 10;
	cl_mutex_init(&r->lock, CL_RANK_RECLAIM, "reclaim");
	return ghost_create(npages - r->small_target, &r->ghost);
}

void reclaim_fini(struct cl_cache *cache)
{
	ghost_free(cache->reclaim.ghost);
	cl_mutex_destroy(&cache->reclaim.lock);
}

/* ------------------------------------------------------------------- the queues */

static struct page_fifo *fifo_of(struct reclaim *r, const struct cl_page *page)
{
	return page->queue == PAGE_QUEUE_SMALL ? &r->small : &r->main;
}

static void fifo_push(struct cl_cache *cache, struct cl_page *page,
		      enum page_queue queue)
{
	const uint32_t number = arena_page_number(&cache->arena, page);

	page->queue = (uint8_t)queue;
	struct page_fifo *fifo = fifo_of(&cache->reclaim, page);

	page->queue_prev = PAGE_NUMBER_NONE;
	page->queue_next = fifo->head;
	if (fifo->head != PAGE_NUMBER_NONE)
		cache->arena.pages[fifo->head].queue_prev = number;
	else
		fifo->tail = number;
	fifo->head = number;
	fifo->count++;
}

static void fifo_unlink(struct cl_cache *cache, struct cl_page *page)
{
	struct page_fifo *fifo = fifo_of(&cache->reclaim, page);
	struct cl_page *pages = cache->arena.pages;

	if (page->queue_prev != PAGE_NUMBER_NONE)
		pages[page->queue_prev].queue_next = page->queue_next;
	else
		fifo->head = page->queue_next;
	if (page->queue_next != PAGE_NUMBER_NONE)
		pages[page->queue_next].queue_prev = page->queue_prev;
	else
		fifo->tail = page->queue_prev;
	fifo->count--;
	page->queue = PAGE_QUEUE_NONE;
}

static bool is_queued(const struct cl_page *page)
{
	return page->queue == PAGE_QUEUE_SMALL || page->queue == PAGE_QUEUE_MAIN;
}

static uint64_t ghost_key(const struct cl_page *page)
{
	const uint64_t key[2] = {
		(uintptr_t)atomic_load_explicit(&page->mapping, memory_order_relaxed),
		atomic_load_explicit(&page->index, memory_order_relaxed)};

	return XXH3_64bits(key, sizeof(key));
}

void reclaim_add(struct cl_cache *cache, struct cl_page *page)
{
	struct reclaim *r = &cache->reclaim;

	cl_mutex_lock(&r->lock);
	const bool returned = ghost_take(r->ghost, ghost_key(page));

	fifo_push(cache, page, returned ? PAGE_QUEUE_MAIN : PAGE_QUEUE_SMALL);
	cl_mutex_unlock(&r->lock);
	count_add(&cache->count.ghost_hits, returned);
}

void reclaim_forget(struct cl_cache *cache, struct cl_page *page)
{
	struct reclaim *r = &cache->reclaim;

	assert(page_test(page, PAGE_REMOVED));
	cl_mutex_lock(&r->lock);
	if (is_queued(page))
		fifo_unlink(cache, page);
	page->queue = PAGE_QUEUE_NONE; /* an isolated page is not put back */
	cl_mutex_unlock(&r->lock);
}

void reclaim_replace(struct cl_cache *cache, struct cl_page *old, struct cl_page *page)
{
	struct reclaim *r = &cache->reclaim;

	cl_mutex_lock(&r->lock);
	const bool was_small = old->queue == PAGE_QUEUE_SMALL;

	if (is_queued(old))
		fifo_unlink(cache, old);
	old->queue = PAGE_QUEUE_NONE;
	fifo_push(cache, page, was_small ? PAGE_QUEUE_SMALL : PAGE_QUEUE_MAIN);
	cl_mutex_unlock(&r->lock);
}

/* ------------------------------------------------------------------ candidates */

/** The oldest page of a queue that is not empty. */
static struct cl_page *tail_of(struct cl_cache *cache, const struct page_fifo *fifo)
{
	assert(fifo->count > 0);
	return &cache->arena.pages[fifo->tail];
}

/** A page of the small queue leaves it: for the main queue if it was used again. */
static struct cl_page *small_candidate(struct cl_cache *cache)
{
	struct cl_page *page = tail_of(cache, &cache->reclaim.small);

	fifo_unlink(cache, page);
	if (atomic_load_explicit(&page->uses, memory_order_relaxed) > 1) {
		atomic_store_explicit(&page->uses, 0, memory_order_relaxed);
		fifo_push(cache, page, PAGE_QUEUE_MAIN);
		return NULL;
	}
	ghost_insert(cache->reclaim.ghost, ghost_key(page));
	return page;
}

/** A page of the main queue goes round again for each use it has had. */
static struct cl_page *main_candidate(struct cl_cache *cache)
{
	struct cl_page *page = tail_of(cache, &cache->reclaim.main);
	const uint8_t uses = atomic_load_explicit(&page->uses, memory_order_relaxed);

	fifo_unlink(cache, page);
	if (uses > 0) {
		atomic_store_explicit(&page->uses, (uint8_t)(uses - 1),
				      memory_order_relaxed);
		fifo_push(cache, page, PAGE_QUEUE_MAIN);
		return NULL;
	}
	return page;
}

/**
 * Isolate up to RECLAIM_BATCH candidates, each pinned. Looks at a bounded number of
 * pages: after three rounds every count has come down to zero.
 */
static unsigned isolate_batch(struct cl_cache *cache, struct cl_page **batch)
{
	struct reclaim *r = &cache->reclaim;
	unsigned n = 0;

	cl_mutex_lock(&r->lock);
	uint64_t looks = 4 * ((uint64_t)r->small.count + r->main.count);

	while (n < RECLAIM_BATCH && looks-- > 0) {
		struct cl_page *page;

		if (r->small.count > r->small_target ||
		    (r->small.count > 0 && r->main.count == 0))
			page = small_candidate(cache);
		else if (r->main.count > 0)
			page = main_candidate(cache);
		else
			break;
		if (!page)
			continue;
		page->queue = PAGE_QUEUE_ISOLATED;
		page_pin(page); /* a queued page has the table's pin, at the least */
		batch[n++] = page;
	}
	cl_mutex_unlock(&r->lock);
	return n;
}

static void put_back(struct cl_cache *cache, struct cl_page *page)
{
	struct reclaim *r = &cache->reclaim;

	cl_mutex_lock(&r->lock);
	if (page->queue == PAGE_QUEUE_ISOLATED)
		fifo_push(cache, page, PAGE_QUEUE_MAIN);
	cl_mutex_unlock(&r->lock);
}

/** Take a page if it is clean and nobody else holds it (I5). Pinned once, by us. */
static bool try_take(struct cl_cache *cache, struct cl_page *page)
{
	const uint32_t busy = PAGE_REMOVED | PAGE_DIRTY | PAGE_WRITEBACK;
	bool taken = false;

	if (!page_trylock(page))
		return false;
	CL_POINT(reclaim_locked);
	if (!page_test(page, busy) && page_test(page, PAGE_UPTODATE) &&
	    page_pins(page) == 2) {
		verify_before_reclaim(cache, page);
		page_cache_remove(page);
		taken = true;
	}
	page_unlock(page);
	return taken;
}

unsigned reclaim_some(struct cl_cache *cache)
{
	struct cl_page *batch[RECLAIM_BATCH];
	const unsigned n = isolate_batch(cache, batch);
	unsigned freed = 0;

	CL_POINT(reclaim_isolated);
	for (unsigned i = 0; i < n; i++) {
		if (try_take(cache, batch[i]))
			freed++;
		else
			put_back(cache, batch[i]);
		arena_unpin(&cache->arena, batch[i]);
	}
	count_add(&cache->count.reclaimed, freed);
	count_add(&cache->count.reclaim_skipped, n - freed);
	return freed;
}
