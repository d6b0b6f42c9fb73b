/* SPDX-License-Identifier: MIT */
/* Running one schedule. */

#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_internal.h"
#include "mapping_internal.h"
#include "verdict.h"

/* The smallest arena, and requests that fit it. */
#define MAX_REQUEST ((size_t)64 << 10)
#define NEVER_MS    3600000u

/* A session's own mappings. */
struct mapper {
	struct sim_mapping shared, private;
};

static struct world {
	const struct spec *spec;
	struct schedule *schedule;
	struct outcome *outcome;
	void (*wrong)(const char *what);

	struct cl_cache *cache;
	struct cl_mapping *mapping;
	struct flat_file store;
	struct sim_kernel kernel;
	struct mapper mappers[SPEC_SESSIONS + 1]; /* the last one is setup's */
	struct history history;
} w;

/* -------------------------------------------------------------------- the steps */

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
	history_add(&w.history, op);
}

static int run_load(struct sim_mapping *m, const struct step *step)
{
	struct history_op op = begin(step, HISTORY_LOAD);
	const int result = sim_load(&w.kernel, m, step->page, step->cell);

	/* A private copy is the mapper's alone: it stays as it is, or goes. */
	if (!m->ptes[step->page].is_copy)
		end(&op, result);
	return result;
}

static int run_store(struct sim_mapping *m, const struct step *step)
{
	struct history_op op = begin(step, HISTORY_STORE);
	const bool was_copy = m->ptes[step->page].is_copy;
	const int result = sim_store(&w.kernel, m, step->page, step->cell, step->value);

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

static int run_read(const struct step *step)
{
	struct history_op op = begin(step, HISTORY_LOAD);
	uint8_t cells[CELLS_PER_PAGE];
	const unsigned n = sim_read(&w.kernel, step->page, cells);

	/* Past the end read(2) says so by reading less. */
	end(&op, step->cell < n ? cells[step->cell] : SIM_SIGBUS);
	return op.result;
}

static int run_write(const struct step *step)
{
	struct history_op op = begin(step, HISTORY_WRITE);

	sim_write(&w.kernel, step->page, step->cell, step->ncells, step->value);
	end(&op, 0);
	return 0;
}

static int run_resize(const struct step *step, bool behind)
{
	const unsigned ncells = step->page * CELLS_PER_PAGE + step->cell;
	struct history_op op = begin(step, behind ? HISTORY_CUT : HISTORY_RESIZE);

	op.ncells = ncells;
	if (behind) {
		if (ncells < w.store.ncells)
			flat_resize(&w.store, ncells);
		sched_point("cut_behind");
		(void)sim_stat(&w.kernel);
	} else {
		sim_truncate(&w.kernel, ncells);
	}
	end(&op, 0);
	return 0;
}

static int run_operation(const struct step *step)
{
	struct history_op op = begin(step, HISTORY_RANGE_OP);

	end(&op, sim_range_op(&w.kernel, &step->op));
	return op.result;
}

/* What the library does in a thread of its own: the flusher's attempt, a prefetch. */
static int run_gated(const struct step *step)
{
	const bool fills = step->kind == STEP_PREFETCH;
	struct cl_gate_entry entry = {.kind = fills ? CL_GATE_FILL : CL_GATE_WRITE,
				      .range = {0, CL_RANGE_EOF}};

	if (fills)
		entry.range = (struct cl_range){offset_of_page(step->page),
						offset_of_page(step->end)};
	if (!cl_gate_try_enter(w.mapping, &entry))
		return 0;
	if (fills)
		cl_prefetch(w.mapping, entry.range);
	else
		(void)cl_writeback(w.mapping, entry.range);
	cl_gate_leave(w.mapping, &entry);
	return 0;
}

/* Against the rules of the library: only to see what I3 is for. */
static int run_ungated_write(const struct step *step)
{
	struct history_op op = begin(step, HISTORY_WRITE);
	uint8_t cells[CELLS_PER_PAGE], bytes[CL_PAGE_SIZE];

	memset(cells, step->value, step->ncells);
	cells_to_bytes(bytes, cells, step->ncells);
	(void)cl_write(w.mapping, bytes, step->ncells * CELL_SIZE,
		       offset_of_page(step->page) + step->cell * CELL_SIZE);
	end(&op, 0);
	return 0;
}

/* FORGET comes when nobody has the file any more; unmounting is the same for all
 * files, and the cache goes with them. */
static int run_forget(bool unmounts)
{
	struct cl_mapping *mapping = w.mapping;

	sim_evict(&w.kernel);
	w.mapping = w.kernel.below = NULL;
	cl_mapping_free(mapping);
	if (unmounts) {
		cl_cache_free(w.cache);
		w.cache = NULL;
	}
	return 0;
}

static int run_step(struct mapper *mapper, const struct step *step)
{
	struct sim_kernel *k = &w.kernel;

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
		(void)reclaim_some(w.cache);
		return 0;
	case STEP_FLUSH:
	case STEP_PREFETCH:
		return run_gated(step);
	case STEP_UNGATED_WRITE:
		return run_ungated_write(step);
	case STEP_FORGET:
	case STEP_UNMOUNT:
		return run_forget(step->kind == STEP_UNMOUNT);
	}
	abort();
}

static void run_session(void *arg)
{
	const struct session *session = arg;
	const bool sets_up = session == &w.spec->setup;
	const size_t number =
		sets_up ? SPEC_SESSIONS : (size_t)(session - w.spec->sessions);

	for (unsigned i = 0; i < session->nsteps; i++) {
		int result;

		sched_point("step");
		result = run_step(&w.mappers[number], &session->steps[i]);
		if (!sets_up)
			w.outcome->results[number][i] = result;
	}
}

/* --------------------------------------------------------------------- the end */

static void run_final(void *arg)
{
	struct sim_kernel *k = &w.kernel;
	struct cl_cache_stats stats;

	(void)arg;
	if (w.mapping) {
		struct step whole = {.kind = STEP_FLUSH};

		verdict_mappings(k);
		verdict_resident(k);
		sim_msync(k, 0, FLAT_PAGES);
		(void)run_gated(&whole);
		verdict_contents(k);
		if (cl_gate_parked(w.mapping) > 0)
			w.wrong("a request is parked for ever");
		(void)run_forget(false);
	}
	if (w.cache) {
		cl_cache_get_stats(w.cache, &stats);
		if (stats.pages_used > 0)
			w.wrong("a page is pinned for ever");
		cl_cache_free(w.cache);
	}
	w.history.final = w.store;
	if (!history_explains(&w.history))
		w.wrong("no order of the operations explains what was seen");
}

/* ------------------------------------------------------------------ one schedule */

static void deadlock(void *arg)
{
	(void)arg;
	w.wrong("everybody waits");
	abort();
}

static void set_up(void)
{
	const struct sim_config *config = &w.spec->config;
	const struct cl_cache_config cache_config = {
		.size_bytes = CL_CACHE_SIZE_MIN,
		.max_request_bytes = MAX_REQUEST,
		.max_requests = 7,
		.verify = w.spec->verify,
		.writeback = config->daemon_writes_back,
		.writeback_age_ms =
			w.spec->flush_age_ms ? w.spec->flush_age_ms : NEVER_MS,
		.slow_ms = NEVER_MS,
	};

	flat_init(&w.store, w.spec->npages);
	history_init(&w.history, w.spec->npages);
	sim_init(&w.kernel, config, &w.store);
	w.kernel.wrong = w.wrong;
	/* With a rule left out, what follows from that must be noticed, too. */
	if (!getenv("FOLDFS_BREAK"))
		w.kernel.at_change = verdict_change;
	if (cl_cache_create(&cache_config, &w.cache) < 0 ||
	    cl_mapping_create(w.cache, &sim_store_ops, &w.kernel, flat_size(&w.store),
			      &w.mapping) < 0)
		abort();
	w.kernel.below = w.mapping;
	for (unsigned i = 0; i <= SPEC_SESSIONS; i++) {
		sim_map(&w.kernel, &w.mappers[i].shared, false);
		sim_map(&w.kernel, &w.mappers[i].private, true);
	}
}

void world_run(const struct spec *spec, struct schedule *schedule,
	       void (*wrong)(const char *what), struct outcome *ret_outcome)
{
	static struct sched_observer observer = {
		.choose = schedule_choose,
		.arrived = schedule_arrived,
		.deadlock = deadlock,
	};
	void *setup = (void *)(uintptr_t)&spec->setup;

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	w.spec = spec;
	w.schedule = schedule;
	w.outcome = ret_outcome;
	w.wrong = wrong;
	observer.arg = schedule;
	schedule_rewind(schedule);
	sched_begin(&observer);
	set_up();
	sched_spawn(spec->setup.name, run_session, setup);
	sched_run();

	for (unsigned i = 0; i < spec->nsessions; i++)
		sched_spawn(spec->sessions[i].name, run_session,
			    (void *)(uintptr_t)&spec->sessions[i]);
	schedule->active = true;
	sched_run();
	schedule->active = false;

	ret_outcome->rescued = w.kernel.daemon.rescued;
	ret_outcome->parked = w.kernel.daemon.parked;
	ret_outcome->shorts = w.kernel.daemon.shorts;
	ret_outcome->cut = w.kernel.daemon.cut;
	sched_spawn("final", run_final, NULL);
	sched_run();
	sched_end();
	sim_fini(&w.kernel);
}

/* ---------------------------------------------------------------------- for people */

static void print_op(const struct history_op *op)
{
	char name[16];

	if (op->kind == HISTORY_LOAD && op->result >= 0)
		printf("  %-24s saw %s\n", op->what,
		       flat_cell_name((uint8_t)op->result, name));
	else if ((op->kind == HISTORY_STORE || op->kind == HISTORY_WRITE) &&
		 op->result == 0)
		printf("  %-24s left %s\n", op->what, flat_cell_name(op->value, name));
	else
		printf("  %-24s %s\n", op->what,
		       op->result == 0		  ? "done"
		       : op->result == SIM_SIGBUS ? "SIGBUS, or the end"
						  : "refused");
}

void world_print(void)
{
	char name[16];

	printf("Tasks:\n");
	for (unsigned i = 0; i < sched_count(); i++)
		printf("  %-12s %s\n", sched_name(i),
		       sched_ended(i) ? "has ended" : sched_position(i));
	printf("In order of their ends:\n");
	for (unsigned i = 0; i < w.history.nops; i++)
		print_op(&w.history.ops[i]);
	printf("The store, first cell of each page and those that are odd:\n ");
	for (unsigned i = 0; i < w.store.ncells; i++) {
		const uint8_t value = w.store.cells[i];
		const bool odd = i % CELLS_PER_PAGE > 0 &&
				 value != (uint8_t)(w.store.cells[i - 1] + 1) &&
				 (value != 0 || w.store.cells[i - 1] != 0);

		if (i % CELLS_PER_PAGE == 0 || odd)
			printf(" %u.%u=%s", i / CELLS_PER_PAGE, i % CELLS_PER_PAGE,
			       flat_cell_name(value, name));
	}
	printf("\n");
}
