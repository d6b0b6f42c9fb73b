/* SPDX-License-Identifier: MIT */
/*
 * Running operations one after the other.
 */

#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int run_init(struct run *run, struct team *team, const char *behind)
{
	const struct limits *limits = &team->limits;

	*run = (struct run){
		.team = team,
		.limits = *limits,
		.behind = behind,
		.taken = calloc(1, limits->size / 64 + 64),
	};
	if (!run->taken || model_init(&run->model, limits) < 0 ||
	    model_init(&run->after, limits) < 0) {
		run_fini(run);
		return -ENOMEM;
	}
	return 0;
}

void run_fini(struct run *run)
{
	model_fini(&run->model);
	model_fini(&run->after);
	free(run->taken);
}

bool run_fail(struct run *run, const char *format, ...)
{
	va_list args;

	if (run->failure.failed)
		return false;
	run->failure.failed = true;
	va_start(args, format);
	vsnprintf(run->failure.text, sizeof(run->failure.text), format, args);
	va_end(args);
	return false;
}

bool run_alive(struct run *run, int err, uint32_t process, const struct operation *op)
{
	if (err == 0)
		return true;
	run_fail(run, "%s by process %" PRIu32 " (pid %d) %s",
		 op ? operation_name(op->kind) : "opening", process,
		 (int)run->team->stations[process]->pid,
		 err == -ETIMEDOUT ? "hangs"
				   : "has not come back: the process has died");
	run->failure.hung = true;
	return false;
}

/* ------------------------------------------------------------------ the file itself */

static bool all_open(struct run *run, uint32_t except)
{
	for (uint32_t i = 0; i < run->team->limits.processes; i++) {
		if (i == except)
			continue;
		if (!run_alive(run, team_do(run->team, i, ORDER_OPEN, NULL), i, NULL))
			return false;
		if (run->team->stations[i]->outcome.err < 0)
			return run_fail(
				run, "process %" PRIu32 " cannot open the file: %s", i,
				strerror(-run->team->stations[i]->outcome.err));
	}
	return true;
}

/* Everybody knows its name. */
static void tell_name(struct run *run)
{
	run->team->board->name = run->model.name;
	run->team->board->unlinked = run->model.unlinked;
}

bool run_begin(struct run *run, const struct limits *limits)
{
	run->limits = *limits;
	memset(&run->tally, 0, sizeof(run->tally));
	run->failure.failed = run->failure.hung = false;
	model_reset(&run->model);
	tell_name(run);
	if (!run_alive(run, team_do(run->team, 0, ORDER_CREATE, NULL), 0, NULL))
		return false;
	if (run->team->stations[0]->outcome.err < 0)
		return run_fail(run, "cannot create %s: %s", run->team->board->paths[0],
				strerror(-run->team->stations[0]->outcome.err));
	run->moves_in_one_step = run->team->stations[0]->outcome.on_foldfs;
	return all_open(run, 0);
}

/* ----------------------------------------------------------------------- operations */

bool run_serial(struct run *run, const struct operation *op)
{
	bool refused;

	if (op->kind == OP_CHECK) {
		run->tally.rows[op->kind].done++;
		return check_all(run);
	}
	/* The old file goes when it is replaced: a last look at it. */
	if (op->kind == OP_RECREATE && !check_all(run))
		return false;
	if (!run_alive(run, team_do(run->team, op->process, ORDER_OPERATION, op),
		       op->process, op) ||
	    !judge(run, op, &refused))
		return false;
	tell_name(run);
	return op->kind != OP_RECREATE || all_open(run, op->process);
}

/* Accesses beside it can be judged: no word of theirs is cut by it. */
static bool may_race(const struct run *run, const struct operation *op)
{
	return operation_is_one_step(op->kind) &&
	       (op->offset | op->len | op->destination) % 16 == 0 &&
	       (op->kind != OP_MOVE || run->moves_in_one_step);
}

bool run_group(struct run *run, const struct operation *ops, size_t nops)
{
	const bool has_main = !ops[nops - 1].together;
	const size_t naccesses = nops - has_main;
	struct operation step;

	if (!has_main)
		return race(run, ops, naccesses, NULL);
	step = ops[nops - 1];
	if (!model_prepare(&run->model, &run->limits, &step)) {
		run->tally.rows[step.kind].moot++;
		return naccesses == 0 || race(run, ops, naccesses, NULL);
	}
	if (naccesses > 0 && may_race(run, &step))
		return race(run, ops, naccesses, &step);
	return (naccesses == 0 || race(run, ops, naccesses, NULL)) &&
	       run_serial(run, &step);
}

bool run_end(struct run *run)
{
	return check_all(run) && check_behind(run);
}

bool run_trace(struct run *run, const struct trace *trace, size_t *ret_done)
{
	bool good = run_begin(run, &trace->limits);
	size_t at = 0;

	while (good && at < trace->nops) {
		size_t n = 1;

		while (at + n < trace->nops && trace->ops[at + n - 1].together)
			n++;
		good = run_group(run, trace->ops + at, n);
		at += n;
	}
	*ret_done = at;
	return good && run_end(run);
}
