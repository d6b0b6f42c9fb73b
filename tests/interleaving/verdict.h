/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTERLEAVING_VERDICT_H
#define TESTS_INTERLEAVING_VERDICT_H

/*
 * What must hold whatever the schedule: the library's invariants as the kernel knows
 * them. Whatever does not is told to k->wrong(), which does not return.
 */

#include "sim_kernel.h"

/** I1: what the upper cache has is in the resident set. */
void verdict_resident(struct sim_kernel *k);
/** I2: at step 4 nothing of the range is in the upper cache. For k->at_change. */
void verdict_change(struct sim_kernel *k, const struct cl_range_op *op);
/** What is mapped is in the upper cache; a private copy past the end is gone. Everybody
 *  has ended. */
void verdict_mappings(struct sim_kernel *k);
/** Neither cache has anything that the store has not, and the sizes agree. Everybody
 * has ended, and what was dirty has been written. */
void verdict_contents(struct sim_kernel *k);

#endif
