/* SPDX-License-Identifier: MIT */
/* Who sleeps for a page: the table, and futex(2). */

#include "page_waiters.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "test_point.h"

/* Far more than there are threads that wait at once; 24 KiB. */
#define BUCKET_SHIFT 8
#define BUCKETS	     (1u << BUCKET_SHIFT)

/* No two buckets in one cache line. */
static struct aligned_bucket {
	_Alignas(64) struct page_bucket bucket;
} table[BUCKETS] = {
	[0 ... BUCKETS -
	 1] = {{.lock = CL_MUTEX_INITIALIZER(CL_RANK_PAGE_WAITERS, "page waiters")}}};

struct page_bucket *page_bucket_lock(const struct cl_page *page)
{
	/* Fibonacci hashing (Knuth, volume 3, 6.4): descriptors are neighbours. */
	const uint64_t hash = (uint64_t)(uintptr_t)page * 0x9e3779b97f4a7c15u;
	struct page_bucket *bucket = &table[hash >> (64 - BUCKET_SHIFT)].bucket;

	cl_mutex_lock(&bucket->lock);
	return bucket;
}

void page_bucket_unlock(struct page_bucket *bucket)
{
	cl_mutex_unlock(&bucket->lock);
}

void page_bucket_append(struct page_bucket *bucket, struct page_waiter *waiter)
{
	waiter->next = NULL;
	waiter->prev = bucket->last;
	if (bucket->last)
		bucket->last->next = waiter;
	else
		bucket->first = waiter;
	bucket->last = waiter;
}

void page_bucket_remove(struct page_bucket *bucket, struct page_waiter *waiter)
{
	if (waiter->prev)
		waiter->prev->next = waiter->next;
	else
		bucket->first = waiter->next;
	if (waiter->next)
		waiter->next->prev = waiter->prev;
	else
		bucket->last = waiter->prev;
}

struct page_waiter *page_bucket_first(const struct page_bucket *bucket,
				      const struct cl_page *page, enum page_event event)
{
	for (struct page_waiter *w = bucket->first; w; w = w->next)
		if (w->page == page && w->event == event)
			return w;
	return NULL;
}

struct page_waiter *page_bucket_take_all(struct page_bucket *bucket,
					 const struct cl_page *page,
					 enum page_event event)
{
	struct page_waiter *chain = NULL, **link = &chain, *next;

	for (struct page_waiter *w = bucket->first; w; w = next) {
		next = w->next;
		if (w->page != page || w->event != event)
			continue;
		page_bucket_remove(bucket, w);
		w->next = NULL;
		*link = w;
		link = &w->next;
	}
	return chain;
}

static bool has_signal(const struct page_waiter *waiter)
{
	return atomic_load_explicit(&waiter->signal, memory_order_acquire) !=
	       PAGE_SIGNAL_NONE;
}

#ifdef FOLDFS_TEST_POINTS
static const char *const event_names[] = {
	[PAGE_EVENT_UNLOCKED] = "a page lock",
	[PAGE_EVENT_FILLED] = "a fill",
	[PAGE_EVENT_WRITTEN] = "a writeback",
};

static bool is_ready(const void *waiter)
{
	return has_signal(waiter);
}
#endif

int page_waiter_sleep(struct page_waiter *waiter, uint64_t deadline_ns)
{
	const struct timespec deadline = {(time_t)(deadline_ns / 1000000000u),
					  (long)(deadline_ns % 1000000000u)};
	const struct timespec *timeout =
		deadline_ns == PAGE_NO_DEADLINE ? NULL : &deadline;

#ifdef FOLDFS_TEST_POINTS
	if (cl_test_scheduler()) {
		cl_test_scheduler()->wait(event_names[waiter->event], is_ready, waiter,
					  deadline_ns);
		return has_signal(waiter) ? 0 : -ETIMEDOUT;
	}
#endif
	while (!has_signal(waiter)) {
		/* EAGAIN, EINTR, or a stray wake-up: look again in any case. */
		if (syscall(SYS_futex, &waiter->signal, FUTEX_WAIT_BITSET_PRIVATE,
			    PAGE_SIGNAL_NONE, timeout, NULL,
			    FUTEX_BITSET_MATCH_ANY) < 0 &&
		    errno == ETIMEDOUT)
			return -ETIMEDOUT;
	}
	return 0;
}

void page_waiter_wake(_Atomic uint32_t *word)
{
	if (word)
		(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void page_waiters_wake(struct page_waiter *chain)
{
	while (chain) {
		struct page_waiter *next = chain->next;
		_Atomic uint32_t *word = &chain->signal;

		/* From here on the waiter may be gone. */
		atomic_store_explicit(word, PAGE_SIGNAL_WOKEN, memory_order_release);
		page_waiter_wake(word);
		chain = next;
	}
}
