/* SPDX-License-Identifier: MIT */
/*
 * The rules of the invalidate gate: see cachelayer/gate.h. Nothing here changes an
 * entry or calls anybody.
 *
 * The kernel bounds the requests that it has under way, and a queue is walked only if
 * it has any of the kinds that matter to an entry; so with ten thousand READs parked,
 * none of them is compared with the others.
 */

#include "gate_rules.h"

#include <stdlib.h>

void gate_queue_append(struct gate_queue *queue, struct cl_gate_entry *entry)
{
	entry->next = NULL;
	entry->prev = queue->last;
	if (queue->last)
		queue->last->next = entry;
	else
		queue->first = entry;
	queue->last = entry;
	queue->count[entry->kind]++;
}

void gate_queue_remove(struct gate_queue *queue, struct cl_gate_entry *entry)
{
	if (entry->prev)
		entry->prev->next = entry->next;
	else
		queue->first = entry->next;
	if (entry->next)
		entry->next->prev = entry->prev;
	else
		queue->last = entry->prev;
	entry->next = entry->prev = NULL;
	queue->count[entry->kind]--;
}

/** Kinds that keep an entry out while they are granted. */
static unsigned kept_out_by_granted(enum cl_gate_kind kind)
{
	switch (kind) {
	case CL_GATE_FILL:
		return GATE_BIT(CL_GATE_CLOSE) | GATE_BIT(CL_GATE_EXCLUSIVE);
	case CL_GATE_WRITE:
		return GATE_BIT(CL_GATE_EXCLUSIVE);
	case CL_GATE_CLOSE:
		return GATE_BIT(CL_GATE_FILL);
	case CL_GATE_EXCLUSIVE:
		return GATE_BIT(CL_GATE_FILL) | GATE_BIT(CL_GATE_WRITE) |
		       GATE_BIT(CL_GATE_EXCLUSIVE);
	}
	abort();
}

/**
 * Kinds that keep an entry out while they were parked before it. A parked FILL or WRITE
 * keeps nobody out, but see overtakes(): what it waits for may itself be waiting for
 * the newcomer.
 */
static unsigned kept_out_by_parked(enum cl_gate_kind kind)
{
	switch (kind) {
	case CL_GATE_FILL:
		return GATE_BIT(CL_GATE_CLOSE) | GATE_BIT(CL_GATE_EXCLUSIVE);
	case CL_GATE_WRITE:
	case CL_GATE_EXCLUSIVE:
		return GATE_BIT(CL_GATE_EXCLUSIVE);
	case CL_GATE_CLOSE:
		return 0;
	}
	abort();
}

static bool has_any(const struct gate_queue *queue, unsigned kinds)
{
	for (unsigned kind = 0; kind < GATE_KINDS; kind++)
		if (GATE_BIT(kind) & kinds && queue->count[kind] > 0)
			return true;
	return false;
}

bool gate_conflicts(const struct gate_queue *queue, unsigned kinds,
		    const struct cl_gate_entry *entry)
{
	if (!has_any(queue, kinds))
		return false;
	for (const struct cl_gate_entry *e = queue->first; e && e != entry; e = e->next)
		if (GATE_BIT(e->kind) & kinds &&
		    cl_range_overlaps(e->range, entry->range))
			return true;
	return false;
}

/**
 * Whether an EXCLUSIVE would overtake a FILL or WRITE that was parked before it and
 * that EXCLUSIVEs alone keep out: those of other ranges could go on doing so for ever.
 * A FILL that a CLOSE keeps out does not count: it may be waiting for the newcomer.
 */
static bool overtakes(const struct invalidate_gate *gate,
		      const struct cl_gate_entry *entry)
{
	const unsigned shared = GATE_BIT(CL_GATE_FILL) | GATE_BIT(CL_GATE_WRITE);
	const unsigned close = GATE_BIT(CL_GATE_CLOSE);

	if (entry->kind != CL_GATE_EXCLUSIVE)
		return false;
	for (const struct cl_gate_entry *e = gate->parked.first; e && e != entry;
	     e = e->next)
		if (GATE_BIT(e->kind) & shared &&
		    cl_range_overlaps(e->range, entry->range) &&
		    (e->kind == CL_GATE_WRITE ||
		     !(gate_conflicts(&gate->granted, close, e) ||
		       gate_conflicts(&gate->parked, close, e))))
			return true;
	return false;
}

bool gate_may_enter(const struct invalidate_gate *gate,
		    const struct cl_gate_entry *entry)
{
	return !gate_conflicts(&gate->granted, kept_out_by_granted(entry->kind),
			       entry) &&
	       !gate_conflicts(&gate->parked, kept_out_by_parked(entry->kind), entry) &&
	       !overtakes(gate, entry);
}
