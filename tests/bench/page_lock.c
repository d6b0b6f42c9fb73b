/* SPDX-License-Identifier: MIT */
/*
 * One measurement of a lock: threads that take one of some locks, hold it, let go.
 *
 *	bench-page-lock LOCK THREADS LOCKS HOLD_NS MILLISECONDS
 *
 * LOCK is
 *	bounded-N  the page lock that lets a waiter be overtaken N times
 *	strict     the same, never
 *	unfair     the same, for ever
 *	dirty      bounded-5, of dirty pages
 *	futex      what the page lock was until it was made fair: Drepper's mutex 3 on
 *		   the page's word
 *	mutex, adaptive
 *		   of pthreads
 *	ticket     spinning, and yielding the processor now and then
 *
 * One line comes out: acquisitions per second; the 99th and the 99.99th percentile of
 * waits and the longest, in ns, of all acquisitions, those of a free lock being 0;
 * waiters overtaken as the lock counts it; the most acquisitions by others between an
 * arrival and its turn; context switches. tests/bench/page_lock makes tables of it.
 */

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "page_lock.h"

#define THREADS_MAX 256

static struct wait_class waits;

/* ------------------------------------------------------------------------ the locks */

struct ticket_lock {
	_Atomic uint32_t next, serving;
};

/* One lock and what it guards. */
struct guarded {
	union {
		struct cl_page page;
		_Atomic uint32_t futex;
		pthread_mutex_t mutex;
		struct ticket_lock ticket;
	};
	uint64_t served; /* guarded; read without the lock by arrivals */
} __attribute__((aligned(128)));

struct lock_ops {
	bool (*try_lock)(struct guarded *g);
	void (*lock)(struct guarded *g);
	void (*unlock)(struct guarded *g);
};

static bool bounded_try(struct guarded *g)
{
	return page_trylock(&g->page);
}

static void bounded_lock(struct guarded *g)
{
	page_lock(&g->page, &waits);
}

static void bounded_unlock(struct guarded *g)
{
	page_unlock(&g->page);
}

/* Drepper, "Futexes Are Tricky", mutex 3: 0 free, 1 locked, 2 somebody may sleep. */
static bool futex_try(struct guarded *g)
{
	uint32_t expected = 0;

	return atomic_compare_exchange_strong(&g->futex, &expected, 1);
}

static void futex_lock(struct guarded *g)
{
	for (int i = 0; i < 40; i++) {
		if (atomic_load_explicit(&g->futex, memory_order_relaxed) == 0 &&
		    futex_try(g))
			return;
		__builtin_ia32_pause();
	}
	while (atomic_exchange(&g->futex, 2) != 0)
		syscall(SYS_futex, &g->futex, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
}

static void futex_unlock(struct guarded *g)
{
	if (atomic_exchange(&g->futex, 0) == 2)
		syscall(SYS_futex, &g->futex, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static bool mutex_try(struct guarded *g)
{
	return pthread_mutex_trylock(&g->mutex) == 0;
}

static void mutex_lock(struct guarded *g)
{
	pthread_mutex_lock(&g->mutex);
}

static void mutex_unlock(struct guarded *g)
{
	pthread_mutex_unlock(&g->mutex);
}

static bool ticket_try(struct guarded *g)
{
	uint32_t serving = atomic_load(&g->ticket.serving);

	return atomic_compare_exchange_strong(&g->ticket.next, &serving, serving + 1);
}

static void ticket_lock(struct guarded *g)
{
	const uint32_t mine = atomic_fetch_add(&g->ticket.next, 1);

	for (unsigned i = 0; atomic_load(&g->ticket.serving) != mine; i++) {
		if (i % 128 == 127)
			sched_yield();
		__builtin_ia32_pause();
	}
}

static void ticket_unlock(struct guarded *g)
{
	atomic_fetch_add(&g->ticket.serving, 1);
}

static const struct lock_ops bounded_ops = {bounded_try, bounded_lock, bounded_unlock};
static const struct lock_ops futex_ops = {futex_try, futex_lock, futex_unlock};
static const struct lock_ops mutex_ops = {mutex_try, mutex_lock, mutex_unlock};
static const struct lock_ops ticket_ops = {ticket_try, ticket_lock, ticket_unlock};

static void init_mutex(struct guarded *g, int type)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutex_init(&g->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
}

static const struct lock_ops *choose(const char *name, struct guarded *locks, size_t n)
{
	if (strcmp(name, "mutex") == 0 || strcmp(name, "adaptive") == 0) {
		for (size_t i = 0; i < n; i++)
			init_mutex(&locks[i], name[0] == 'm'
						      ? PTHREAD_MUTEX_NORMAL
						      : PTHREAD_MUTEX_ADAPTIVE_NP);
		return &mutex_ops;
	}
	if (strcmp(name, "futex") == 0)
		return &futex_ops;
	if (strcmp(name, "ticket") == 0)
		return &ticket_ops;
	if (strcmp(name, "strict") == 0)
		waits.unfairness = 0;
	else if (strcmp(name, "dirty") == 0)
		waits.unfairness = CL_PAGE_LOCK_UNFAIRNESS;
	else if (strcmp(name, "unfair") == 0)
		waits.unfairness = UINT32_MAX;
	else if (strncmp(name, "bounded-", 8) == 0)
		waits.unfairness = (uint32_t)atoi(name + 8);
	else
		return NULL;
	/* As a cached page: nobody is filling it. */
	for (size_t i = 0; i < n; i++)
		atomic_store(&locks[i].page.state, name[0] == 'd'
							   ? PAGE_UPTODATE | PAGE_DIRTY
							   : PAGE_UPTODATE);
	return &bounded_ops;
}

/* --------------------------------------------------------------------- waiting times
 */

/* Sixteen buckets for each doubling. */
#define SUB_SHIFT 4
#define BUCKETS	  (64 << SUB_SHIFT)

struct times {
	uint64_t count[BUCKETS];
	uint64_t longest_ns;
};

static unsigned bucket_of(uint64_t ns)
{
	if (ns < 1u << SUB_SHIFT)
		return (unsigned)ns;

	const unsigned top = 63u - (unsigned)__builtin_clzll(ns);

	return ((top - SUB_SHIFT + 1) << SUB_SHIFT) +
	       (unsigned)((ns >> (top - SUB_SHIFT)) & ((1u << SUB_SHIFT) - 1));
}

static uint64_t lower_bound(unsigned bucket)
{
	const unsigned octave = bucket >> SUB_SHIFT;
	const uint64_t sub = bucket & ((1u << SUB_SHIFT) - 1);

	return octave == 0 ? sub : (sub | 1u << SUB_SHIFT) << (octave - 1);
}

static uint64_t percentile(const struct times *times, uint64_t total, double part)
{
	const uint64_t wanted = (uint64_t)((double)total * part);
	uint64_t seen = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += times->count[i];
		if (seen > wanted)
			return lower_bound(i);
	}
	return times->longest_ns;
}

/* ----------------------------------------------------------------------- the threads
 */

static const struct lock_ops *ops;
static struct guarded *locks;
static uint64_t nlocks, hold_ns;
static _Atomic bool stop;
static pthread_barrier_t start;

struct worker {
	pthread_t thread;
	unsigned long dice;
	uint64_t acquired;
	uint64_t passed_max;
	struct times times;
} __attribute__((aligned(128)));

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Work under the lock: by the thread's own clock, so that a thread which is preempted
 * meanwhile holds it for longer, as a real one would. */
static void hold(void)
{
	struct timespec ts;
	uint64_t now, end = 0;

	if (hold_ns == 0)
		return;
	do {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		now = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
		if (end == 0)
			end = now + hold_ns;
	} while (now < end);
}

static void take_turn(struct worker *w)
{
	w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;

	struct guarded *g = &locks[nlocks == 1 ? 0 : (w->dice >> 33) % nlocks];
	const uint64_t arrival = __atomic_load_n(&g->served, __ATOMIC_RELAXED);
	uint64_t waited_ns = 0;

	if (!ops->try_lock(g)) {
		const uint64_t since_ns = now_ns();

		ops->lock(g);
		waited_ns = now_ns() - since_ns;
	}

	const uint64_t passed = g->served - arrival;

	__atomic_store_n(&g->served, g->served + 1, __ATOMIC_RELAXED);
	hold();
	ops->unlock(g);
	if (passed > w->passed_max)
		w->passed_max = passed;
	w->acquired++;
	w->times.count[bucket_of(waited_ns)]++;
	if (waited_ns > w->times.longest_ns)
		w->times.longest_ns = waited_ns;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&start);
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		take_turn(w);
	return NULL;
}

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw + usage.ru_nivcsw;
}

static void report(const struct worker *workers, unsigned nthreads, double seconds,
		   long switched)
{
	static struct times all;
	uint64_t acquired = 0, passed_max = 0;

	for (const struct worker *w = workers; w < workers + nthreads; w++) {
		acquired += w->acquired;
		if (w->passed_max > passed_max)
			passed_max = w->passed_max;
		for (unsigned i = 0; i < BUCKETS; i++)
			all.count[i] += w->times.count[i];
		if (w->times.longest_ns > all.longest_ns)
			all.longest_ns = w->times.longest_ns;
	}
	printf("%.0f %llu %llu %llu %llu %llu %ld\n", (double)acquired / seconds,
	       (unsigned long long)percentile(&all, acquired, 0.99),
	       (unsigned long long)percentile(&all, acquired, 0.9999),
	       (unsigned long long)all.longest_ns,
	       (unsigned long long)atomic_load(&waits.overtaken),
	       (unsigned long long)passed_max, switched);
}

int main(int argc, char *argv[])
{
	static struct worker workers[THREADS_MAX];
	const unsigned nthreads = argc == 6 ? (unsigned)atoi(argv[2]) : 0;

	nlocks = argc == 6 ? strtoull(argv[3], NULL, 10) : 0;
	if (nthreads == 0 || nthreads > THREADS_MAX || nlocks == 0)
		goto usage;
	hold_ns = strtoull(argv[4], NULL, 10);
	locks = aligned_alloc(128, nlocks * sizeof(*locks));
	if (!locks)
		return 1;
	memset(locks, 0, nlocks * sizeof(*locks));
	ops = choose(argv[1], locks, nlocks);
	if (!ops)
		goto usage;
	pthread_barrier_init(&start, NULL, nthreads + 1);
	for (unsigned i = 0; i < nthreads; i++) {
		workers[i].dice = i + 1;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 1;
	}
	pthread_barrier_wait(&start);

	const long before = switches();
	const uint64_t begin_ns = now_ns();

	usleep((useconds_t)atoi(argv[5]) * 1000);
	atomic_store(&stop, true);

	const double seconds = (double)(now_ns() - begin_ns) / 1e9;
	const long switched = switches() - before;

	for (unsigned i = 0; i < nthreads; i++)
		pthread_join(workers[i].thread, NULL);
	report(workers, nthreads, seconds, switched);
	free(locks);
	return 0;
usage:
	fprintf(stderr,
		"usage: bench-page-lock LOCK THREADS LOCKS HOLD_NS MILLISECONDS\n");
	return 2;
}
