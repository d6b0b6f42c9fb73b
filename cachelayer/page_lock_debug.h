/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_PAGE_LOCK_DEBUG_H
#define CACHELAYER_PAGE_LOCK_DEBUG_H

/*
 * Page locks that know who holds them (-Ddebug_locks=true). Order and self-deadlock are
 * lock_rank.c's business, which knows a thread's locks; this knows a lock's thread: who
 * waits for long learns who is in the way, and since where.
 *
 * Without debug_locks none of this exists, in a page's memory neither.
 */

#include "lock_rank.h"
#include "page.h"
#include "page_waiters.h"

static inline struct cl_lock_key page_lock_key(const struct cl_page *page)
{
	return (struct cl_lock_key){
		(uintptr_t)atomic_load_explicit(&page->mapping, memory_order_relaxed),
		atomic_load_explicit(&page->index, memory_order_relaxed)};
}

#ifdef CL_DEBUG_LOCKS

/** What is held, or waited for, longer than this is reported to stderr; 1000 ms. Set it
 *  while nobody uses page locks. */
extern unsigned page_lock_debug_patience_ms;

/** Before waiting: as cl_lock_debug_wait(). */
void page_lock_debug_wait(const struct cl_page *page, const char *site);
void page_lock_debug_acquired(struct cl_page *page, const char *site);
/** Reports a lock that has been held too long; aborts if it is not the caller's. */
void page_lock_debug_release(struct cl_page *page, const char *site);

/** As page_waiter_sleep(), for the lock; reports its owner when that takes too long. */
int page_lock_debug_sleep(const struct cl_page *page, struct page_waiter *waiter,
			  uint64_t deadline_ns, const char *site);

#else
#define page_lock_debug_wait(page, site)     ((void)(site))
#define page_lock_debug_acquired(page, site) ((void)(site))
#define page_lock_debug_release(page, site)  ((void)(site))
#define page_lock_debug_sleep(page, waiter, deadline_ns, site)                         \
	((void)(site), page_waiter_sleep(waiter, deadline_ns))
#endif

#endif
