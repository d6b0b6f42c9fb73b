/* SPDX-License-Identifier: MIT */
/* Counters of range operations. */

#include "range_stats.h"

static void raise_to(_Atomic uint64_t *max, uint64_t value)
{
	uint64_t old = atomic_load(max);

	while (old < value && !atomic_compare_exchange_weak(max, &old, value))
		;
}

void range_stats_add(struct range_stats *stats, enum cl_range_op_kind kind,
		     const struct cl_range_op_report *report, int status)
{
	if (status == 0)
		atomic_fetch_add(&stats->done[kind], 1);
	else
		atomic_fetch_add(&stats->failed, 1);
	atomic_fetch_add(&stats->notifications, report->notifications);
	atomic_fetch_add(&stats->flushes, report->flushes);
	atomic_fetch_add(&stats->rounds, report->rounds);
	atomic_fetch_add(&stats->rescued, report->rescued);
	atomic_fetch_add(&stats->fences, report->fences);
	atomic_fetch_add(&stats->fence_ns, report->fence_ns);
	atomic_fetch_add(&stats->pages_moved, report->pages_moved);
	atomic_fetch_add(&stats->closed_ns, report->closed_ns);
	atomic_fetch_add(&stats->exclusive_ns, report->exclusive_ns);
	atomic_fetch_add(&stats->sizes_pending, report->size_pending);
	raise_to(&stats->rounds_max, report->rounds);
	raise_to(&stats->closed_max_ns, report->closed_ns);
}
