/* SPDX-License-Identifier: MIT */
/*
 * The page lock: a bit, a waiters' bit, and futex(2) on the word they stand in.
 *
 * After Drepper, "Futexes Are Tricky", mutex 3: whoever has slept takes the lock with
 * LOCK_WAITERS set, as it cannot know whether others still sleep; an unlock that finds
 * the bit wakes one. Other bits of the word change while people sleep on it; the kernel
 * compares the whole word, so a sleeper may come back early, and looks again.
 */

#include "page_lock.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Locks of cached pages are held for some 20 ns, those of filling pages for far longer
 * than any spin: a short spin catches the first kind. */
#define SPIN_ROUNDS 40

static void futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
	/* EAGAIN, EINTR: the caller looks again in any case. */
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int count)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

/* Lock waiters and writeback waiters share the word; wake everybody where both may
 * sleep, so that the one woken is never of the wrong kind. */
static int waiters_to_wake(uint32_t state)
{
	const uint32_t both = PAGE_LOCK_WAITERS | PAGE_WRITEBACK_WAITERS;

	return (state & both) == both ? INT_MAX : 1;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

static bool try_lock(struct cl_page *page)
{
	return !(atomic_fetch_or_explicit(&page->state, PAGE_LOCKED,
					  memory_order_acquire) &
		 PAGE_LOCKED);
}

static void lock_slow(struct cl_page *page)
{
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		if (!page_test(page, PAGE_LOCKED) && try_lock(page))
			return;
		cpu_relax();
	}

	uint32_t state = atomic_load_explicit(&page->state, memory_order_relaxed);

	for (;;) {
		if (!(state & PAGE_LOCKED)) {
			if (atomic_compare_exchange_weak_explicit(
				    &page->state, &state,
				    state | PAGE_LOCKED | PAGE_LOCK_WAITERS,
				    memory_order_acquire, memory_order_relaxed))
				return;
			continue;
		}
		if (!(state & PAGE_LOCK_WAITERS) &&
		    !atomic_compare_exchange_weak_explicit(
			    &page->state, &state, state | PAGE_LOCK_WAITERS,
			    memory_order_relaxed, memory_order_relaxed))
			continue;
		futex_wait(&page->state, state | PAGE_LOCK_WAITERS);
		state = atomic_load_explicit(&page->state, memory_order_relaxed);
	}
}

void page_lock_at(struct cl_page *page, const char *site)
{
#ifdef CL_DEBUG_LOCKS
	cl_lock_debug_wait(page, CL_RANK_PAGE, "page", page_lock_key(page), site);
#else
	(void)site;
#endif
	if (!try_lock(page))
		lock_slow(page);
#ifdef CL_DEBUG_LOCKS
	cl_lock_debug_acquired(page, CL_RANK_PAGE, "page", page_lock_key(page), site);
#endif
}

bool page_trylock_at(struct cl_page *page, const char *site)
{
	if (!try_lock(page))
		return false;
#ifdef CL_DEBUG_LOCKS
	cl_lock_debug_acquired(page, CL_RANK_PAGE, "page", page_lock_key(page), site);
#else
	(void)site;
#endif
	return true;
}

void page_unlock_at(struct cl_page *page, const char *site)
{
#ifdef CL_DEBUG_LOCKS
	cl_lock_debug_release(page, "page", site);
#else
	(void)site;
#endif
	const uint32_t before = atomic_fetch_and_explicit(
		&page->state, ~(uint32_t)(PAGE_LOCKED | PAGE_LOCK_WAITERS),
		memory_order_release);

	/* The unlocker still has a pin, so the word stays a page's word; at worst a
	 * later user of the frame wakes for nothing. */
	if (before & PAGE_LOCK_WAITERS)
		futex_wake(&page->state, waiters_to_wake(before));
}

void page_wait_writeback(struct cl_page *page)
{
	uint32_t state = atomic_load_explicit(&page->state, memory_order_acquire);

	while (state & PAGE_WRITEBACK) {
		if (!(state & PAGE_WRITEBACK_WAITERS) &&
		    !atomic_compare_exchange_weak_explicit(
			    &page->state, &state, state | PAGE_WRITEBACK_WAITERS,
			    memory_order_acquire, memory_order_acquire))
			continue;
		futex_wait(&page->state, state | PAGE_WRITEBACK_WAITERS);
		state = atomic_load_explicit(&page->state, memory_order_acquire);
	}
}

void page_end_writeback(struct cl_page *page, uint32_t bits)
{
	uint32_t state = atomic_load_explicit(&page->state, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(
		&page->state, &state,
		(state & ~(uint32_t)(PAGE_WRITEBACK | PAGE_WRITEBACK_WAITERS)) | bits,
		memory_order_release, memory_order_relaxed))
		;
	if (state & PAGE_WRITEBACK_WAITERS)
		futex_wake(&page->state, INT_MAX);
}
