/* SPDX-License-Identifier: MIT */
/* Wait times, in buckets that double: see struct cl_wait_stats. */

#include "wait_class.h"

#include "cond.h"
#include "trace.h"

/** Bucket 0 is below 2^CL_WAIT_SHIFT ns, each further one twice as wide. */
static unsigned bucket_of(uint64_t ns)
{
	const uint64_t units = ns >> CL_WAIT_SHIFT;
	const unsigned bucket = units ? 64u - (unsigned)__builtin_clzll(units) : 0;

	return bucket < CL_WAIT_BUCKETS ? bucket : CL_WAIT_BUCKETS - 1;
}

void wait_class_add(struct wait_class *waits, uint64_t since_ns)
{
	const uint64_t ns = cl_elapsed_ns(since_ns, cl_now_ns());
	uint64_t longest =
		atomic_load_explicit(&waits->longest_ns, memory_order_relaxed);

	CL_TRACE2(waited, waits->kind, ns);
	atomic_fetch_add_explicit(&waits->buckets[bucket_of(ns)], 1,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&waits->total_ns, ns, memory_order_relaxed);
	while (ns > longest && !atomic_compare_exchange_weak_explicit(
				       &waits->longest_ns, &longest, ns,
				       memory_order_relaxed, memory_order_relaxed))
		;
}

void wait_class_get(const struct wait_class *waits, struct cl_wait_stats *ret_stats)
{
	struct cl_wait_stats stats = {
		.total_ns = atomic_load(&waits->total_ns),
		.longest_ns = atomic_load(&waits->longest_ns),
		.overtaken = atomic_load(&waits->overtaken),
		.handed_over = atomic_load(&waits->handed_over),
	};

	for (unsigned i = 0; i < CL_WAIT_BUCKETS; i++) {
		stats.buckets[i] = atomic_load(&waits->buckets[i]);
		stats.waits += stats.buckets[i];
	}
	*ret_stats = stats;
}
