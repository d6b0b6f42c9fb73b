/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_PAGE_LOCK_H
#define CACHELAYER_PAGE_LOCK_H

/*
 * The page lock: one bit of the page's state word and one more that says that somebody
 * sleeps for it; the sleepers themselves stand in a table (page_waiters.h), so a page
 * pays nothing for them.
 *
 * It is fair within a bound. A newcomer may take a free lock before those who were
 * woken for it have come; that is what makes a hot lock fast. Each time this happens to
 * the one who waits longest it has been *overtaken*; after as many times as its class
 * allows the lock is not set free any more but handed to it (Linux, 5ef64cc8987a;
 * before it, 2a9127fcf229 handed over always, and lost half of the throughput of real
 * loads).
 *
 * Who may wait for a page lock:
 *   - a fill waits only while it holds no page lock at all;
 *   - a write locks the pages of its range in ascending order of index;
 *   - reclaim, prefetch and writeback behind a first page only try.
 */

#include "lock_rank.h"
#include "page.h"
#include "page_waiters.h"
#include "wait_class.h"

static inline struct cl_lock_key page_lock_key(const struct cl_page *page)
{
	return (struct cl_lock_key){
		(uintptr_t)atomic_load_explicit(&page->mapping, memory_order_relaxed),
		atomic_load_explicit(&page->index, memory_order_relaxed)};
}

/** Whether somebody is about to give the page its bytes, under its lock. */
static inline bool page_state_is_filling(uint32_t state)
{
	return (state & (PAGE_LOCKED | PAGE_UPTODATE | PAGE_REMOVED)) == PAGE_LOCKED;
}

/**
 * Wait for the lock. Not recursive.
 * @param page   pinned by the caller
 * @param waits  who waits: how often it may be overtaken, and where the time is noted
 */
void page_lock_at(struct cl_page *page, struct wait_class *waits, const char *site);

/**
 * The same, for as long as one likes.
 * @param deadline_ns  of CLOCK_MONOTONIC; one that has passed still tries
 * @return 0, or -ETIMEDOUT: then the caller has not got it, and is in no queue
 */
int page_lock_until_at(struct cl_page *page, struct wait_class *waits,
		       uint64_t deadline_ns, const char *site);

/** @return whether the lock was free and is now the caller's */
bool page_trylock_at(struct cl_page *page, const char *site);

/** Set the lock free, or hand it over. */
void page_unlock_at(struct cl_page *page, const char *site);

#define page_lock(page, waits) page_lock_at(page, waits, CL_LOCK_SITE)
#define page_lock_until(page, waits, deadline_ns)                                      \
	page_lock_until_at(page, waits, deadline_ns, CL_LOCK_SITE)
#define page_trylock(page) page_trylock_at(page, CL_LOCK_SITE)
#define page_unlock(page)  page_unlock_at(page, CL_LOCK_SITE)

#ifdef CL_DEBUG_LOCKS
#define page_assert_locked(page) cl_lock_debug_assert_held(page, "page", CL_LOCK_SITE)
#else
#define page_assert_locked(page) ((void)(page))
#endif

/**
 * Wait until nobody is filling the page any more, without taking its lock: all who wait
 * are woken at once, instead of one after the other. Whether the fill succeeded, and
 * whether this still is the page that was looked up, is to be seen under the lock (I3).
 * @param page  pinned by the caller, who holds no page lock
 */
void page_wait_filling(struct cl_page *page, struct wait_class *waits);

/**
 * Wait until the page is not under writeback. Pinned by the caller, who may hold page
 * locks: the end of a writeback needs none.
 */
void page_wait_writeback(struct cl_page *page, struct wait_class *waits);

/** Clear WRITEBACK (and set `bits` in the same step), wake whoever waits for that. */
void page_end_writeback(struct cl_page *page, uint32_t bits);

#endif
