/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_CACHE_H
#define CACHELAYER_CACHE_H

/*
 * The cache: one arena of pages with a hard bound, shared by every mapping.
 */

#include "cachelayer/types.h"

CL_BEGIN_DECLS

struct cl_cache;
struct cl_mapping;

/** The smallest arena that cl_cache_create() takes, whatever the request size. */
#define CL_CACHE_SIZE_MIN ((size_t)1 << 20)
/** The largest: page numbers have 32 bits, and one of them is no page's. */
#define CL_CACHE_SIZE_MAX (((size_t)UINT32_MAX - 1) << CL_PAGE_SHIFT)

/** As in Linux (page_lock_unfairness, commit 5ef64cc8987a). */
#define CL_PAGE_LOCK_UNFAIRNESS 5

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
	/**
	 * Who waits for a page lock may find it taken by others, after having been
	 * woken for it, so many times; then it is handed over. 0 is strictly fair and
	 * slow, UINT_MAX fast and unfair; CL_PAGE_LOCK_UNFAIRNESS is a good one.
	 */
	unsigned page_lock_unfairness;
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

/** Who waited, and for what. */
enum cl_wait {
	CL_WAIT_FILL_PAGE,	/* cl_read_begin(): a page lock, or another's fill */
	CL_WAIT_FILL_GATE,	/* a FILL entry: from being parked to being granted */
	CL_WAIT_WRITE_PAGE,	/* cl_write(): a page lock, or the end of a writeback */
	CL_WAIT_WRITE_GATE,	/* a WRITE entry */
	CL_WAIT_WRITEBACK_PAGE, /* cl_writeback(): likewise */
	CL_WAIT_RECLAIM_PAGE,	/* anybody: a free page, when none was left */
	CL_WAIT_RANGE_PAGE,	/* range operations, sizes, revalidation: page locks */
	CL_WAIT_RANGE_GATE,	/* a CLOSE or EXCLUSIVE entry */
	CL_WAITS,
};

#define CL_WAIT_SHIFT	10
#define CL_WAIT_BUCKETS 24

/** Waits of one kind since creation. Locks that were free, or became free while one
 *  was looking, are not in it: only who slept, or was parked, takes the time. */
struct cl_wait_stats {
	uint64_t waits; /* that have ended */
	uint64_t total_ns;
	uint64_t longest_ns;
	uint64_t overtaken;   /* page locks: woken for it, and it was taken again */
	uint64_t handed_over; /* page locks: how often that had been enough */
	/** Waits shorter than 2^(CL_WAIT_SHIFT + i) ns and not than half of it; the
	 * last bucket has all that were longer. */
	uint64_t buckets[CL_WAIT_BUCKETS];
};

/**
 * Create a cache.
 * @param config     copied
 * @param ret_cache  the new cache; free it with cl_cache_free()
 * @return 0; -EINVAL if size_bytes is less than CL_CACHE_SIZE_MIN, more than
 *         CL_CACHE_SIZE_MAX, or less than twice max_requests times (max_request_bytes
 *         plus two pages): half of the arena must be beyond the reach of requests, or
 *         reclaim could find nothing; -ENOMEM; -EAGAIN if a thread cannot be started
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

void cl_cache_get_waits(struct cl_cache *cache, enum cl_wait wait,
			struct cl_wait_stats *ret_stats);

/** Bytes of memory per page of the arena besides the page itself. */
size_t cl_cache_overhead_per_page(void);

/** Whether this cache keeps dirty pages. */
bool cl_cache_is_writeback(const struct cl_cache *cache);

CL_END_DECLS

#endif
