/* SPDX-License-Identifier: MIT */
/* Running one schedule; world_step.c has the steps. */

#include "world_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_internal.h"
#include "mapping_internal.h"
#include "verdict.h"

/* The smallest arena, and requests that fit it. */
#define MAX_REQUEST ((size_t)64 << 10)
#define NEVER_MS    3600000u

struct world world;

static void run_session(void *arg)
{
	const struct session *session = arg;
	const bool sets_up = session == &world.spec->setup;
	const size_t number =
		sets_up ? SPEC_SESSIONS : (size_t)(session - world.spec->sessions);

	for (unsigned i = 0; i < session->nsteps; i++) {
		int result;

		sched_point("step");
		result = world_step(&world.mappers[number], &session->steps[i]);
		if (!sets_up)
			world.outcome->results[number][i] = result;
	}
}

/* --------------------------------------------------------------------- the end */

static void run_final(void *arg)
{
	struct sim_kernel *k = &world.kernel;
	struct cl_cache_stats stats;

	(void)arg;
	if (world.mapping) {
		struct step whole = {.kind = STEP_FLUSH};

		verdict_mappings(k);
		verdict_resident(k);
		sim_msync(k, 0, FLAT_PAGES);
		(void)world_gated(&whole);
		verdict_contents(k);
		if (cl_gate_parked(world.mapping) > 0)
			world.wrong("a request is parked for ever");
		(void)world_forget(false);
	}
	if (world.cache) {
		cl_cache_get_stats(world.cache, &stats);
		if (stats.pages_used > 0)
			world.wrong("a page is pinned for ever");
		cl_cache_free(world.cache);
	}
	world.history.final = world.store;
	if (!history_explains(&world.history))
		world.wrong("no order of the operations explains what was seen");
}

/* ------------------------------------------------------------------ one schedule */

static void deadlock(void *arg)
{
	(void)arg;
	world.wrong("everybody waits");
	abort();
}

static void set_up(void)
{
	const struct sim_config *config = &world.spec->config;
	const struct cl_cache_config cache_config = {
		.size_bytes = CL_CACHE_SIZE_MIN,
		.max_request_bytes = MAX_REQUEST,
		.max_requests = 7,
		.verify = world.spec->verify,
		.writeback = config->daemon_writes_back,
		.writeback_age_ms =
			world.spec->flush_age_ms ? world.spec->flush_age_ms : NEVER_MS,
		.slow_ms = NEVER_MS,
	};

	flat_init(&world.store, world.spec->npages);
	history_init(&world.history, world.spec->npages);
	sim_init(&world.kernel, config, &world.store);
	world.kernel.wrong = world.wrong;
	/* With a rule left out, what follows from that must be noticed, too. */
	if (!getenv("FOLDFS_BREAK"))
		world.kernel.at_change = verdict_change;
	if (cl_cache_create(&cache_config, &world.cache) < 0 ||
	    cl_mapping_create(world.cache, &sim_store_ops, &world.kernel,
			      flat_size(&world.store), &world.mapping) < 0)
		abort();
	world.kernel.below = world.mapping;
	for (unsigned i = 0; i <= SPEC_SESSIONS; i++) {
		sim_map(&world.kernel, &world.mappers[i].shared, false);
		sim_map(&world.kernel, &world.mappers[i].private, true);
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
	world.spec = spec;
	world.schedule = schedule;
	world.outcome = ret_outcome;
	world.wrong = wrong;
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

	ret_outcome->rescued = world.kernel.daemon.rescued;
	ret_outcome->parked = world.kernel.daemon.parked;
	ret_outcome->shorts = world.kernel.daemon.shorts;
	ret_outcome->cut = world.kernel.daemon.cut;
	ret_outcome->flushed = world.kernel.daemon.flushed;
	ret_outcome->fenced = world.kernel.daemon.fenced;
	ret_outcome->fenced_again = world.kernel.daemon.fenced_again;
	ret_outcome->made_way = world.kernel.daemon.made_way;
	sched_spawn("final", run_final, NULL);
	sched_run();
	sched_end();
	sim_fini(&world.kernel);
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
	for (unsigned i = 0; i < world.history.nops; i++)
		print_op(&world.history.ops[i]);
	printf("The store, first cell of each page and those that are odd:\n ");
	for (unsigned i = 0; i < world.store.ncells; i++) {
		const uint8_t value = world.store.cells[i];
		const bool odd = i % CELLS_PER_PAGE > 0 &&
				 value != (uint8_t)(world.store.cells[i - 1] + 1) &&
				 (value != 0 || world.store.cells[i - 1] != 0);

		if (i % CELLS_PER_PAGE == 0 || odd)
			printf(" %u.%u=%s", i / CELLS_PER_PAGE, i % CELLS_PER_PAGE,
			       flat_cell_name(value, name));
	}
	printf("\n");
}
