/* SPDX-License-Identifier: MIT */
/*
 * Steps 0, 1 and 3 of a range operation: having the upper cache let go.
 *
 * It lets go of clean pages in no time. Of dirty ones it brings each down in a WRITE of
 * its own and waits for the answer: a round trip for a page, while whoever has the rest
 * mapped dirties more. So pages go a window at a time, and what a window costs tells
 * what to do next: if WRITEs came down one page at a time, the upper cache is asked for
 * the others in bulk, which it sends in large WRITEs; and if that did not help because
 * somebody dirties them faster than they can leave, step 1 is given up. With the gate
 * closed, the next fault keeps him out.
 */

#include <errno.h>

#include "cond.h"
#include "range_run.h"
#include "test_point.h"

/*
 * The window grows while notifications are quick, as they are over ground that the
 * upper cache has left, and shrinks when they are slow. READs that arrive for a window
 * of the chase while it is being notified wait for that; and dirty pages may lie behind
 * any number of clean ones, which are no reason to take thousands at once.
 */
#define WINDOW_MAX_PAGES ((uint64_t)1 << 20)
/* In steps of this machine (pace.h), which are 200 us on a quick one. */
static bool is_quick(uint64_t took_ns, uint64_t step_ns)
{
	return took_ns < step_ns / 2;
}

static bool is_slow(uint64_t took_ns, uint64_t step_ns)
{
	return took_ns > step_ns * 5 / 2;
}

/* The first one with the gate open, where nobody waits for it. */
#define OPEN_WINDOW    ((uint64_t)CL_SCALED(64, 2))
/* Fewer WRITEs are not worth a bulk flush, which is some system calls. */
#define ONE_BY_ONE_MIN CL_SCALED(8, 1)

/**
 * The upper cache has not dropped what was struck, or not all of it: then it may still
 * have any page of it, up to the end of the file.
 */
static void take_back(struct range_run *run, struct cl_range range)
{
	const uint64_t end =
		offset_of_page(page_index_up(cl_mapping_size(run->mapping)));

	if (range.end > end)
		range.end = end;
	if (range.start < range.end)
		gate_mark_resident(&run->mapping->gate, range);
}

/* What a notification has cost. */
struct cost {
	uint64_t ns;
	uint64_t step_ns;     /* of this machine */
	uint64_t page_writes; /* WRITEs of one page that arrived meanwhile */
};

/**
 * Strike a range from the resident set, and have the upper cache drop it.
 * @param range     may come back shorter
 * @param since_ns  before it was known what is resident: a READ that has come since may
 *                  be in the way
 */
static int notify(struct range_run *run, struct cl_range *range, uint64_t since_ns,
		  struct cost *ret_cost)
{
	struct invalidate_gate *gate = &run->mapping->gate;
	const uint64_t writes = gate_page_writes(gate);

	gate_strike(gate, range);
	CL_STEP(struck);
	op_monitor_notify_begin(&run->monitored, *range, since_ns, false);
	const int ret = run->upper_ops->invalidate(run->upper, *range);

	op_monitor_notify_end(&run->monitored);
	CL_POINT(notified);
	if (ret < 0)
		take_back(run, *range);
	run->report.notifications++;
	ret_cost->ns = cl_now_ns() - since_ns;
	ret_cost->step_ns = cl_cache_step_ns(run->mapping->cache);
	ret_cost->page_writes = gate_page_writes(gate) - writes;
	return ret;
}

/** Notify the next window of a range that has anything resident.
 *  @param range  comes back as what is left of it
 *  @return 1, 0 if there was none, or an error */
static int notify_window(struct range_run *run, struct cl_range *range, uint64_t pages,
			 struct cost *ret_cost)
{
	const uint64_t len = pages << CL_PAGE_SHIFT, since_ns = cl_now_ns();
	struct cl_range window;
	int ret;

	if (range->start >= range->end ||
	    !gate_next_resident(&run->mapping->gate, *range, 1, &window))
		return 0;
	window.end = range->end - window.start > len ? window.start + len : range->end;
	ret = notify(run, &window, since_ns, ret_cost);
	range->start = window.end;
	return ret < 0 ? ret : 1;
}

static bool left_one_by_one(const struct cost *cost)
{
	return cost->page_writes >= ONE_BY_ONE_MIN;
}

/** What is left of a range, in bulk. No notification is in flight. */
static void flush(struct range_run *run, struct cl_range range)
{
	if (!run->upper_ops->flush || range.start >= range.end)
		return;
	CL_POINT(flushing);
	run->upper_ops->flush(run->upper, range);
	run->report.flushes++;
}

static uint64_t next_window(uint64_t window, const struct cost *cost)
{
	if (is_quick(cost->ns, cost->step_ns) && window < WINDOW_MAX_PAGES)
		return window * 2;
	if (is_slow(cost->ns, cost->step_ns) && window > CHASE_WINDOW_MIN)
		return window / 2;
	return window;
}

/* ------------------------------------------------------------------------ step 1 */

static int unmap(struct range_run *run, struct cl_range range)
{
	uint64_t window = OPEN_WINDOW;
	bool flushed = false;
	struct cost cost;
	int ret;

	while ((ret = notify_window(run, &range, window, &cost)) > 0) {
		if (!left_one_by_one(&cost)) {
			window = next_window(window, &cost);
		} else if (!flushed) {
			flush(run, range);
			flushed = true;
			window = OPEN_WINDOW;
		} else {
			return 0;
		}
	}
	return ret;
}

/*
 * A page that is struck here is dropped by this very notification: the upper cache had
 * a locked folio for it before it asked us, so before it was in the resident set, and
 * the notification waits for that lock. No READ is parked, as the gate is open.
 */
int chase_begin(struct range_run *run)
{
	int ret = 0;

	CL_STEP(begun);
	op_monitor_phase(&run->monitored, "unmap", false);
	for (unsigned i = 0; i < run->naffected && ret == 0; i++)
		ret = unmap(run, run->affected[i]);
	return ret;
}

/* ------------------------------------------------------------------------ step 3 */

/** One sweep over a range. @return how many notifications, or a negative errno */
static int sweep(struct range_run *run, struct cl_range range, uint64_t *window)
{
	int notifications = 0, ret;
	bool flushed = false;
	struct cost cost;

	while ((ret = notify_window(run, &range, *window, &cost)) > 0) {
		notifications++;
		if (!flushed && left_one_by_one(&cost)) {
			flush(run, range);
			flushed = true;
		}
		*window = next_window(*window, &cost);
	}
	return ret < 0 ? ret : notifications;
}

int chase(struct range_run *run, uint64_t *window)
{
	int notifications;

	if (CL_BROKEN(second_unmap))
		return 0;
	op_monitor_phase(&run->monitored, "chase", true);
	do {
		notifications = 0;
		for (unsigned i = 0; i < run->naffected; i++) {
			const int n = sweep(run, run->affected[i], window);

			if (n < 0)
				return n;
			notifications += n;
		}
		if (notifications > 0 && ++run->report.rounds > CHASE_ROUNDS_MAX)
			return -EBUSY;
	} while (notifications > 0 && !CL_BROKEN(gate));
	return 0;
}
