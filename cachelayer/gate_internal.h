/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_GATE_INTERNAL_H
#define CACHELAYER_GATE_INTERNAL_H

#include "invalidate_gate.h"

/** Entries granted under the gate's lock, whose callbacks run after it. */
struct gate_call_list {
	struct cl_gate_entry *first;
	struct cl_gate_entry **link;
};

/**
 * Grant an entry that is parked.
 * Required: the gate's lock.
 * @param list  gate_call_granted() calls it back
 */
void gate_grant_parked(struct invalidate_gate *gate, struct cl_gate_entry *entry,
		       struct gate_call_list *list);
/** Call back whom gate_grant_parked() let in. Required: not the gate's lock. */
void gate_call_granted(const struct gate_call_list *list);

/** A range of bytes as page indexes, for the resident set. */
void gate_pages_of(struct cl_range range, uint64_t *ret_start, uint64_t *ret_end);

#endif
