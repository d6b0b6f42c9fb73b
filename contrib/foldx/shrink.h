/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_SHRINK_H
#define FOLDX_SHRINK_H

/*
 * Making a failing trace as short as it can be.
 */

#include "trace.h"

/** Whether a trace still fails. */
typedef bool trace_fails_fn(void *arg, const struct trace *trace);

struct shrink_result {
	unsigned tried;	  /* traces */
	bool ended_early; /* the time was up before nothing more could be left out */
};

/**
 * Leave out operations, then make arguments smaller, as long as it still fails: delta
 * debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input", 2002). What remains fails, and with any single operation left out it does
 * not, unless it ended early.
 * @param trace    fails; replaced by the shortest that was found
 * @param seconds  not much longer than this
 * @return 0 or -ENOMEM; the trace is a failing one in either case
 */
int trace_shrink(struct trace *trace, trace_fails_fn *fails, void *arg,
		 unsigned seconds, struct shrink_result *ret_result);

#endif
