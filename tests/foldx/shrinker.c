/* SPDX-License-Identifier: MIT */
/*
 * Making failing traces short, with failures that are made up.
 */

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "generate.h"
#include "shrink.h"

static const struct limits limits = {
	.size = 1 << 20,
	.len = 1 << 16,
	.align = FOLDX_PAGE,
	.block = 1,
	.processes = 3,
	.mappings = 2,
};

/* Random operations; what they need is not looked at. */
static struct trace random_trace(uint64_t seed, size_t nops)
{
	struct trace trace = {.limits = limits};
	struct generator generator = {.random = seed, .together_percent = 30};
	struct operation ops[GROUP_MAX];
	struct model model;

	ck_assert_int_eq(model_init(&model, &limits), 0);
	model.size = limits.size / 2;
	for (unsigned kind = 0; kind < OP_KINDS; kind++)
		generator.weights[kind] = operation_weight((enum op_kind)kind);
	while (trace.nops < nops) {
		const size_t n = generate(&generator, &model, &limits, ops);

		for (size_t i = 0; i < n; i++)
			ck_assert_int_eq(trace_append(&trace, &ops[i]), 0);
	}
	model_fini(&model);
	return trace;
}

/* A made-up bug: an insert at 8192 or later, with at least two pages, and after it a
 * shared read by a process other than 0 that passes 100. Counts its calls. */
static bool insert_then_read(void *arg, const struct trace *trace)
{
	unsigned *calls = arg;
	bool inserted = false;

	++*calls;
	for (size_t i = 0; i < trace->nops; i++) {
		const struct operation *op = &trace->ops[i];

		if (op->kind == OP_INSERT && op->offset >= 8192 && op->len >= 8192)
			inserted = true;
		if (inserted && op->kind == OP_MAPREAD && op->process > 0 &&
		    op->offset + op->len > 100)
			return true;
	}
	return false;
}

START_TEST(only_what_the_failure_needs_is_left)
{
	struct trace trace = random_trace(7, 3000);
	struct shrink_result result;
	unsigned calls = 0;

	ck_assert(insert_then_read(&calls, &trace));
	ck_assert_int_eq(trace_shrink(&trace, insert_then_read, &calls, 600, &result),
			 0);
	ck_assert(!result.ended_early);
	ck_assert_uint_eq(result.tried + 1, calls);
	ck_assert_uint_eq(trace.nops, 2);
	ck_assert_int_eq(trace.ops[0].kind, OP_INSERT);
	ck_assert_int_eq(trace.ops[1].kind, OP_MAPREAD);
	trace_fini(&trace);
}
END_TEST

START_TEST(arguments_are_as_small_as_the_failure_allows)
{
	struct trace trace = random_trace(8, 3000);
	struct shrink_result result;
	unsigned calls = 0;

	ck_assert(insert_then_read(&calls, &trace));
	ck_assert_int_eq(trace_shrink(&trace, insert_then_read, &calls, 600, &result),
			 0);
	ck_assert_uint_eq(trace.ops[0].offset, 8192);
	ck_assert_uint_eq(trace.ops[0].len, 8192);
	ck_assert_uint_eq(trace.ops[0].process, 0);
	ck_assert_uint_eq(trace.ops[1].process, 1);
	ck_assert_uint_eq(trace.ops[1].mapping, 0);
	ck_assert_uint_eq(trace.ops[1].offset + trace.ops[1].len, 101);
	/* Nobody else is needed either. */
	ck_assert_uint_eq(trace.limits.processes, 1);
	ck_assert_uint_eq(trace.limits.mappings, 1);
	trace_fini(&trace);
}
END_TEST

/* Fails however little is left. */
static bool always(void *arg, const struct trace *trace)
{
	(void)arg;
	(void)trace;
	return true;
}

START_TEST(a_failure_that_needs_nothing_leaves_nothing)
{
	struct trace trace = random_trace(9, 500);
	struct shrink_result result;

	ck_assert_int_eq(trace_shrink(&trace, always, NULL, 600, &result), 0);
	ck_assert_uint_eq(trace.nops, 0);
	trace_fini(&trace);
}
END_TEST

/* Any operation left out makes it pass. */
static bool as_long_as(void *arg, const struct trace *trace)
{
	return trace->nops >= *(const size_t *)arg;
}

START_TEST(what_is_needed_stays)
{
	size_t needed = 57;
	struct trace trace = random_trace(10, 400);
	struct shrink_result result;

	ck_assert_int_eq(trace_shrink(&trace, as_long_as, &needed, 600, &result), 0);
	ck_assert_uint_eq(trace.nops, needed);
	trace_fini(&trace);
}
END_TEST

START_TEST(without_time_the_trace_is_as_it_was_and_that_is_said)
{
	struct trace trace = random_trace(11, 100);
	const size_t nops = trace.nops;
	struct shrink_result result;

	ck_assert_int_eq(trace_shrink(&trace, always, NULL, 0, &result), 0);
	ck_assert(result.ended_early);
	ck_assert_uint_eq(trace.nops, nops);
	trace_fini(&trace);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("foldx/shrinker");
	TCase *tests = tcase_create("shrinker");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 600);
	tcase_add_test(tests, only_what_the_failure_needs_is_left);
	tcase_add_test(tests, arguments_are_as_small_as_the_failure_allows);
	tcase_add_test(tests, a_failure_that_needs_nothing_leaves_nothing);
	tcase_add_test(tests, what_is_needed_stays);
	tcase_add_test(tests, without_time_the_trace_is_as_it_was_and_that_is_said);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
