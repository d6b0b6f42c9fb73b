/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_PAGE_CACHE_H
#define CACHELAYER_PAGE_CACHE_H

/*
 * Pages coming into, moving through and going out of the page cache: the few functions
 * that keep descriptor, page table, reclaim queue and counters in step.
 */

#include "cachelayer/mapping.h"
#include "page.h"

/** How cl_page_get() found it. */
enum page_found {
	PAGE_FOUND_NEW, /* was absent: added; LOCKED by the caller, not UPTODATE */
	PAGE_FOUND_OLD, /* pinned; not locked */
};

/**
 * The page at an index, pinned; a new one is added if it is absent.
 * @return enum page_found; -ENOMEM
 * Never waits for a page lock; may reclaim. The caller may hold page locks.
 */
int page_cache_get(struct cl_mapping *mapping, uint64_t index,
		   struct cl_page **ret_page);

/** A page of the arena, reclaiming if need be: one pin, LOCKED; NULL if every page has
 *  been in use for so long that something must be wrong. */
struct cl_page *page_cache_alloc(struct cl_mapping *mapping, uint64_t index);

/** The first page in [*index, end), pinned and LOCKED, its index in *index; or NULL.
 * Waits for page locks: the caller holds none. */
struct cl_page *page_cache_lock_next(struct cl_mapping *mapping, uint64_t *index,
				     uint64_t end);
/** The same, downwards: the last page in [start, *index]. */
struct cl_page *page_cache_lock_prev(struct cl_mapping *mapping, uint64_t start,
				     uint64_t *index);

/**
 * Whether the page is still what the caller looked up: I3. Page lock held.
 * (Linux: the mapping and index checks after folio_lock() in filemap_fault().)
 */
bool page_cache_is(const struct cl_page *page, const struct cl_mapping *mapping,
		   uint64_t index);

/** Take a page out. LOCKED and pinned by the caller, not under writeback. Dirty bytes
 * are dropped: that is the caller's intent. The descriptor keeps its index (I4). */
void page_cache_remove(struct cl_page *page);

/**
 * Give a LOCKED, clean page a new index; nothing is there.
 * @return true; false without memory for it: the page has been removed
 */
bool page_cache_move(struct cl_page *page, uint64_t to);

/**
 * Make the bytes of a LOCKED, pinned page free to change: if a reader may be using
 * them, a copy takes the page's place, and the old page is unlocked and unpinned.
 * @param page  in: the page; out: the page to change, LOCKED and pinned
 * @return 0 or -ENOMEM (nothing has changed)
 */
int page_cache_make_writable(struct cl_page **page);

/** UPTODATE page, LOCKED: it has bytes that the store has not. The caller has counted
 * it in cache->unwritten. @return whether it was clean: else the caller counts it off
 */
bool page_cache_mark_dirty(struct cl_page *page);

/** LOCKED: DIRTY becomes WRITEBACK. */
void page_cache_start_writeback(struct cl_page *page);
/** WRITEBACK becomes clean, or DIRTY again where the store did not take it. */
void page_cache_end_writeback(struct cl_page *page, bool written);

static inline struct cl_mapping *page_mapping(const struct cl_page *page)
{
	return atomic_load_explicit(&page->mapping, memory_order_relaxed);
}

static inline uint64_t page_index(const struct cl_page *page)
{
	return atomic_load_explicit(&page->index, memory_order_relaxed);
}

unsigned char *page_bytes(const struct cl_mapping *mapping, const struct cl_page *page);

#endif
