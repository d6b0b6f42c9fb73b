/* SPDX-License-Identifier: MIT */
/*
 * Range operations: the protocol, step by step. DESIGN.md tells why it is so, with the
 * races that each step is there for.
 */

#include "cachelayer/range_op.h"

#include <errno.h>

#include "cond.h"
#include "range_run.h"
#include "rekey.h"
#include "test_point.h"

const char *cl_range_op_name(enum cl_range_op_kind kind)
{
	static const char *const names[] = {
		[CL_COLLAPSE] = "collapse", [CL_INSERT] = "insert",
		[CL_PUNCH] = "punch",	    [CL_ZERO] = "zero",
		[CL_MOVE] = "move",
	};

	return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind]
							       : "operation";
}

/* ------------------------------------------------------------------- validation */

static bool aligned(uint64_t offset)
{
	return (offset & (CL_PAGE_SIZE - 1)) == 0;
}

static int check_move(const struct cl_range_op *op, uint64_t size)
{
	const struct cl_range source = {op->offset, op->offset + op->len};
	const struct cl_range destination = {op->destination,
					     op->destination + op->len};

	if (!aligned(op->destination) || op->destination > UINT64_MAX - op->len)
		return -EINVAL;
	if (source.end > size || destination.end > size ||
	    cl_range_overlaps(source, destination))
		return -EINVAL;
	return 0;
}

int cl_range_op_check(const struct cl_range_op *op, uint64_t size, uint64_t max_size)
{
	const bool whole_pages = op->kind != CL_PUNCH && op->kind != CL_ZERO;

	if (op->len == 0 || op->offset > INT64_MAX || op->len > INT64_MAX)
		return -EINVAL;
	if (whole_pages && (!aligned(op->offset) || !aligned(op->len)))
		return -EINVAL;
	switch (op->kind) {
	case CL_PUNCH:
	case CL_ZERO:
		return op->offset + op->len > max_size ? -EFBIG : 0;
	case CL_COLLAPSE:
		return op->offset + op->len >= size ? -EINVAL : 0;
	case CL_INSERT:
		if (op->offset >= size)
			return -EINVAL;
		return size > max_size || op->len > max_size - size ? -EFBIG : 0;
	case CL_MOVE:
		return check_move(op, size);
	}
	return -EINVAL;
}

/* --------------------------------------------------------------- what it touches */

static void find_affected(struct range_run *r)
{
	const struct cl_range_op *op = r->op;
	const struct cl_range source = {op->offset, op->offset + op->len};
	const struct cl_range destination = {op->destination,
					     op->destination + op->len};
	const bool down = op->destination < op->offset;

	switch (op->kind) {
	case CL_PUNCH:
	case CL_ZERO:
		r->affected[r->naffected++] = cl_range_page_align(source);
		break;
	case CL_COLLAPSE:
	case CL_INSERT:
		r->affected[r->naffected++] =
			(struct cl_range){op->offset, CL_RANGE_EOF};
		break;
	case CL_MOVE:
		r->affected[r->naffected++] = down ? destination : source;
		r->affected[r->naffected++] = down ? source : destination;
		break;
	}
	/* One entry for both ends of a move: two could each wait for half of another's.
	 * READs between them are parked for nothing, and only for as long. */
	r->span = (struct cl_range){r->affected[0].start,
				    r->affected[r->naffected - 1].end};
}

/* --------------------------------------------------------------------- steps 2 and 3
 */

static bool any_resident(struct range_run *r)
{
	struct cl_range run;

	if (CL_BROKEN(second_unmap) || CL_BROKEN(gate))
		return false;
	for (unsigned i = 0; i < r->naffected; i++)
		if (gate_next_resident(&r->mapping->gate, r->affected[i], 1, &run))
			return true;
	return false;
}

/**
 * With verification: whether the upper cache really has nothing. What it has joins the
 * resident set again, to be chased. It may be a folio that has just been allocated for
 * a READ that is on its way or parked; so only a page that is there again after it was
 * chased, and that no READ is parked for, was kept against what we said.
 * @return 1 if there was something, 0, or an error
 */
static int verify_empty(struct range_run *r)
{
	struct cl_cache *cache = r->mapping->cache;
	struct invalidate_gate *gate = &r->mapping->gate;

	if (!cache->config.verify || !r->upper_ops->find_cached)
		return 0;
	op_monitor_phase(&r->monitored, "verify", true);
	for (unsigned i = 0; i < r->naffected; i++) {
		uint64_t offset;
		const int ret =
			r->upper_ops->find_cached(r->upper, r->affected[i], &offset);

		if (ret < 0)
			return ret;
		if (ret == 0)
			continue;

		const struct cl_range page = {offset, offset + CL_PAGE_SIZE};

		if (gate_fill_parked(gate, page))
			continue;
		if (offset == r->suspect)
			cache_event(cache, CL_EVENT_STALE_PAGE, r->mapping,
				    page_index_of(offset), 1, 0);
		r->suspect = offset;
		gate_mark_resident(gate, page);
		return 1;
	}
	return 0;
}

/** Steps 2 and 3, up to an EXCLUSIVE entry with nothing resident (I2) and no WRITE of
 *  the range on its way (I9). */
static int close_and_chase(struct range_run *r)
{
	struct cl_mapping *mapping = r->mapping;
	uint64_t window = CHASE_WINDOW_MIN;

	op_monitor_phase(&r->monitored, "waiting for fills to end", true);
	CL_STEP(closing);
	if (!CL_BROKEN(gate))
		cl_gate_enter_wait(mapping, &r->close);
	CL_STEP(closed);
	for (;;) {
		int ret = chase(r, &window);

		if (ret == 0)
			ret = verify_empty(r);
		if (ret < 0)
			return ret;
		if (ret > 0)
			continue;
		CL_POINT(chased);
		ret = fence_enter_exclusive(r);
		if (ret < 0)
			return ret;
		if (ret == 0) {
			if (!any_resident(r))
				return 0;
			/* A READ that was rescued last has come in between. */
			cl_gate_leave(mapping, &r->exclusive);
		}
		if (++r->report.rounds > CHASE_ROUNDS_MAX)
			return -EBUSY;
	}
}

/* ------------------------------------------------------------------------ step 4 */

static int invalidate(struct range_run *r, uint64_t max_size,
		      int (*change_store)(void *arg), void *arg)
{
	struct cl_mapping *mapping = r->mapping;
	int ret;

	op_monitor_phase(&r->monitored, "changing the store", true);
	CL_STEP(empty);
	/* The size may have changed since the caller looked. */
	ret = cl_range_op_check(r->op, cl_mapping_size(mapping), max_size);
	if (ret == 0)
		ret = cl_writeback(mapping, r->span);
	if (ret == 0)
		ret = change_store(arg);
	CL_STEP(changed);
	if (ret == 0)
		r->report.pages_moved = rekey(mapping, r->op);
	CL_STEP(rekeyed);
	return ret;
}

/* ----------------------------------------------------------------- steps 5 and 6 */

/**
 * Open the gate, save past a new end. Nobody may be let in there before the upper cache
 * knows of the end: a fault would map zeros for a moment, which were there neither
 * before nor after.
 */
static void open_gate(struct range_run *r, uint64_t size_before)
{
	struct cl_mapping *mapping = r->mapping;
	const uint64_t size = cl_mapping_size(mapping);

	r->tail = (struct cl_gate_entry){
		.range = {offset_of_page(page_index_up(size)), CL_RANGE_EOF},
		.kind = CL_GATE_CLOSE,
	};
	r->shrunk = size < size_before && !CL_BROKEN(adoption);
	/* Nobody is inside: it is granted at once. */
	if (r->shrunk)
		cl_gate_enter_wait(mapping, &r->tail);
	if (!CL_BROKEN(gate))
		cl_gate_leave(mapping, &r->close);
}

static void unmap_again(struct range_run *r, uint64_t size_before)
{
	const uint64_t size = cl_mapping_size(r->mapping);

	op_monitor_phase(&r->monitored, "size adoption", r->shrunk);
	CL_STEP(opened);
	r->upper_ops->forget_attributes(r->upper);
	if (size != size_before && !CL_BROKEN(adoption)) {
		op_monitor_notify_begin(&r->monitored, r->tail.range, cl_now_ns(),
					true);
		r->report.size_pending =
			r->upper_ops->adopt_size(r->upper, size) == -EAGAIN;
		op_monitor_notify_end(&r->monitored);
	}
	CL_STEP(adopted);
	op_monitor_phase(&r->monitored, "done", false);
	if (r->shrunk)
		cl_gate_leave(r->mapping, &r->tail);
}

/* ------------------------------------------------------------------- all of them */

static int run_steps(struct range_run *r, uint64_t max_size,
		     int (*change_store)(void *arg), void *arg)
{
	struct cl_mapping *mapping = r->mapping;
	const uint64_t size_before = cl_mapping_size(mapping);
	int ret = cl_range_op_check(r->op, size_before, max_size);

	if (ret == 0)
		ret = chase_begin(r);
	if (ret < 0)
		return ret;

	const uint64_t closed_ns = cl_now_ns();

	ret = close_and_chase(r);
	if (ret == 0) {
		const uint64_t exclusive_ns = cl_now_ns();

		atomic_store(&mapping->size_told, false);
		ret = invalidate(r, max_size, change_store, arg);
		cl_gate_leave(mapping, &r->exclusive);
		r->report.exclusive_ns = cl_now_ns() - exclusive_ns;
	}
	open_gate(r, size_before);
	r->report.closed_ns = cl_now_ns() - closed_ns;
	if (ret == 0)
		unmap_again(r, size_before);
	else if (r->shrunk)
		cl_gate_leave(mapping, &r->tail);
	return ret;
}

void cl_size_told(struct cl_mapping *mapping)
{
	atomic_store(&mapping->size_told, true);
}

int cl_range_op_run(struct cl_mapping *mapping, const struct cl_range_op *op,
		    const struct cl_upper_ops *upper_ops, void *upper,
		    uint64_t max_size, int (*change_store)(void *arg), void *arg,
		    struct cl_range_op_report *ret_report)
{
	struct range_run r = {
		.mapping = mapping,
		.op = op,
		.upper_ops = upper_ops,
		.upper = upper,
		.suspect = UINT64_MAX,
		.monitored = {.mapping = mapping, .op = op},
	};
	int ret;

	find_affected(&r);
	r.close = (struct cl_gate_entry){.range = r.span, .kind = CL_GATE_CLOSE};
	r.exclusive =
		(struct cl_gate_entry){.range = r.span, .kind = CL_GATE_EXCLUSIVE};
	r.monitored.range = r.span;
	ret = op_monitor_begin(&r.monitored);
	if (ret < 0)
		return ret;
	ret = run_steps(&r, max_size, change_store, arg);
	op_monitor_end(&r.monitored);
	r.report.rescued += r.monitored.rescued;
	if (ret_report)
		*ret_report = r.report;
	return ret;
}
