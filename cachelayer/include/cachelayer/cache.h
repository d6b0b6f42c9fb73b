/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_CACHE_H
#define CACHELAYER_CACHE_H

/*
 * The cache: one arena of pages with a hard bound, shared by every mapping.
 */

#include "cachelayer/types.h"

struct cl_cache;
struct cl_mapping;

/** The smallest arena that cl_cache_create() takes, whatever the request size. */
#define CL_CACHE_SIZE_MIN ((size_t)1 << 20)

/** Something the owner of the cache should hear of. The library itself never logs. */
enum cl_event_kind {
	CL_EVENT_HASH_MISMATCH,	   /* a clean page is not what was read (--verify) */
	CL_EVENT_WRITEBACK_FAILED, /* a dirty page did not reach the store; it stays
				      dirty */
	CL_EVENT_DATA_LOST,	   /* a mapping went away with dirty pages left */
	CL_EVENT_SHORT_STORE,	 /* the store's file ended before the mapping's size */
	CL_EVENT_SLOW_OPERATION, /* a range operation runs for longer than slow_ms */
	CL_EVENT_SLOW_NOTIFICATION, /* one call to the upper cache does */
	CL_EVENT_STALE_PAGE, /* the upper cache kept a page that it was told to drop */
};

struct cl_event {
	enum cl_event_kind kind;
	void *store;	   /* of the mapping concerned */
	uint64_t page;	   /* index of the first page concerned */
	uint64_t npages;   /* how many pages; UINT64_MAX: to the end */
	int error;	   /* negative errno, or 0 */
	const char *phase; /* SLOW_…: what the operation is at; else NULL */
	uint64_t age_ns;   /* SLOW_…: for how long */
};

struct cl_cache_config {
	size_t size_bytes;	  /* of the arena; rounded down to whole pages */
	size_t max_request_bytes; /* most bytes in one cl_read() or cl_write() */
	unsigned max_requests;	  /* most of those under way at once */
	bool verify;	/* check XXH3 of clean pages on use and before reclaim */
	bool writeback; /* keep dirty pages; otherwise write through */
	unsigned writeback_age_ms; /* a dirty page is written back at this age */
	unsigned slow_ms; /* watchdog: what takes longer is an event; 0: 1000 */
	void (*on_event)(void *arg, const struct cl_event *event); /* may be NULL */
	void *on_event_arg;
};

/** Counters since creation, and gauges. A snapshot; each is exact, together they
 *  are only nearly simultaneous. */
struct cl_cache_stats {
	uint64_t pages_total; /* in the arena */
	uint64_t pages_used;  /* not on the free list */
	uint64_t pages_dirty;
	uint64_t pages_writeback;
	uint64_t hits;	 /* pages found up to date */
	uint64_t misses; /* pages that had to be filled */
	uint64_t fills;	 /* reads of the store */
	uint64_t fill_bytes;
	uint64_t readahead_pages;
	uint64_t reclaimed;
	uint64_t reclaim_skipped; /* candidates that were locked, pinned or dirty */
	uint64_t ghost_hits;	  /* pages that came back soon after reclaim */
	uint64_t write_bytes;	  /* to the store */
	uint64_t writeback_errors;
	uint64_t hash_mismatches;
	uint64_t copied_on_write; /* pages replaced because a reader held them */
};

/**
 * Create a cache.
 * @param config     copied
 * @param ret_cache  the new cache; free it with cl_cache_free()
 * @return 0; -EINVAL if size_bytes is less than CL_CACHE_SIZE_MIN, or less than twice
 *         max_requests times (max_request_bytes plus two pages): half of the arena
 *         must be beyond the reach of requests, or reclaim could find nothing;
 *         -ENOMEM; -EAGAIN if the flusher thread cannot be started
 */
int cl_cache_create(const struct cl_cache_config *config, struct cl_cache **ret_cache);

/**
 * The largest max_request_bytes (a power of two, at least one page) that
 * cl_cache_create() takes for these two, or 0 if there is none.
 */
size_t cl_cache_max_request(size_t size_bytes, unsigned max_requests);

/** Free a cache whose mappings have all been freed. NULL is fine. */
void cl_cache_free(struct cl_cache *cache);

void cl_cache_get_stats(struct cl_cache *cache, struct cl_cache_stats *ret_stats);

/** Bytes of memory per page of the arena besides the page itself. */
size_t cl_cache_overhead_per_page(void);

/** Whether this cache keeps dirty pages. */
bool cl_cache_is_writeback(const struct cl_cache *cache);

#endif
