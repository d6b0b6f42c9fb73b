/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_RANGE_STATS_H
#define FUSEFS_RANGE_STATS_H

/*
 * What range operations have done: counters of a file, and of the whole mount.
 */

#include <stdatomic.h>

#include "cachelayer/range_op.h"

#define RANGE_OP_KINDS (CL_MOVE + 1)

/** Atomic, all of it. */
struct range_stats {
	_Atomic uint64_t done[RANGE_OP_KINDS];
	_Atomic uint64_t failed;
	_Atomic uint64_t notifications;
	_Atomic uint64_t flushes;
	_Atomic uint64_t rounds;
	_Atomic uint64_t rounds_max; /* of one operation */
	_Atomic uint64_t rescued;
	_Atomic uint64_t fences;
	_Atomic uint64_t fence_ns;
	_Atomic uint64_t pages_moved;
	_Atomic uint64_t closed_ns;
	_Atomic uint64_t closed_max_ns; /* by one operation */
	_Atomic uint64_t exclusive_ns;
	_Atomic uint64_t sizes_pending;
};

/** Count an operation: for its file, and once more for its mount. */
void range_stats_add(struct range_stats *stats, enum cl_range_op_kind kind,
		     const struct cl_range_op_report *report, int status);

#endif
