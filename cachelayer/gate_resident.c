/* SPDX-License-Identifier: MIT */
/* What the upper cache may hold of a file: the gate's resident set, in bytes. */

#include "gate_internal.h"
#include "mapping_internal.h"

void gate_pages_of(struct cl_range range, uint64_t *ret_start, uint64_t *ret_end)
{
	*ret_start = page_index_of(range.start);
	*ret_end = range.end == CL_RANGE_EOF ? UINT64_MAX : page_index_up(range.end);
}

void gate_strike(struct invalidate_gate *gate, struct cl_range *range)
{
	uint64_t start, end;

	cl_mutex_lock(&gate->lock);
	for (const struct cl_gate_entry *e = gate->parked.first; e; e = e->next)
		if (e->kind == CL_GATE_FILL && e->caches && !e->maybe_direct &&
		    e->range.start > range->start && e->range.start < range->end)
			range->end = e->range.start;
	if (gate->resident.everything)
		*range = (struct cl_range){0, CL_RANGE_EOF};
	gate_pages_of(*range, &start, &end);
	resident_set_remove(&gate->resident, start, end);
	cl_mutex_unlock(&gate->lock);
}

void gate_mark_resident(struct invalidate_gate *gate, struct cl_range range)
{
	uint64_t start, end;

	gate_pages_of(range, &start, &end);
	cl_mutex_lock(&gate->lock);
	resident_set_add(&gate->resident, start, end);
	cl_mutex_unlock(&gate->lock);
}

bool gate_next_resident(struct invalidate_gate *gate, struct cl_range range,
			uint64_t max_pages, struct cl_range *ret_run)
{
	uint64_t start, end;

	gate_pages_of(range, &start, &end);
	cl_mutex_lock(&gate->lock);
	const bool found = resident_set_next_run(&gate->resident, start, end, max_pages,
						 &start, &end);

	cl_mutex_unlock(&gate->lock);
	if (found)
		*ret_run = (struct cl_range){offset_of_page(start),
					     end >= UINT64_MAX >> CL_PAGE_SHIFT
						     ? CL_RANGE_EOF
						     : offset_of_page(end)};
	return found;
}

bool cl_mapping_is_resident(struct cl_mapping *mapping, struct cl_range range)
{
	struct cl_range run;

	return gate_next_resident(&mapping->gate, range, 1, &run);
}
