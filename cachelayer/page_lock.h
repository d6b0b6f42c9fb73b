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

#include <sched.h>

#include "page.h"
#include "page_lock_debug.h"
#include "wait_class.h"

#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#define PAGE_LOCK_HAS_RSEQ
#endif

/** Whether somebody is about to give the page its bytes, under its lock. */
static inline bool page_state_is_filling(uint32_t state)
{
	return (state & (PAGE_LOCKED | PAGE_UPTODATE | PAGE_REMOVED)) == PAGE_LOCKED;
}

/** The processor that we run on, as PAGE_OWNER_CPU has it; never 0. */
static inline uint32_t page_lock_this_cpu(void)
{
	const uint32_t known = 0x80u << PAGE_OWNER_CPU_SHIFT;
	uint32_t cpu = 0;

#ifdef PAGE_LOCK_HAS_RSEQ
	/* glibc has registered it, or says that there is none. */
	if (__builtin_expect(__rseq_size > 0, true)) {
		const char *rseq =
			(const char *)__builtin_thread_pointer() + __rseq_offset;

		cpu = *(const volatile uint32_t *)(rseq +
						   offsetof(struct rseq, cpu_id));
	} else
#endif
		cpu = (uint32_t)sched_getcpu();
	return known | (cpu << PAGE_OWNER_CPU_SHIFT & (PAGE_OWNER_CPU & ~known));
}

/* Both guess that the page is clean and that nobody waits, as is nearly always so: to
 * read the word first would wait for the locked instruction before. */

static inline bool page_try_lock_word(struct cl_page *page)
{
	uint32_t state = PAGE_UPTODATE;

	do {
		if (atomic_compare_exchange_weak_explicit(
			    &page->state, &state,
			    state | PAGE_LOCKED | page_lock_this_cpu(),
			    memory_order_acquire, memory_order_relaxed))
			return true;
	} while (!(state & PAGE_LOCKED));
	return false;
}

/** @return false, and nothing done, if somebody waits */
static inline bool page_try_unlock_word(struct cl_page *page)
{
	uint32_t state = PAGE_UPTODATE | PAGE_LOCKED | page_lock_this_cpu();

	do {
		if (atomic_compare_exchange_weak_explicit(
			    &page->state, &state,
			    state & ~(uint32_t)(PAGE_LOCKED | PAGE_OWNER_CPU),
			    memory_order_release, memory_order_relaxed))
			return true;
	} while (!(state & PAGE_LOCK_WAITERS));
	return false;
}

/* page_lock.c: what the functions below do when that is not enough. */
int page_lock_slow(struct cl_page *page, struct wait_class *waits, uint64_t deadline_ns,
		   const char *site);
void page_unlock_slow(struct cl_page *page);

/**
 * Wait for the lock, for as long as one likes. Not recursive.
 * @param page         pinned by the caller
 * @param waits        who waits: how often it may be overtaken, where the time is noted
 * @param deadline_ns  of CLOCK_MONOTONIC; one that has passed still tries
 * @return 0, or -ETIMEDOUT: then the caller has not got it, and is in no queue
 */
static inline int page_lock_until_at(struct cl_page *page, struct wait_class *waits,
				     uint64_t deadline_ns, const char *site)
{
	int ret = 0;

	page_lock_debug_wait(page, site);
	if (!page_try_lock_word(page))
		ret = page_lock_slow(page, waits, deadline_ns, site);
	if (ret == 0)
		page_lock_debug_acquired(page, site);
	return ret;
}

/** The same, until it is there. */
static inline void page_lock_at(struct cl_page *page, struct wait_class *waits,
				const char *site)
{
	(void)page_lock_until_at(page, waits, PAGE_NO_DEADLINE, site);
}

/** @return whether the lock was free and is now the caller's */
static inline bool page_trylock_at(struct cl_page *page, const char *site)
{
	if (!page_try_lock_word(page))
		return false;
	page_lock_debug_acquired(page, site);
	return true;
}

/** Set the lock free, or hand it over. */
static inline void page_unlock_at(struct cl_page *page, const char *site)
{
	page_lock_debug_release(page, site);
	if (!page_try_unlock_word(page))
		page_unlock_slow(page);
}

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
