/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_CACHE_INTERNAL_H
#define CACHELAYER_CACHE_INTERNAL_H

#include <stdatomic.h>

#include "arena.h"
#include "cachelayer/cache.h"
#include "flusher.h"
#include "op_monitor.h"
#include "reclaim.h"
#include "wait_class.h"

struct cl_cache {
	/* Set once. */
	struct cl_cache_config config;
	uint32_t max_request_pages; /* one request touches this many at most */
	uint32_t dirty_limit;	    /* pages; beyond it writes go through */
	uint32_t prefetch_limit;    /* pages; beyond it prefetches end early */

	struct arena arena;
	struct reclaim reclaim;
	struct flusher flusher;
	struct op_monitor monitor;
	struct wait_class waits[CL_WAITS];

	/* Atomic. */
	_Atomic uint32_t dirty;	    /* pages */
	_Atomic uint32_t writeback; /* pages */
	/* Pages dirty, under writeback, or about to be made dirty by a write that has
	 * been let in; at most dirty_limit. */
	_Atomic uint32_t unwritten;
	_Atomic uint32_t prefetching; /* pages held by prefetches */
	struct {
		_Atomic uint64_t hits, misses, fills, fill_bytes, readahead_pages;
		_Atomic uint64_t reclaimed, reclaim_skipped, ghost_hits;
		_Atomic uint64_t write_bytes, writeback_errors;
		_Atomic uint64_t hash_mismatches, copied_on_write;
	} count;
};

static inline void count_add(_Atomic uint64_t *counter, uint64_t n)
{
	if (n)
		atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/** A wait of this kind in this cache. */
#define cache_waits(cache, kind) (&(cache)->waits[CL_WAIT_##kind])

/** Tell the owner of a thing that has no phase and no age; see struct cl_event. */
void cache_event(struct cl_cache *cache, enum cl_event_kind kind,
		 const struct cl_mapping *mapping, uint64_t page, uint64_t npages,
		 int error);
void cache_event_send(struct cl_cache *cache, const struct cl_event *event);

#endif
