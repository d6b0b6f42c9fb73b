/* SPDX-License-Identifier: MIT */
/*
 * Whom the gate lets in against its rules: a READ that is parked for an operation whose
 * notification waits for it. It is answered from the state before.
 */

#include <assert.h>

#include "cond.h"
#include "gate_internal.h"
#include "gate_rules.h"
#include "pace.h"

static size_t grant_in_the_way(struct invalidate_gate *gate, struct cl_range range,
			       uint64_t since_ns, uint64_t until_ns,
			       struct gate_call_list *list)
{
	const unsigned exclusive = GATE_BIT(CL_GATE_EXCLUSIVE);
	struct cl_gate_entry *next;
	size_t rescued = 0;

	cl_mutex_assert_held(&gate->lock);
	for (struct cl_gate_entry *e = gate->parked.first; e; e = next) {
		next = e->next;
		if (e->kind != CL_GATE_FILL || e->arrival_ns < since_ns ||
		    e->arrival_ns > until_ns || !cl_range_overlaps(e->range, range) ||
		    gate_conflicts(&gate->granted, exclusive, e) ||
		    gate_conflicts(&gate->parked, exclusive, e))
			continue;
		e->rescued = true;
		gate_grant_parked(gate, e, list);
		rescued++;
	}
	return rescued;
}

size_t gate_rescue(struct invalidate_gate *gate, struct cl_range range,
		   uint64_t since_ns, uint64_t until_ns)
{
	struct gate_call_list list = {NULL, &list.first};

	cl_mutex_lock(&gate->lock);
	const size_t rescued = grant_in_the_way(gate, range, since_ns, until_ns, &list);

	cl_mutex_unlock(&gate->lock);
	gate_call_granted(&list);
	return rescued;
}

void gate_notice_begin(struct invalidate_gate *gate, struct cl_range range,
		       uint64_t since_ns)
{
	cl_mutex_lock(&gate->lock);
	assert(!gate->notice.in_flight);
	notice_begin(&gate->notice, range, since_ns);
	/* The notification waits for fills that are under way, too. */
	for (const struct cl_gate_entry *e = gate->granted.first; e; e = e->next)
		if (e->kind == CL_GATE_FILL)
			notice_fill_came(&gate->notice, e->range);
	cl_mutex_unlock(&gate->lock);
}

uint64_t gate_notice_end(struct invalidate_gate *gate)
{
	cl_mutex_lock(&gate->lock);
	const uint64_t silent_ns = notice_end(&gate->notice, cl_now_ns());

	cl_mutex_unlock(&gate->lock);
	return silent_ns;
}

/** Whether the notification is so silent that it must be something unlikely. */
static bool waits_for_anybody(const struct notice *notice, uint64_t silent_ns,
			      uint64_t patience_ns, uint64_t now_ns)
{
	return silent_ns >= GATE_ALL_AFTER_NS ||
	       silent_ns >= GATE_ALL_PATIENCES * patience_ns ||
	       cl_elapsed_ns(notice->all_ns, now_ns) >= GATE_ALL_AFTER_NS;
}

size_t gate_rescue_silent(struct invalidate_gate *gate, uint64_t patience_ns,
			  uint64_t now_ns)
{
	struct notice *notice = &gate->notice;
	struct gate_call_list list = {NULL, &list.first};
	size_t rescued = 0;

	/* Whatever was measured: rescue comes. */
	assert(patience_ns >= PACE_FLOOR_NS && patience_ns <= PACE_CEILING_NS);
	cl_mutex_lock(&gate->lock);
	const uint64_t silent_ns = notice_silent_ns(notice, now_ns);

	if (!notice->in_flight) {
		/* It has ended meanwhile. */
	} else if (waits_for_anybody(notice, silent_ns, patience_ns, now_ns)) {
		notice->all_ns = now_ns;
		rescued = grant_in_the_way(gate, (struct cl_range){0, CL_RANGE_EOF}, 0,
					   now_ns, &list);
	} else if (silent_ns >= patience_ns) {
		rescued = grant_in_the_way(gate, notice->range, notice->since_ns,
					   now_ns - patience_ns, &list);
	}
	cl_mutex_unlock(&gate->lock);
	gate_call_granted(&list);
	return rescued;
}
