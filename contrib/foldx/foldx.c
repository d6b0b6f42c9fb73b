/* SPDX-License-Identifier: MIT */
/*
 * foldx: an exerciser for file systems.
 *
 * After fsx (Avadis Tevanian, 1991), which found bugs in about every file system there
 * is: random operations on one file and on a copy in memory, and any difference is a
 * bug. What is added here are several processes and mappings, operations that run while
 * others look, and the making of a short trace out of a long one.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <foldfs.h>

#include "run.h"
#include "settings.h"
#include "shrink.h"

struct foldx {
	struct settings settings;
	struct team team;
	struct run run;
	struct trace trace; /* what has been done, or is to be replayed */
	size_t done;	    /* of the last run */
	FILE *record;
};

static int cannot(const char *what, const char *which, int err)
{
	fprintf(stderr, "foldx: %s %s: %s\n", what, which, strerror(-err));
	return STATUS_USAGE;
}

/* ---------------------------------------------------------------- random operations */

static bool time_is_up(const struct foldx *x, uint64_t start_ns)
{
	return x->settings.seconds > 0 &&
	       team_now_ns() - start_ns >= (uint64_t)x->settings.seconds * 1000000000u;
}

/* What is about to be done, so that it is on record when the machine stops there. */
static int note_operations(struct foldx *x, const struct operation *ops, size_t nops)
{
	char text[OPERATION_TEXT_MAX];
	int err = 0;

	for (size_t i = 0; err == 0 && i < nops; i++) {
		err = trace_append(&x->trace, &ops[i]);
		if (x->record) {
			operation_print(&ops[i], text);
			fprintf(x->record, "%s\n", text);
		}
	}
	if (x->record && fflush(x->record) != 0)
		err = -errno;
	return err;
}

/* @return whether there is something to report; if not, why has been said */
static bool run_random(struct foldx *x)
{
	const uint64_t start_ns = team_now_ns();
	struct generator generator = {
		.random = x->settings.seed,
		.together_percent = x->settings.together_percent,
	};
	struct operation ops[GROUP_MAX];
	bool good = run_begin(&x->run, &x->settings.limits);
	size_t n;
	int err;

	memcpy(generator.weights, x->settings.weights, sizeof(generator.weights));
	while (good && x->trace.nops < x->settings.ops && !time_is_up(x, start_ns)) {
		n = generate(&generator, &x->run.model, &x->run.limits, ops);
		if (n == 0) {
			fprintf(stderr,
				"foldx: none of the operations asked for can be "
				"done to a file of %" PRIu64 " bytes\n",
				x->run.model.size);
			return false;
		}
		err = note_operations(x, ops, n);
		if (err < 0) {
			cannot("cannot note", "what is done", err);
			return false;
		}
		good = run_group(&x->run, ops, n);
	}
	if (good)
		run_end(&x->run);
	x->done = x->trace.nops;
	return true;
}

/* ------------------------------------------------------------------------ replaying */

static bool has_company(const struct trace *trace)
{
	for (size_t i = 0; i < trace->nops; i++)
		if (trace->ops[i].together)
			return true;
	return false;
}

/* Several times if it need not come out the same each time. */
static bool fails(void *arg, const struct trace *trace)
{
	struct foldx *x = arg;
	const unsigned tries = x->settings.tries ?: has_company(trace) ? 10 : 1;

	if (x->run.failure.hung)
		return false; /* the team is stuck: nothing more can be learned */
	for (unsigned i = 0; i < tries; i++)
		if (!run_trace(&x->run, trace, &x->done))
			return true;
	return false;
}

static int read_trace(struct foldx *x)
{
	const char *name = x->settings.replay;
	struct trace_problem problem;
	FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");
	int err;

	if (!file)
		return cannot("cannot open", name, -errno);
	err = trace_read(file, &x->trace, &problem);
	if (file != stdin)
		fclose(file);
	if (err == -EINVAL) {
		fprintf(stderr, "foldx: %s:%u: %s\n", name, problem.line, problem.what);
		return STATUS_USAGE;
	}
	if (err < 0)
		return cannot("cannot read", name, err);
	x->settings.limits = x->trace.limits;
	return STATUS_SAME;
}

/* ------------------------------------------------------------------------ reporting */

static void print_shortest(const struct foldx *x, const struct trace *trace)
{
	FILE *file = NULL;
	char *name;

	trace_print(stdout, trace);
	fflush(stdout);
	if (!x->settings.record ||
	    asprintf(&name, "%s.shortest", x->settings.record) < 0)
		return;
	file = fopen(name, "we");
	if (file)
		trace_print(file, trace);
	if (!file || fclose(file) != 0)
		cannot("cannot write", name, -errno);
	else
		fprintf(stderr,
			"foldx: it is in %s, too; again: foldx --replay=%s %s\n", name,
			name, x->settings.directory);
	free(name);
}

/* The same failure, with less before it. */
static void shrink(struct foldx *x)
{
	struct shrink_result result = {0};
	const size_t before = x->trace.nops;
	struct failure first = x->run.failure;

	if (x->settings.shrink_s == 0 || first.hung) {
		fprintf(stderr, "foldx: all that was done:\n");
		print_shortest(x, &x->trace);
		return;
	}
	if (!fails(x, &x->trace)) {
		fprintf(stderr,
			"foldx: the same again does not fail: it is a matter of time (see "
			"--tries). All that was done:\n");
		print_shortest(x, &x->trace);
		return;
	}
	if (trace_shrink(&x->trace, fails, x, x->settings.shrink_s, &result) < 0)
		cannot("no memory for", "shorter traces", -ENOMEM);
	fprintf(stderr, "foldx: %zu operations are left of %zu, after %u tries%s:\n",
		x->trace.nops, before, result.tried,
		result.ended_early ? " (there was no time for more: see --shrink)"
				   : "");
	print_shortest(x, &x->trace);
	if (!x->run.failure.hung && fails(x, &x->trace))
		fprintf(stderr, "foldx: of these: %s\n", x->run.failure.text);
}

static int report_failure(struct foldx *x)
{
	const bool hung = x->run.failure.hung;

	fprintf(stderr, "foldx: WRONG after %zu operations", x->done);
	if (!x->settings.replay)
		fprintf(stderr, " (seed %" PRIu64 ")", x->settings.seed);
	fprintf(stderr, ": %s\n", x->run.failure.text);
	shrink(x);
	return hung ? STATUS_HUNG : STATUS_DIFFERENT;
}

static int report(struct foldx *x, uint64_t start_ns)
{
	const struct settings *s = &x->settings;

	if (x->run.failure.failed)
		return report_failure(x);
	if (!s->quiet) {
		printf("foldx: nothing wrong after %" PRIu64 " operations, %.1f s\n",
		       tally_asked(&x->run.tally),
		       (double)(team_now_ns() - start_ns) / 1e9);
		tally_print(stdout, &x->run.tally);
	}
	return tally_has(&x->run.tally, s->required, stderr) ? STATUS_SAME
							     : STATUS_MISSING;
}

/* ----------------------------------------------------------------------------- main */

/* Nobody waits here for a file system that hangs: a process of the team asks. */
static int start(struct foldx *x)
{
	const struct settings *s = &x->settings;
	int err = team_start(&x->team, &s->limits, s->directory, s->hang_s);

	if (err < 0)
		return cannot("cannot start processes for", s->directory, err);
	err = run_init(&x->run, &x->team, s->behind);
	if (err < 0) {
		team_stop(&x->team);
		return cannot("no memory for", "the model", err);
	}
	return STATUS_SAME;
}

static int open_record(struct foldx *x)
{
	if (!x->settings.record)
		return STATUS_SAME;
	x->record = fopen(x->settings.record, "we");
	if (!x->record)
		return cannot("cannot open", x->settings.record, -errno);
	trace_print_head(x->record, &x->settings.limits);
	return STATUS_SAME;
}

static int work(struct foldx *x)
{
	const uint64_t start_ns = team_now_ns();
	int status;

	if (x->settings.replay)
		fails(x, &x->trace);
	else if (!run_random(x))
		return STATUS_USAGE;
	status = report(x, start_ns);
	/* Who hangs has not let go of the file. */
	if (status != STATUS_HUNG)
		team_do(&x->team, 0, ORDER_REMOVE, NULL);
	return status;
}

int main(int argc, char **argv)
{
	struct foldx x = {0};
	int status = STATUS_SAME;

	settings_parse(argc, argv, &x.settings);
	if (x.settings.replay)
		status = read_trace(&x);
	else
		x.trace.limits = x.settings.limits;
	if (status == STATUS_SAME)
		status = open_record(&x);
	if (status != STATUS_SAME)
		return status;
	if (!x.settings.quiet && !x.settings.replay)
		printf("foldx: seed %" PRIu64 ", %" PRIu32 " processes with %" PRIu32
		       " mappings each, in %s\n",
		       x.settings.seed, x.settings.limits.processes,
		       x.settings.limits.mappings, x.settings.directory);
	fflush(stdout);
	status = start(&x);
	if (status != STATUS_SAME)
		return status;
	status = work(&x);
	run_fini(&x.run);
	team_stop(&x.team);
	trace_fini(&x.trace);
	if (x.record && fclose(x.record) != 0)
		status = cannot("cannot write", x.settings.record, -errno);
	return status;
}
