/* SPDX-License-Identifier: MIT */
/*
 * The page lock: what makes it fair. Its fast paths, one compare-and-swap each, stand
 * in the header.
 *
 * LOCK_WAITERS sends an unlock to the table, and is clear while somebody who has been
 * woken is on the way: the lock is then as cheap for all others as if nobody waited. The
 * one on the way sets it again when it has lost the race, or has won it and others
 * wait. So, under the bucket's mutex:
 *
 *   (1) while the page is LOCKED and somebody stands in the queue, either the bit is
 *       set, or the first of them has been woken and will come here;
 *   (2) while it is free and somebody stands in the queue, the first has been woken.
 *
 * Who has been overtaken often enough finds the lock still LOCKED and its own: it is
 * never free meanwhile, so nobody can be faster.
 *
 * Spinning: see spin().
 */

#include "page_lock.h"

#include <errno.h>
#include <unistd.h>

#include "cond.h"
#include "test_point.h"
#include "trace.h"

#define TRACE(name, waits, page)                                                       \
	CL_TRACE3(name, (waits)->kind,                                                 \
		  atomic_load_explicit(&(page)->mapping, memory_order_relaxed),        \
		  atomic_load_explicit(&(page)->index, memory_order_relaxed))

/* ------------------------------------------------------------------- the state word */

static inline uint32_t load(const struct cl_page *page)
{
	return atomic_load_explicit(&page->state, memory_order_relaxed);
}

static inline bool swap(struct cl_page *page, uint32_t *state, uint32_t to,
			memory_order order)
{
	return atomic_compare_exchange_weak_explicit(&page->state, state, to, order,
						     memory_order_relaxed);
}

/** Set a bit that makes others look in the table. @return false if `while_set` has gone
 */
static bool set_while(struct cl_page *page, uint32_t bit, uint32_t while_set)
{
	uint32_t state = load(page);

	while (state & while_set)
		if (swap(page, &state, state | bit, memory_order_relaxed))
			return true;
	return false;
}

/* ---------------------------------------------------------------------- spinning */

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb");
#endif
}

/* A cached page is locked for some 20 ns. A thread looks about twice as often as has
 * been worth it lately (glibc's adaptive mutexes), and at least so often that it
 * notices when it is worth it again. */
#define SPINS_MIN 4
#define SPINS_MAX 100

static bool one_processor(void)
{
	static _Atomic int cached; /* 0: not known yet */
	int processors = atomic_load_explicit(&cached, memory_order_relaxed);

	if (processors == 0) {
		processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
		atomic_store_explicit(&cached, processors, memory_order_relaxed);
	}
	return processors == 1;
}

/**
 * Look for a moment whether the lock becomes free, instead of going to sleep. Not when
 * it cannot help: behind others who wait; when the page is being filled, which takes
 * far longer; when the owner cannot be running, because it took the lock on the
 * processor that we run on now, or has been handed it and is on its way.
 */
static bool spin(struct cl_page *page, uint32_t unless)
{
	static _Thread_local int worth = SPINS_MIN;

	if (one_processor())
		return false;
	for (int i = 0; i < 2 * worth && i < SPINS_MAX; i++) {
		const uint32_t state = load(page);
		const uint32_t owner_cpu = state & PAGE_OWNER_CPU;

		if (!(state & PAGE_LOCKED)) {
			if (!page_try_lock_word(page))
				continue;
			worth += (i + SPINS_MIN - worth) / 4;
			return true;
		}
		if (state & unless || page_state_is_filling(state) || owner_cpu == 0 ||
		    owner_cpu == page_lock_this_cpu())
			return false;
		cpu_relax();
	}
	worth -= (worth - SPINS_MIN + 3) / 4;
	return false;
}

/* ------------------------------------------------------------------------ waiting */

/** Stand in the queue. @return false, and nothing done, if the lock could be taken */
static bool park(struct cl_page *page, struct page_waiter *waiter)
{
	CL_POINT(page_parking);
	struct page_bucket *bucket = page_bucket_lock(page);
	bool taken = false;

	while (!taken && !set_while(page, PAGE_LOCK_WAITERS, PAGE_LOCKED))
		taken = page_try_lock_word(page);
	if (!taken)
		page_bucket_append(bucket, waiter);
	page_bucket_unlock(bucket);
	return !taken;
}

/** Woken for the lock: take it, or be overtaken. @return whether it has been taken */
static bool compete(struct cl_page *page, struct page_waiter *waiter,
		    struct wait_class *waits)
{
	CL_POINT(page_woken);
	/* Those who queue behind us matter not. */
	bool taken = spin(page, 0);
	struct page_bucket *bucket = page_bucket_lock(page);

	while (!taken && !set_while(page, PAGE_LOCK_WAITERS, PAGE_LOCKED))
		taken = page_try_lock_word(page);
	if (taken) {
		page_bucket_remove(bucket, waiter);
		if (page_bucket_first(bucket, page, PAGE_EVENT_UNLOCKED))
			page_set(page, PAGE_LOCK_WAITERS);
	} else {
		atomic_store_explicit(&waiter->signal, PAGE_SIGNAL_NONE,
				      memory_order_relaxed);
		if (waiter->overtakings_left > 0)
			waiter->overtakings_left--;
	}
	page_bucket_unlock(bucket);
	if (!taken) {
		atomic_fetch_add_explicit(&waits->overtaken, 1, memory_order_relaxed);
		TRACE(page_lock_overtaken, waits, page);
	}
	return taken;
}

/** The time is up. @return 0 if the lock has been handed over all the same, or an error
 */
static int give_up(struct cl_page *page, struct page_waiter *waiter)
{
	_Atomic uint32_t *wake = NULL;

	CL_POINT(page_timed_out);
	struct page_bucket *bucket = page_bucket_lock(page);
	const uint32_t signal =
		atomic_load_explicit(&waiter->signal, memory_order_acquire);

	if (signal == PAGE_SIGNAL_GRANTED) {
		page_bucket_unlock(bucket);
		return 0;
	}
	page_bucket_remove(bucket, waiter);

	/* Woken, and not coming: it is the next one's turn, (1) and (2). */
	struct page_waiter *next =
		signal == PAGE_SIGNAL_WOKEN
			? page_bucket_first(bucket, page, PAGE_EVENT_UNLOCKED)
			: NULL;

	if (next && !set_while(page, PAGE_LOCK_WAITERS, PAGE_LOCKED)) {
		atomic_store_explicit(&next->signal, PAGE_SIGNAL_WOKEN,
				      memory_order_release);
		wake = &next->signal;
	}
	page_bucket_unlock(bucket);
	page_waiter_wake(wake);
	return -ETIMEDOUT;
}

int page_lock_slow(struct cl_page *page, struct wait_class *waits, uint64_t deadline_ns,
		   const char *site)
{
	struct page_waiter waiter = {.page = page,
				     .event = PAGE_EVENT_UNLOCKED,
				     .overtakings_left = waits->unfairness};

	if (spin(page, PAGE_LOCK_WAITERS))
		return 0;

	const uint64_t since_ns = cl_now_ns();
	int ret = 0;

	TRACE(page_lock_wait, waits, page);
	if (!park(page, &waiter))
		return 0;
	for (;;) {
		CL_POINT(page_parked);
		ret = page_lock_debug_sleep(page, &waiter, deadline_ns, site);
		if (ret < 0) {
			ret = give_up(page, &waiter);
			break;
		}
		if (atomic_load_explicit(&waiter.signal, memory_order_acquire) ==
		    PAGE_SIGNAL_GRANTED) {
			atomic_fetch_add_explicit(&waits->handed_over, 1,
						  memory_order_relaxed);
			TRACE(page_lock_handed_over, waits, page);
			break;
		}
		if (compete(page, &waiter, waits))
			break;
	}
	wait_class_add(waits, since_ns);
	return ret;
}

/* --------------------------------------------------------------------- unlocking */

/** Some waiter has to hear of it: hand over, or set free and wake. */
void page_unlock_slow(struct cl_page *page)
{
	CL_POINT(page_unlocking);
	struct page_bucket *bucket = page_bucket_lock(page);
	struct page_waiter *filled =
		page_bucket_take_all(bucket, page, PAGE_EVENT_FILLED);
	struct page_waiter *first =
		page_bucket_first(bucket, page, PAGE_EVENT_UNLOCKED);
	const bool asleep =
		first && atomic_load_explicit(&first->signal, memory_order_relaxed) ==
				 PAGE_SIGNAL_NONE;
	const bool hand_over = asleep && first->overtakings_left == 0;
	uint32_t keep = ~(uint32_t)(PAGE_LOCKED | PAGE_LOCK_WAITERS | PAGE_OWNER_CPU);

	if (hand_over) {
		page_bucket_remove(bucket, first);
		keep |= PAGE_LOCKED;
		if (page_bucket_first(bucket, page, PAGE_EVENT_UNLOCKED))
			keep |= PAGE_LOCK_WAITERS;
	}
	atomic_fetch_and_explicit(&page->state, keep, memory_order_release);

	_Atomic uint32_t *wake = asleep ? &first->signal : NULL;

	if (asleep)
		atomic_store_explicit(&first->signal,
				      hand_over ? PAGE_SIGNAL_GRANTED
						: PAGE_SIGNAL_WOKEN,
				      memory_order_release);
	page_bucket_unlock(bucket);
	page_waiter_wake(wake);
	page_waiters_wake(filled);
}

/* -------------------------------------------------------- waiting for other events */

/** Wait for an event once, if `bit` could be set while `while_set` was. */
static void wait_for(struct cl_page *page, enum page_event event, uint32_t bit,
		     uint32_t while_set)
{
	struct page_waiter waiter = {.page = page, .event = event};

	CL_POINT(page_parking);
	struct page_bucket *bucket = page_bucket_lock(page);
	const bool waits = set_while(page, bit, while_set);

	if (waits)
		page_bucket_append(bucket, &waiter);
	page_bucket_unlock(bucket);
	if (!waits)
		return;
	CL_POINT(page_parked);
	(void)page_waiter_sleep(&waiter, PAGE_NO_DEADLINE);
}

void page_wait_filling(struct cl_page *page, struct wait_class *waits)
{
	cl_rank_assert_not_held(CL_RANK_PAGE);
	if (!page_state_is_filling(load(page)))
		return;

	const uint64_t since_ns = cl_now_ns();

	/* An unlock wakes all; it may be that of another lock, before the fill. */
	while (page_state_is_filling(load(page)))
		wait_for(page, PAGE_EVENT_FILLED, PAGE_LOCK_WAITERS, PAGE_LOCKED);
	wait_class_add(waits, since_ns);
}

void page_wait_writeback(struct cl_page *page, struct wait_class *waits)
{
	if (!page_test(page, PAGE_WRITEBACK))
		return;

	const uint64_t since_ns = cl_now_ns();

	/* A wake-up may have been meant for those who waited for an earlier one. */
	while (page_test(page, PAGE_WRITEBACK))
		wait_for(page, PAGE_EVENT_WRITTEN, PAGE_WRITEBACK_WAITERS,
			 PAGE_WRITEBACK);
	wait_class_add(waits, since_ns);
}

void page_end_writeback(struct cl_page *page, uint32_t bits)
{
	uint32_t state = load(page);

	while (!swap(page, &state,
		     (state & ~(uint32_t)(PAGE_WRITEBACK | PAGE_WRITEBACK_WAITERS)) |
			     bits,
		     memory_order_release))
		;
	if (!(state & PAGE_WRITEBACK_WAITERS))
		return;
	CL_POINT(page_written);
	struct page_bucket *bucket = page_bucket_lock(page);
	struct page_waiter *written =
		page_bucket_take_all(bucket, page, PAGE_EVENT_WRITTEN);

	page_bucket_unlock(bucket);
	page_waiters_wake(written);
}
