/* SPDX-License-Identifier: MIT */
/*
 * What it costs to enter and leave the gate when nobody keeps one out.
 *
 *	bench-gate WHAT THREADS MILLISECONDS
 *
 * WHAT is
 *	one      all threads in FILL entries of one mapping, each at pages of its own
 *	many     the same, each thread in a mapping of its own: no cache line is shared
 *	mutex    instead of the gate, two lock and unlock pairs of a mutex for each
 *		 thread: the floor for anything that takes a lock
 *	counter  two additions to one counter that all threads share
 *	apart    the same, a counter for each: the floor for anything at all
 *
 * One line comes out: pairs of entering and leaving per second, and ns for each pair
 * and thread.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cachelayer/cache.h"
#include "cachelayer/gate.h"
#include "cachelayer/mapping.h"
#include "cachelayer/store.h"

#define THREADS_MAX 64
#define PAGES_EACH  64

struct worker {
	pthread_t thread;
	unsigned number;
	struct cl_mapping *mapping;
	pthread_mutex_t mutex;
	_Atomic uint64_t *counter;
	_Atomic uint64_t own_counter;
	uint64_t pairs;
} __attribute__((aligned(128)));

static void (*enter_and_leave)(struct worker *w, uint64_t round);
static _Atomic bool stop;
static pthread_barrier_t start;
static _Atomic uint64_t shared_counter;

static void through_the_gate(struct worker *w, uint64_t round)
{
	const uint64_t page = (uint64_t)w->number * PAGES_EACH + round % PAGES_EACH;
	struct cl_gate_entry entry = {
		.range = {page << CL_PAGE_SHIFT, (page + 1) << CL_PAGE_SHIFT},
		.kind = CL_GATE_FILL,
		.caches = true};

	if (cl_gate_try_enter(w->mapping, &entry))
		cl_gate_leave(w->mapping, &entry);
}

static void through_a_mutex(struct worker *w, uint64_t round)
{
	(void)round;
	for (int i = 0; i < 2; i++) {
		pthread_mutex_lock(&w->mutex);
		pthread_mutex_unlock(&w->mutex);
	}
}

static void past_a_counter(struct worker *w, uint64_t round)
{
	(void)round;
	atomic_fetch_add_explicit(w->counter, 1, memory_order_acquire);
	atomic_fetch_sub_explicit(w->counter, 1, memory_order_release);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&start);
	for (; !atomic_load_explicit(&stop, memory_order_relaxed); w->pairs++)
		enter_and_leave(w, w->pairs);
	return NULL;
}

/* No page is ever asked for. */
static const struct cl_store_ops no_store = {0};

static struct cl_cache *create_cache(void)
{
	const struct cl_cache_config config = {.size_bytes = CL_CACHE_SIZE_MIN,
					       .max_request_bytes = CL_PAGE_SIZE,
					       .max_requests = 1};
	struct cl_cache *cache;

	return cl_cache_create(&config, &cache) == 0 ? cache : NULL;
}

static bool choose(const char *what, struct cl_cache *cache, struct worker *workers,
		   unsigned nthreads)
{
	const bool one = strcmp(what, "one") == 0;

	for (unsigned i = 0; i < nthreads; i++) {
		struct worker *w = &workers[i];

		w->number = i;
		w->mapping = workers[0].mapping;
		pthread_mutex_init(&w->mutex, NULL);
		w->counter = what[0] == 'c' ? &shared_counter : &w->own_counter;
		if ((i == 0 || !one) &&
		    cl_mapping_create(cache, &no_store, NULL, 1 << 30, &w->mapping) < 0)
			return false;
	}
	if (one || strcmp(what, "many") == 0)
		enter_and_leave = through_the_gate;
	else if (strcmp(what, "mutex") == 0)
		enter_and_leave = through_a_mutex;
	else if (strcmp(what, "counter") == 0 || strcmp(what, "apart") == 0)
		enter_and_leave = past_a_counter;
	return enter_and_leave;
}

static double measure(struct worker *workers, unsigned nthreads, unsigned ms)
{
	struct timespec begin, end;
	uint64_t pairs = 0;

	pthread_barrier_init(&start, NULL, nthreads + 1);
	for (unsigned i = 0; i < nthreads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			abort();
	pthread_barrier_wait(&start);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	usleep(ms * 1000);
	atomic_store(&stop, true);
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (unsigned i = 0; i < nthreads; i++) {
		pthread_join(workers[i].thread, NULL);
		pairs += workers[i].pairs;
	}
	return (double)pairs / ((double)(end.tv_sec - begin.tv_sec) +
				(double)(end.tv_nsec - begin.tv_nsec) / 1e9);
}

int main(int argc, char *argv[])
{
	static struct worker workers[THREADS_MAX];
	const unsigned nthreads = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
	struct cl_cache *cache = create_cache();

	if (nthreads == 0 || nthreads > THREADS_MAX || !cache ||
	    !choose(argv[1], cache, workers, nthreads)) {
		fprintf(stderr, "usage: bench-gate WHAT THREADS MILLISECONDS\n");
		return 2;
	}

	const double rate = measure(workers, nthreads, (unsigned)atoi(argv[3]));

	printf("%.0f pairs/s, %.1f ns each\n", rate, 1e9 * nthreads / rate);
	for (unsigned i = 0; i < nthreads; i++)
		if (i == 0 || workers[i].mapping != workers[0].mapping)
			cl_mapping_free(workers[i].mapping);
	cl_cache_free(cache);
	return 0;
}
