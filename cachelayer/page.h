/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_PAGE_H
#define CACHELAYER_PAGE_H

/*
 * A page: the descriptor of one frame of the arena (Linux: struct folio of order 0).
 *
 * Descriptors live as long as the cache and never change their type, so a lookup may
 * touch one that is being recycled: it pins it and then looks again whether it is still
 * the one (page_table.c).
 *
 * Pins are for lifetime, the page lock is for content; they are never mixed up
 * (PostgreSQL, src/backend/storage/buffer/README):
 *
 *   - The page table's own reference counts as one pin. A frame is free at zero pins.
 *   - Bytes change only under the page lock, and only while nobody but the table and
 *     the one who holds the lock has a pin; otherwise the page is replaced by a changed
 *     copy. So who has seen UPTODATE under the lock and kept a pin may read without the
 *     lock.
 *   - mapping and index change only under the page lock. A removed page keeps its index
 *     (I4) and gets mapping NULL.
 *
 * States, and who makes the transitions (DESIGN.md, "5. Pages", has a drawing):
 *
 *	free
 *	  arena_alloc ▶ new, LOCKED
 *	  page_cache_get ▶ filling: in the table, LOCKED, not UPTODATE
 *	  fill_run ▶ UPTODATE
 *	  page_cache_mark_dirty ▶ UPTODATE, DIRTY
 *	  page_cache_start_writeback ▶ UPTODATE, WRITEBACK
 *	  page_cache_end_writeback ▶ UPTODATE; DIRTY again on an error
 *
 * page_cache_remove takes any of these that is LOCKED and not under WRITEBACK to
 * REMOVED; the last unpin makes it free.
 */

#include <stdatomic.h>

#include "cachelayer/types.h"
#include "config.h"

struct cl_mapping;

enum {
	PAGE_LOCKED = 1u << 0,
	PAGE_LOCK_WAITERS = 1u << 1,	  /* whoever unlocks must look for sleepers */
	PAGE_WRITEBACK_WAITERS = 1u << 2, /* whoever ends the writeback must */
	PAGE_UPTODATE = 1u << 3,
	PAGE_DIRTY = 1u << 4,
	PAGE_WRITEBACK = 1u << 5,
	PAGE_REMOVED = 1u << 6,
	/* Filled without the upper cache asking for it: what that has of the page may be
	 * older. Until a read hands it over. */
	PAGE_ASIDE = 1u << 7,
	/* While LOCKED, the processor on which the lock was taken, as page_lock.c
	 * counts them; 0: it has been handed to somebody who may not run yet. */
	PAGE_OWNER_CPU_SHIFT = 8,
	PAGE_OWNER_CPU = 0xffu << PAGE_OWNER_CPU_SHIFT,
};

enum page_queue {
	PAGE_QUEUE_NONE,
	PAGE_QUEUE_SMALL,
	PAGE_QUEUE_MAIN,
	PAGE_QUEUE_ISOLATED, /* in the hands of reclaim */
};

#define PAGE_NUMBER_NONE UINT32_MAX

struct cl_page {
	/* Atomic. */
	_Atomic uint32_t state;
	_Atomic uint32_t pins;
	_Atomic uint8_t uses; /* since last looked at by reclaim, at most 3 */

	/* Guarded by the reclaim lock. */
	uint8_t queue;			 /* enum page_queue */
	uint32_t queue_next, queue_prev; /* page numbers */

	/* Guarded by the page lock. */
	int fill_error; /* why a fill removed it; negative errno */
	struct cl_mapping *_Atomic mapping;
	_Atomic uint64_t index;
	uint64_t hash; /* XXH3 of a clean page; only with verify */

#ifdef CL_DEBUG_LOCKS
	/* Atomic: who has the lock (page_lock_debug.c). */
	_Atomic int owner; /* thread id */
	const char *_Atomic owner_site;
	_Atomic uint64_t owned_since_ns;
#endif
};

static inline bool page_test(const struct cl_page *page, uint32_t bit)
{
	return atomic_load_explicit(&page->state, memory_order_acquire) & bit;
}

static inline void page_set(struct cl_page *page, uint32_t bits)
{
	atomic_fetch_or_explicit(&page->state, bits, memory_order_release);
}

static inline void page_clear(struct cl_page *page, uint32_t bits)
{
	atomic_fetch_and_explicit(&page->state, ~bits, memory_order_release);
}

static inline void page_pin(struct cl_page *page)
{
	atomic_fetch_add_explicit(&page->pins, 1, memory_order_relaxed);
}

/** Pin a page that may be free: false if it is (Linux: folio_try_get()). */
static inline bool page_try_pin(struct cl_page *page)
{
	uint32_t pins = atomic_load_explicit(&page->pins, memory_order_relaxed);

	while (pins > 0)
		if (atomic_compare_exchange_weak_explicit(&page->pins, &pins, pins + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

static inline uint32_t page_pins(const struct cl_page *page)
{
	return atomic_load_explicit(&page->pins, memory_order_acquire);
}

/** Note a use, for reclaim. Loses a count now and then to a race; that is fine. */
static inline void page_mark_used(struct cl_page *page)
{
	const uint8_t uses = atomic_load_explicit(&page->uses, memory_order_relaxed);

	if (uses < 3)
		atomic_store_explicit(&page->uses, (uint8_t)(uses + 1),
				      memory_order_relaxed);
}

#endif
