/* SPDX-License-Identifier: MIT */
/*
 * What each step of a session does: a call of the simulated kernel as a rule, of the
 * library where the step is about a thread of its own.
 */

#include <stdlib.h>
#include <string.h>

#include "cache_internal.h"
#include "mapping_internal.h"
#include "world_internal.h"

static struct history_op begin(const struct step *step, enum history_kind kind)
{
	return (struct history_op){
		.kind = kind,
		.what = step->text,
		.page = step->page,
		.cell = step->cell,
		.ncells = step->ncells,
		.value = step->value,
		.op = step->op,
		.begun = sched_moment(),
	};
}

static void end(struct history_op *op, int result)
{
	op->result = result;
	op->ended = sched_moment();
	history_add(&world.history, op);
}

static int run_load(struct sim_mapping *m, const struct step *step)
{
	struct history_op op = begin(step, HISTORY_LOAD);
	const int result = sim_load(&world.kernel, m, step->page, step->cell);

	/* A private copy is the mapper's alone: it stays as it is, or goes. */
	if (!m->ptes[step->page].is_copy)
		end(&op, result);
	return result;
}

static int run_store(struct sim_mapping *m, const struct step *step)
{
	struct history_op op = begin(step, HISTORY_STORE);
	const bool was_copy = m->ptes[step->page].is_copy;
	const int result =
		sim_store(&world.kernel, m, step->page, step->cell, step->value);

	if (!m->is_private || result == SIM_SIGBUS) {
		end(&op, result);
	} else if (!was_copy) {
		/* What was copied was seen; the cell next to the one changed. */
		op.kind = HISTORY_LOAD;
		op.cell = (step->cell + 1) % CELLS_PER_PAGE;
		end(&op, m->ptes[step->page].copy[op.cell]);
	}
	return result;
}

/* A device stores to a page, by a pin that was taken before. */
static int run_pinned_store(struct mapper *mapper, const struct step *step)
{
	struct history_op op = begin(step, HISTORY_STORE);

	sim_unpin_dirty(mapper->pinned, step->page, step->cell, step->value);
	mapper->pinned = NULL;
	end(&op, 0);
	return 0;
}

static int run_read(const struct step *step)
{
	struct history_op op = begin(step, HISTORY_LOAD);
	uint8_t cells[CELLS_PER_PAGE];
	const unsigned n = sim_read(&world.kernel, step->page, cells);

	/* Past the end read(2) says so by reading less. */
	end(&op, step->cell < n ? cells[step->cell] : SIM_SIGBUS);
	return op.result;
}

static int run_write(const struct step *step)
{
	struct history_op op = begin(step, HISTORY_WRITE);

	sim_write(&world.kernel, step->page, step->cell, step->ncells, step->value);
	end(&op, 0);
	return 0;
}

static int run_resize(const struct step *step, bool behind)
{
	const unsigned ncells = step->page * CELLS_PER_PAGE + step->cell;
	struct history_op op = begin(step, behind ? HISTORY_CUT : HISTORY_RESIZE);

	op.ncells = ncells;
	if (behind) {
		if (ncells < world.store.ncells)
			flat_resize(&world.store, ncells);
		sched_point("cut_behind");
		(void)sim_stat(&world.kernel);
	} else {
		sim_truncate(&world.kernel, ncells);
	}
	end(&op, 0);
	return 0;
}

static int run_operation(const struct step *step)
{
	struct history_op op = begin(step, HISTORY_RANGE_OP);

	end(&op, sim_range_op(&world.kernel, &step->op));
	return op.result;
}

/* What the library does in a thread of its own: the flusher's attempt, a prefetch. */
int world_gated(const struct step *step)
{
	const bool fills = step->kind == STEP_PREFETCH;
	struct cl_gate_entry entry = {.kind = fills ? CL_GATE_FILL : CL_GATE_WRITE,
				      .range = {0, CL_RANGE_EOF}};

	if (fills)
		entry.range = (struct cl_range){offset_of_page(step->page),
						offset_of_page(step->end)};
	if (!cl_gate_try_enter(world.mapping, &entry))
		return 0;
	if (fills)
		cl_prefetch(world.mapping, entry.range);
	else
		(void)cl_writeback(world.mapping, entry.range);
	cl_gate_leave(world.mapping, &entry);
	return 0;
}

/* Against the rules of the library: only to see what I3 is for. */
static int run_ungated_write(const struct step *step)
{
	struct history_op op = begin(step, HISTORY_WRITE);
	uint8_t cells[CELLS_PER_PAGE], bytes[CL_PAGE_SIZE];

	memset(cells, step->value, step->ncells);
	cells_to_bytes(bytes, cells, step->ncells);
	(void)cl_write(world.mapping, bytes, step->ncells * CELL_SIZE,
		       offset_of_page(step->page) + step->cell * CELL_SIZE);
	end(&op, 0);
	return 0;
}

/* FORGET comes when nobody has the file any more; unmounting is the same for all
 * files, and the cache goes with them. */
int world_forget(bool unmounts)
{
	struct cl_mapping *mapping = world.mapping;

	sim_evict(&world.kernel);
	world.mapping = world.kernel.below = NULL;
	cl_mapping_free(mapping);
	if (unmounts) {
		cl_cache_free(world.cache);
		world.cache = NULL;
	}
	return 0;
}

int world_step(struct mapper *mapper, const struct step *step)
{
	struct sim_kernel *k = &world.kernel;

	switch (step->kind) {
	case STEP_LOAD:
		return run_load(&mapper->shared, step);
	case STEP_PRIVATE_LOAD:
		return run_load(&mapper->private, step);
	case STEP_STORE:
		return run_store(&mapper->shared, step);
	case STEP_PRIVATE_STORE:
		return run_store(&mapper->private, step);
	case STEP_READ:
		return run_read(step);
	case STEP_WRITE:
		return run_write(step);
	case STEP_PIN:
		mapper->pinned = sim_pin(k, &mapper->shared, step->page);
		return mapper->pinned ? 0 : SIM_SIGBUS;
	case STEP_PINNED_STORE:
		return run_pinned_store(mapper, step);
	case STEP_WRITEBACK:
		sim_flush(k, step->page, step->end);
		return 0;
	case STEP_MSYNC:
		sim_msync(k, step->page, step->end);
		return 0;
	case STEP_DROP:
		sim_drop(k, step->page, step->end);
		return 0;
	case STEP_SHRINK:
		sim_shrink(k);
		return 0;
	case STEP_READAHEAD:
		sim_readahead(k, step->page, step->end - step->page);
		return 0;
	case STEP_TRUNCATE:
	case STEP_CUT_BEHIND:
		return run_resize(step, step->kind == STEP_CUT_BEHIND);
	case STEP_OPERATION:
		return run_operation(step);
	case STEP_STAT:
		(void)sim_stat(k);
		return 0;
	case STEP_RECLAIM:
		(void)reclaim_some(world.cache);
		return 0;
	case STEP_FLUSH:
	case STEP_PREFETCH:
		return world_gated(step);
	case STEP_UNGATED_WRITE:
		return run_ungated_write(step);
	case STEP_FORGET:
	case STEP_UNMOUNT:
		return world_forget(step->kind == STEP_UNMOUNT);
	}
	abort();
}
