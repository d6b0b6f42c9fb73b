/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_RANGE_RUN_H
#define CACHELAYER_RANGE_RUN_H

/*
 * One range operation while it runs: what its steps share (range_op.c), and the parts
 * of them that have the upper cache let go (chase.c), of what it has sent, too
 * (fence.c).
 */

#include "mapping_internal.h"
#include "op_monitor.h"
#include "test_point.h"

struct range_run {
	struct cl_mapping *mapping;
	const struct cl_range_op *op;
	const struct cl_upper_ops *upper_ops;
	void *upper;
	struct cl_range affected[2]; /* what the upper cache must drop; ascending */
	unsigned naffected;
	struct cl_range span; /* from the first to the last of it */
	struct cl_gate_entry close;
	struct cl_gate_entry exclusive;
	struct cl_gate_entry
		tail; /* past a new end, until the upper cache knows of it */
	bool shrunk;
	uint64_t suspect; /* offset of a page found by verification; UINT64_MAX: none */
	struct monitored_op monitored;
	struct cl_range_op_report report;
};

/**
 * Steps 0 and 1: have the upper cache write back and drop most of the affected ranges,
 * with the gate open. It need not get far: it only shortens the chase.
 * @return 0, or what cl_upper_ops.invalidate() failed with
 */
int chase_begin(struct range_run *run);

/**
 * Step 3: until nothing of the affected ranges is resident. Gate: CLOSE over the span.
 * @param window  pages to notify at a time; CHASE_WINDOW_MIN at first, adapted
 * @return 0; -EBUSY after too many rounds; what cl_upper_ops.invalidate() failed with
 */
int chase(struct range_run *run, uint64_t *window);

/**
 * The fence, and the EXCLUSIVE entry of step 4. Gate: CLOSE over the span; nothing of
 * the affected ranges resident.
 * @return 0 with run->exclusive granted: no WRITE of these ranges is on its way; 1
 *         without it: something was, or READs that are parked were in the way, chase
 *         again; -EBUSY after too many times; what cl_upper_ops.fence() failed with
 */
int fence_enter_exclusive(struct range_run *run);

#define CHASE_WINDOW_MIN ((uint64_t)CL_SCALED(16, 2))

/* Ten are plenty; so many mean that the upper cache does not do what it says. */
#define CHASE_ROUNDS_MAX 1000

#endif
