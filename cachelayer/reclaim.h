/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_RECLAIM_H
#define CACHELAYER_RECLAIM_H

/*
 * Reclaim: which page goes when room is needed.
 *
 * S3-FIFO (Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023):
 * a small queue of a tenth of the pages where new ones prove themselves, a main queue
 * for those that were used again, and ghosts of the ones that left the small queue, so
 * that a page which comes back soon goes straight to the main queue. A hit only raises
 * a two-bit count: no lock, no list. A scan passes through the small queue alone.
 *
 * Reclaim never blocks: it takes the page lock with a trylock and leaves alone what is
 * locked, pinned, dirty or under writeback.
 */

#include "ghost.h"
#include "lock_rank.h"
#include "page.h"

struct cl_cache;

struct page_fifo {
	uint32_t head; /* newest; page numbers */
	uint32_t tail; /* oldest */
	uint32_t count;
};

struct reclaim {
	struct cl_mutex lock;
	/* Guarded by lock. */
	struct page_fifo small;
	struct page_fifo main;
	struct ghost *ghost;
	/* Set once. */
	uint32_t small_target; /* pages */
};

int reclaim_init(struct cl_cache *cache);
void reclaim_fini(struct cl_cache *cache);

/** A page has come into the cache; pinned and locked by the caller. */
void reclaim_add(struct cl_cache *cache, struct cl_page *page);
/** A page has left the cache: it is marked REMOVED, pinned and locked by the caller. */
void reclaim_forget(struct cl_cache *cache, struct cl_page *page);
/** `page` takes the place of `old` in the queues (a changed copy). */
void reclaim_replace(struct cl_cache *cache, struct cl_page *old, struct cl_page *page);

/**
 * Free some pages. The caller may hold page locks.
 * @return how many, 0 if every candidate that was looked at is in use
 */
unsigned reclaim_some(struct cl_cache *cache);

#endif
