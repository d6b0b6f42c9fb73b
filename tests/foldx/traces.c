/* SPDX-License-Identifier: MIT */
/*
 * Traces as text, and the two ways in which foldx knows what an operation does.
 */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "random.h"

static const struct limits limits = {
	.size = 1 << 18,
	.len = 1 << 16,
	.align = FOLDX_PAGE,
	.block = 1,
	.processes = 4,
	.mappings = 3,
};

/* Calls do() for random groups, which are done to the model. */
static void generate_groups(uint64_t seed, int groups,
			    void (*look)(void *arg, const struct model *model,
					 const struct operation *op),
			    void *arg)
{
	struct generator generator = {.random = seed, .together_percent = 30};
	struct operation ops[GROUP_MAX];
	struct model model;

	ck_assert_int_eq(model_init(&model, &limits), 0);
	for (unsigned kind = 0; kind < OP_KINDS; kind++)
		generator.weights[kind] = operation_weight((enum op_kind)kind);
	while (groups-- > 0) {
		const size_t n = generate(&generator, &model, &limits, ops);

		ck_assert_uint_gt(n, 0);
		for (size_t i = 0; i < n; i++)
			look(arg, &model, &ops[i]);
		model_apply(&model, &ops[n - 1], ops[n - 1].len);
	}
	model_fini(&model);
}

static void print_and_parse(void *arg, const struct model *model,
			    const struct operation *op)
{
	const char *problem = NULL;
	struct operation again;
	char text[OPERATION_TEXT_MAX], text_again[OPERATION_TEXT_MAX];

	(void)arg;
	(void)model;
	operation_print(op, text);
	ck_assert_msg(operation_parse(text, &again, &problem) == 0, "%s: %s", text,
		      problem);
	operation_print(&again, text_again);
	ck_assert_str_eq(text, text_again);
	ck_assert_int_eq(op->kind, again.kind);
	ck_assert_int_eq(op->together, again.together);
	ck_assert_uint_eq(op->offset, again.offset);
	ck_assert_uint_eq(op->len, again.len);
	ck_assert_uint_eq(op->destination, again.destination);
	ck_assert_uint_eq(op->seed, again.seed);
	ck_assert_uint_eq(op->process, again.process);
	ck_assert_uint_eq(op->mapping, again.mapping);
}

START_TEST(an_operation_is_the_same_after_printing_and_parsing)
{
	generate_groups(1, 5000, print_and_parse, NULL);
}
END_TEST

START_TEST(what_is_not_an_operation_is_refused_with_the_reason)
{
	static const char *const lines[] = {
		"reed process=0",
		"",
		"& truncate process=0 length=4",
		"read process=0 offset=1 length=2 seed=3",
		"read process=0 offset=1 offset=2",
		"read process=0 offset",
		"read process=0 offset=",
		"read process=0 offset=-1",
		"read process=0 offset=0x10",
		"read process=0 offset=9223372036854775808",
		"read process=4294967296",
		"read process=0;offset=3",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct operation op = {.seed = 77};
		const char *problem = NULL;

		ck_assert_msg(operation_parse(lines[i], &op, &problem) == -EINVAL,
			      "'%s' was taken", lines[i]);
		ck_assert_ptr_nonnull(problem);
		ck_assert_uint_eq(op.seed, 77);
	}
}
END_TEST

/* Returns trace_read()'s result. */
static int read_text(const char *text, struct trace *trace,
		     struct trace_problem *problem)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int err;

	ck_assert_ptr_nonnull(file);
	err = trace_read(file, trace, problem);
	fclose(file);
	return err;
}

START_TEST(comments_and_empty_lines_are_passed_over)
{
	struct trace_problem problem;
	struct trace trace;

	ck_assert_int_eq(
		read_text(
			"# why\n\nfoldx-trace 1 size=8192 align=512 processes=2 "
			"mappings=1\n  # a comment\n& read process=1 offset=5 length=6\n"
			"truncate process=0 length=100",
			&trace, &problem),
		0);
	ck_assert_uint_eq(trace.limits.size, 8192);
	ck_assert_uint_eq(trace.limits.align, 512);
	ck_assert_uint_eq(trace.limits.processes, 2);
	ck_assert_uint_eq(trace.limits.mappings, 1);
	ck_assert_uint_eq(trace.nops, 2);
	ck_assert(trace.ops[0].together);
	ck_assert_uint_eq(trace.ops[1].len, 100);
	trace_fini(&trace);
}
END_TEST

START_TEST(a_mistake_is_reported_with_its_line)
{
	static const struct {
		const char *text;
		unsigned line;
	} wrong[] = {
		{"read process=0\n", 1},
		{"foldx-trace 2 size=8192 align=512 processes=2 mappings=1\n", 1},
		{"foldx-trace 1 size=0 align=1 processes=1 mappings=1\n", 1},
		{"foldx-trace 1 size=8192 align=512 processes=17 mappings=1\n", 1},
		{"foldx-trace 1 size=8192 align=512 processes=2 mappings=1\n\nfoo\n",
		 3},
		{"#\n#\n", 2},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct trace_problem problem = {0};
		struct trace trace;

		ck_assert_int_eq(read_text(wrong[i].text, &trace, &problem), -EINVAL);
		ck_assert_uint_eq(problem.line, wrong[i].line);
		ck_assert_ptr_nonnull(problem.what);
	}
}
END_TEST

/* Tells where a byte was. */
static uint8_t mark(uint64_t at)
{
	return (uint8_t)(1 + random_mix(at) % 255);
}

/* What is after the operation in the model, seen from each byte before it. */
static void follow_each_byte(void *arg, const struct model *before,
			     const struct operation *op)
{
	struct model *after = arg;
	uint64_t to, wrong = 0;

	if (!operation_is_one_step(op->kind) || op->together)
		return;
	model_copy(after, before);
	for (uint64_t at = 0; at < after->size; at++)
		after->bytes[at] = mark(at);
	model_apply(after, op, op->len);
	for (uint64_t at = 0; at < before->size; at++)
		wrong += operation_moves(op, at, &to) && after->bytes[to] != mark(at);
	ck_assert_uint_eq(wrong, 0);
}

START_TEST(where_a_byte_goes_is_where_the_model_has_it)
{
	struct model after;

	ck_assert_int_eq(model_init(&after, &limits), 0);
	generate_groups(2, 1500, follow_each_byte, &after);
	model_fini(&after);
}
END_TEST

/* Bytes past the end of file are zero: a later truncate up shows them. */
static void look_past_the_end(void *arg, const struct model *model,
			      const struct operation *op)
{
	uint64_t wrong = 0;

	(void)arg;
	(void)op;
	ck_assert_uint_le(model->size, limits.size);
	for (uint64_t at = model->size; at < limits.size; at++)
		wrong += model->bytes[at] != 0;
	ck_assert_uint_eq(wrong, 0);
}

START_TEST(nothing_is_past_the_end_of_the_model)
{
	generate_groups(3, 1500, look_past_the_end, NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("foldx/traces");
	TCase *tests = tcase_create("traces");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tests, 600);
	tcase_add_test(tests, an_operation_is_the_same_after_printing_and_parsing);
	tcase_add_test(tests, what_is_not_an_operation_is_refused_with_the_reason);
	tcase_add_test(tests, comments_and_empty_lines_are_passed_over);
	tcase_add_test(tests, a_mistake_is_reported_with_its_line);
	tcase_add_test(tests, where_a_byte_goes_is_where_the_model_has_it);
	tcase_add_test(tests, nothing_is_past_the_end_of_the_model);
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
