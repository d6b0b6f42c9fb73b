/* SPDX-License-Identifier: MIT */
/*
 * The fence, between steps 3 and 4 of a range operation: no WRITE of the range is on
 * its way any more.
 *
 * Linux before 6.16 writes mapped pages back from temporary copies. A page is clean as
 * soon as it has been copied, so a notification drops it without waiting for the WRITE;
 * that would land after the operation, at a place that is now another's. So, with the
 * gate closed and nothing resident:
 *
 *   F1  count the writebacks of the range that come, and that leave, from now on
 *   F2  cl_upper_ops.fence(): what had been sent by now is known to the gate
 *   F3  enter EXCLUSIVE: what is known has been answered
 *   F4  if anything was counted: leave, and once more from F1
 *
 * F4 is for the auxiliaries. A page that was written back again while its WRITE was on
 * its way waits in the upper cache, and is sent when that has been answered: after F2,
 * if that was late. A writeback leaves the gate after its answer has gone out. So one
 * whose auxiliary F2 may have missed has left since F1; or has not come yet, and then
 * it was itself sent by one that has.
 *
 * It ends: nobody can make a page of the range dirty meanwhile, and a page has one
 * auxiliary at most. Three rounds, if no READ is rescued in between.
 */

#include <errno.h>

#include "cond.h"
#include "range_run.h"

/* So many mean that the upper cache does not do what it says. */
#define FENCES_MAX 100

/** F2. */
static int ask(struct range_run *run)
{
	const uint64_t since_ns = cl_now_ns();

	if (CL_BROKEN(fence_marker))
		return 0;
	cl_rank_assert_not_held(CL_RANK_PAGE);
	op_monitor_phase(&run->monitored, "fence", true);
	run->report.fences++;
	const int ret = run->upper_ops->fence(run->upper);

	run->report.fence_ns += cl_now_ns() - since_ns;
	CL_POINT(fenced);
	return ret;
}

/** READs that are parked are in the way of WRITEs: they are answered from the state
 *  before, as nothing has happened yet. */
static void make_way(struct range_run *run)
{
	run->report.rescued +=
		gate_rescue(&run->mapping->gate, (struct cl_range){0, CL_RANGE_EOF}, 0,
			    cl_now_ns());
}

static void enter_exclusive(struct range_run *run)
{
	op_monitor_phase(&run->monitored, "waiting for requests to end", true);
	cl_gate_enter_wait(run->mapping, &run->exclusive);
}

/** F1 to F4, once; as fence_enter_exclusive(). */
static int fence_once(struct range_run *run)
{
	struct invalidate_gate *gate = &run->mapping->gate;
	bool again;
	int ret;

	gate_watch(gate, run->affected, run->naffected);
	ret = ask(run);
	if (ret < 0)
		return ret;
	if (CL_BROKEN(fence_note))
		gate_watch(gate, run->affected, run->naffected);
	again = gate_saw_writeback(gate);
	enter_exclusive(run);
	if (!CL_BROKEN(fence_exclusive))
		again = gate_saw_writeback(gate);
	if (!again || CL_BROKEN(fence_again))
		return 0;
	cl_gate_leave(run->mapping, &run->exclusive);
	return 1;
}

int fence_enter_exclusive(struct range_run *run)
{
	int ret;

	if (!run->upper_ops->fence || CL_BROKEN(fence)) {
		enter_exclusive(run);
		return 0;
	}
	if (run->report.fences >= FENCES_MAX)
		return -EBUSY;
	ret = fence_once(run);
	gate_unwatch(&run->mapping->gate);
	if (ret == -EAGAIN) {
		make_way(run);
		return 1;
	}
	return ret;
}
