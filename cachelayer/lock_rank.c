/* SPDX-License-Identifier: MIT */
/*
 * Lock rank checks: who holds what, in which order, taken where.
 *
 * Each thread keeps a list of the locks it holds. That is enough: a deadlock needs two
 * threads that each wait against the order, and each of them alone is caught here, also
 * on the days when they do not meet.
 */

#include "lock_rank.h"

#include <stdio.h>
#include <stdlib.h>

void cl_mutex_init(struct cl_mutex *m, enum cl_lock_rank rank, const char *name)
{
	pthread_mutex_init(&m->mutex, NULL);
#ifdef CL_DEBUG_LOCKS
	m->rank = rank;
	m->name = name;
#else
	(void)rank;
	(void)name;
#endif
}

void cl_mutex_destroy(struct cl_mutex *m)
{
	pthread_mutex_destroy(&m->mutex);
}

#ifdef CL_DEBUG_LOCKS

/* A write locks the pages of one request, 256 and two, and some mutexes below. */
#define MAX_HELD 1024

struct held_lock {
	const void *lock;
	enum cl_lock_rank rank;
	struct cl_lock_key key;
	const char *name;
	const char *site;
};

static _Thread_local struct held_lock held[MAX_HELD];
static _Thread_local size_t nheld;

static bool comes_after(const struct held_lock *h, enum cl_lock_rank rank,
			struct cl_lock_key key)
{
	if (h->rank != rank)
		return h->rank > rank;
	/* A page that has been removed belongs to no mapping, and keeps its index (I4). */
	if (h->key.major != 0 && key.major != 0 && h->key.major != key.major)
		return h->key.major > key.major;
	return h->key.minor >= key.minor;
}

static struct held_lock *find_held(const void *lock)
{
	for (size_t i = nheld; i > 0; i--)
		if (held[i - 1].lock == lock)
			return &held[i - 1];
	return NULL;
}

void cl_lock_debug_wait(const void *lock, enum cl_lock_rank rank, const char *name,
			struct cl_lock_key key, const char *site)
{
	const struct held_lock *own = find_held(lock);

	if (own) {
		fprintf(stderr,
			"cachelayer: self-deadlock: %s %p wanted at %s, "
			"already held since %s\n",
			name, lock, site, own->site);
		abort();
	}
	for (size_t i = 0; i < nheld; i++) {
		const struct held_lock *h = &held[i];

		if (!comes_after(h, rank, key))
			continue;
		fprintf(stderr,
			"cachelayer: lock order inversion: %s %p (rank %d, key "
			"%llx:%llu) wanted at %s, while %s %p (rank %d, key %llx:%llu) "
			"is held since %s\n",
			name, lock, rank, (unsigned long long)key.major,
			(unsigned long long)key.minor, site, h->name, h->lock, h->rank,
			(unsigned long long)h->key.major,
			(unsigned long long)h->key.minor, h->site);
		abort();
	}
}

void cl_lock_debug_acquired(const void *lock, enum cl_lock_rank rank, const char *name,
			    struct cl_lock_key key, const char *site)
{
	if (nheld == MAX_HELD) {
		fprintf(stderr, "cachelayer: more than %d locks held at %s\n", MAX_HELD,
			site);
		abort();
	}
	held[nheld++] = (struct held_lock){lock, rank, key, name, site};
}

void cl_lock_debug_release(const void *lock, const char *name, const char *site)
{
	struct held_lock *h = find_held(lock);

	if (!h) {
		fprintf(stderr, "cachelayer: %s %p released at %s, but not held\n",
			name, lock, site);
		abort();
	}
	for (struct held_lock *last = &held[--nheld]; h < last; h++)
		h[0] = h[1];
}

void cl_lock_debug_assert_held(const void *lock, const char *name, const char *site)
{
	if (find_held(lock))
		return;
	fprintf(stderr, "cachelayer: %s %p must be held at %s\n", name, lock, site);
	abort();
}

void cl_lock_debug_assert_not_held(enum cl_lock_rank rank, const char *site)
{
	for (size_t i = 0; i < nheld; i++) {
		if (held[i].rank != rank)
			continue;
		fprintf(stderr, "cachelayer: %s %p, taken at %s, is still held at %s\n",
			held[i].name, held[i].lock, held[i].site, site);
		abort();
	}
}

void cl_mutex_lock_at(struct cl_mutex *m, const char *site)
{
	const struct cl_lock_key key = {(uintptr_t)m, 0};

	cl_lock_debug_wait(m, m->rank, m->name, key, site);
	pthread_mutex_lock(&m->mutex);
	cl_lock_debug_acquired(m, m->rank, m->name, key, site);
}

void cl_mutex_unlock_at(struct cl_mutex *m, const char *site)
{
	cl_lock_debug_release(m, m->name, site);
	pthread_mutex_unlock(&m->mutex);
}

#endif
