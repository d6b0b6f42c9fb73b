/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_GATE_RULES_H
#define CACHELAYER_GATE_RULES_H

#include "invalidate_gate.h"

/* Required of the callers of all of these: the gate's lock. */

void gate_queue_append(struct gate_queue *queue, struct cl_gate_entry *entry);
void gate_queue_remove(struct gate_queue *queue, struct cl_gate_entry *entry);

/**
 * Whether an entry of one of these kinds is in the queue and touches the range of this
 * one; if this one is in the queue itself, those before it are meant.
 * @param kinds  GATE_BIT() of each
 */
bool gate_conflicts(const struct gate_queue *queue, unsigned kinds,
		    const struct cl_gate_entry *entry);

/**
 * Whether the rules let an entry in now. A parked entry is compared with those parked
 * before it only; a new one with all.
 */
bool gate_may_enter(const struct invalidate_gate *gate,
		    const struct cl_gate_entry *entry);

#endif
