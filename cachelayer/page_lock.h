/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_PAGE_LOCK_H
#define CACHELAYER_PAGE_LOCK_H

/*
 * The page lock: one bit of the page's state word, with waiters parked in the kernel's
 * futex table, so that a page pays nothing for them. (Linux: folio_lock(); its wait
 * queues are hashed for the same reason.)
 *
 * Who may wait for a page lock:
 *   - a fill waits only while it holds no page lock at all;
 *   - a write locks the pages of its range in ascending order of index;
 *   - reclaim, prefetch and writeback behind a first page only try.
 */

#include "lock_rank.h"
#include "page.h"
#include "test_point.h"

static inline struct cl_lock_key page_lock_key(const struct cl_page *page)
{
	return (struct cl_lock_key){
		(uintptr_t)atomic_load_explicit(&page->mapping, memory_order_relaxed),
		atomic_load_explicit(&page->index, memory_order_relaxed)};
}

/** Waits for the lock. Pinned by the caller. Not cancellable, not recursive. */
void page_lock_at(struct cl_page *page, const char *site);
bool page_trylock_at(struct cl_page *page, const char *site);
void page_unlock_at(struct cl_page *page, const char *site);

#ifdef FOLDFS_TEST_POINTS
static inline bool page_is_unlocked(const void *page)
{
	return !page_test(page, PAGE_LOCKED);
}

static inline bool page_is_written(const void *page)
{
	return !page_test(page, PAGE_WRITEBACK);
}
#endif

/* Every wait for a page is a scheduler's of the tests first, if there is one: it must
 * know who waits for what (test_point.h). */
static inline void page_lock_when_free(struct cl_page *page, const char *site)
{
	CL_AWAIT("a page lock", page_is_unlocked, page);
	page_lock_at(page, site);
}
#define page_lock(page)	   page_lock_when_free(page, CL_LOCK_SITE)
#define page_trylock(page) page_trylock_at(page, CL_LOCK_SITE)
#define page_unlock(page)  page_unlock_at(page, CL_LOCK_SITE)

#ifdef CL_DEBUG_LOCKS
#define page_assert_locked(page) cl_lock_debug_assert_held(page, "page", CL_LOCK_SITE)
#else
#define page_assert_locked(page) ((void)(page))
#endif

/**
 * Wait until the page is not under writeback. Pinned by the caller, who may hold page
 * locks: the end of a writeback needs none.
 */
void page_wait_writeback(struct cl_page *page);

static inline void page_await_writeback(struct cl_page *page)
{
	CL_AWAIT("a writeback", page_is_written, page);
	page_wait_writeback(page);
}

/** Clear WRITEBACK (and set `bits` in the same step), wake whoever waits for that. */
void page_end_writeback(struct cl_page *page, uint32_t bits);

#endif
