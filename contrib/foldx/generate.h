/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_GENERATE_H
#define FOLDX_GENERATE_H

/*
 * Choosing what to do next.
 */

#include "trace.h"

struct generator {
	uint64_t random; /* the seed, to begin with */
	unsigned weights[OP_KINDS];
	unsigned together_percent; /* how often others run beside a step */
};

/** Operations in a group, at most. */
#define GROUP_MAX TRACE_PROCESSES_MAX

/**
 * Choose a group: one operation that can be done now, perhaps after accesses that run
 * together with it.
 * @param ret_ops  room for GROUP_MAX
 * @return how many; 0: nothing of what has a weight can be done now
 */
size_t generate(struct generator *generator, const struct model *model,
		const struct limits *limits, struct operation *ret_ops);

#endif
