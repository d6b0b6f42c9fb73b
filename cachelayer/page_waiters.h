/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_PAGE_WAITERS_H
#define CACHELAYER_PAGE_WAITERS_H

/*
 * Who sleeps for a page: a hashed table of queues, one for the whole process.
 *
 * A page has no room for a queue. Its waiters stand, in order of arrival, in the bucket
 * that the page's address hashes to, each with a node on its own stack and a futex word
 * of its own (Linux: folio_wait_table; WebKit's and Rust's "parking lot"). So whoever
 * wakes chooses whom, and two pages that share a bucket only share a mutex for a
 * moment.
 *
 * The page's waiters' bits say that somebody has to look here. They are set, and the
 * queue changes, under the bucket's mutex alone; DESIGN.md, "6. Locks", has the whole
 * protocol, and tests/model/page_lock.pml checks it.
 */

#include "lock_rank.h"
#include "page.h"

/** What a waiter waits for. */
enum page_event {
	PAGE_EVENT_UNLOCKED, /* it wants the lock */
	PAGE_EVENT_FILLED,   /* the end of a fill */
	PAGE_EVENT_WRITTEN,  /* the end of a writeback */
};

/** What a waiter has been told. */
enum page_signal {
	PAGE_SIGNAL_NONE,
	PAGE_SIGNAL_WOKEN,   /* look again; still in the queue if it wants the lock */
	PAGE_SIGNAL_GRANTED, /* the lock is yours; no longer in the queue */
};

struct page_waiter {
	/* Set once. */
	const struct cl_page *page;
	enum page_event event;

	/* Guarded by the bucket. */
	uint32_t overtakings_left;
	struct page_waiter *next, *prev;

	/* Atomic: enum page_signal, the word that it sleeps on. */
	_Atomic uint32_t signal;
};

/** The queue of all pages with one hash. */
struct page_bucket {
	struct cl_mutex lock;
	/* Guarded by lock. */
	struct page_waiter *first, *last;
};

/** The page's bucket, locked; a leaf of the lock tree. */
struct page_bucket *page_bucket_lock(const struct cl_page *page);
void page_bucket_unlock(struct page_bucket *bucket);

void page_bucket_append(struct page_bucket *bucket, struct page_waiter *waiter);
void page_bucket_remove(struct page_bucket *bucket, struct page_waiter *waiter);
/** Whoever waits longest for this of this page, or NULL. */
struct page_waiter *page_bucket_first(const struct page_bucket *bucket,
				      const struct cl_page *page,
				      enum page_event event);
/** Take all that wait for this out of the queue; a chain by their `next`. */
struct page_waiter *page_bucket_take_all(struct page_bucket *bucket,
					 const struct cl_page *page,
					 enum page_event event);

/**
 * Sleep until there is a signal.
 * @param deadline_ns  of CLOCK_MONOTONIC, or PAGE_NO_DEADLINE
 * @return 0, or -ETIMEDOUT: no signal had come when it was last looked at
 */
int page_waiter_sleep(struct page_waiter *waiter, uint64_t deadline_ns);
#define PAGE_NO_DEADLINE UINT64_MAX

/** Wake a waiter whose signal has been set under the bucket. The waiter may have gone
 *  meanwhile: its word is only an address here. NULL wakes nobody. */
void page_waiter_wake(_Atomic uint32_t *word);
/** Signal WOKEN to a chain that page_bucket_take_all() made, and wake them. */
void page_waiters_wake(struct page_waiter *chain);

#endif
