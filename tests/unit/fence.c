/* SPDX-License-Identifier: MIT */
/*
 * The fence of a range operation: what has it asked again, what does not, and what is
 * left when it cannot be had.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_upper.h"
#include "fixture.h"
#include "gated.h"

#define FILE_PAGES 100u

static struct fixture fx;
static struct fake_upper *upper;
static struct cl_range_op_report report;
static struct cl_gate_entry writeback;
static _Atomic bool changed; /* the store */

static void setup_with(struct cl_cache_config config)
{
	fixture_open(&fx, config, PAGES(FILE_PAGES));
	upper = malloc(sizeof(*upper));
	ck_assert_ptr_nonnull(upper);
	fake_upper_init(upper, fx.mapping, PAGES(FILE_PAGES));
	changed = false;
}

static void setup(void)
{
	setup_with(fixture_config());
}

static void setup_impatient(void)
{
	struct cl_cache_config config = fixture_config();

	config.slow_ms = 1;
	setup_with(config);
}

static void teardown(void)
{
	fake_upper_fini(upper);
	free(upper);
	fixture_close(&fx);
}

static int original(uint64_t page)
{
	return fake_store_byte(FIXTURE_SEED, PAGES(page));
}

/* ---------------------------------------------------------------- the operation */

static int change_store(void *arg)
{
	const struct cl_range_op *op = arg;
	const uint64_t end = op->offset + op->len, size = fake_store_size(fx.store);
	uint8_t *bytes = malloc(size);

	if (!bytes)
		abort();
	changed = true;
	fake_store_peek(fx.store, bytes, size, 0);
	if (op->kind == CL_COLLAPSE) {
		fake_store_poke(fx.store, bytes + end, size - end, op->offset);
		fake_store_resize(fx.store, size - op->len);
	} else {
		ASSERT(op->kind == CL_MOVE);
		fake_store_poke(fx.store, bytes + op->offset, op->len, op->destination);
		memset(bytes, 0, op->len);
		fake_store_poke(fx.store, bytes, op->len, op->offset);
	}
	free(bytes);
	return 0;
}

static int run(const struct cl_upper_ops *ops, struct cl_range_op op)
{
	return cl_range_op_run(fx.mapping, &op, ops, upper, INT64_MAX, change_store,
			       &op, &report);
}

/** Pages 10 to 14 go. */
static int collapse(int (*at_fence)(struct fake_upper *upper, unsigned number))
{
	upper->at_fence = at_fence;
	return run(&fake_upper_fenced_ops,
		   (struct cl_range_op){CL_COLLAPSE, PAGES(10), PAGES(5), 0});
}

static void run_collapse(struct member *member)
{
	*(int *)member->arg = collapse(upper->at_fence);
}

/* ------------------------------------------------------- what comes, and what leaves
 */

static void enter_writeback(uint64_t page)
{
	writeback = (struct cl_gate_entry){.range = page_range(page, page + 1),
					   .kind = CL_GATE_WRITE,
					   .writes_back = true};
	ASSERT(cl_gate_try_enter(fx.mapping, &writeback));
}

static void come_and_go(uint64_t page)
{
	enter_writeback(page);
	cl_gate_leave(fx.mapping, &writeback);
}

static int nothing_comes(struct fake_upper *u, unsigned number)
{
	struct cl_gate_entry fill = {.range = page_range(50, 51), .kind = CL_GATE_FILL};

	(void)u;
	(void)number;
	/* The gate is closed, and the store is as it was. */
	ASSERT(!cl_gate_try_enter(fx.mapping, &fill));
	ASSERT(!changed);
	return 0;
}

START_TEST(an_upper_cache_without_a_fence_is_not_asked)
{
	fake_upper_load(upper, 50);
	ck_assert_int_eq(run(&fake_upper_ops,
			     (struct cl_range_op){CL_COLLAPSE, PAGES(10), PAGES(5), 0}),
			 0);
	ck_assert_uint_eq(report.fences, 0);
	ck_assert_uint_eq(report.notifications, 1);
	ck_assert_int_eq(fake_upper_load(upper, 50), original(55));
}
END_TEST

START_TEST(where_nothing_comes_it_is_asked_once)
{
	fake_upper_load(upper, 50);
	ck_assert_int_eq(collapse(nothing_comes), 0);
	ck_assert_uint_eq(report.fences, 1);
	ck_assert_uint_eq(upper->fences, 1);
	ck_assert_uint_eq(report.notifications, 1);
	ck_assert_int_eq(fake_upper_load(upper, 50), original(55));
}
END_TEST

static int one_comes(struct fake_upper *u, unsigned number)
{
	(void)u;
	if (number == 1)
		come_and_go(50);
	return 0;
}

START_TEST(after_a_writeback_has_come_it_is_asked_again)
{
	ck_assert_int_eq(collapse(one_comes), 0);
	ck_assert_uint_eq(report.fences, 2);
}
END_TEST

static int one_leaves(struct fake_upper *u, unsigned number)
{
	(void)u;
	if (number == 1)
		cl_gate_leave(fx.mapping, &writeback);
	return 0;
}

START_TEST(after_a_writeback_that_was_there_has_left_it_is_asked_again)
{
	enter_writeback(50);
	ck_assert_int_eq(collapse(one_leaves), 0);
	ck_assert_uint_eq(report.fences, 2);
}
END_TEST

/* What the upper cache keeps back until it is answered is sent after the fence. */
START_TEST(after_one_that_was_there_has_been_waited_for_it_is_asked_again)
{
	struct team op;
	int status;

	enter_writeback(50);
	upper->at_fence = nothing_comes;
	team_start(&op, 1, run_collapse, &status);
	team_await_asleep(&op);
	ck_assert_uint_eq(upper->fences, 1);
	cl_gate_leave(fx.mapping, &writeback);
	team_join(&op);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(report.fences, 2);
}
END_TEST

static int one_is_refused(struct fake_upper *u, unsigned number)
{
	(void)u;
	if (number == 1)
		cl_gate_refused(fx.mapping, page_range(50, 51));
	return 0;
}

START_TEST(after_a_writeback_has_been_refused_it_is_asked_again)
{
	ck_assert_int_eq(collapse(one_is_refused), 0);
	ck_assert_uint_eq(report.fences, 2);
}
END_TEST

static int one_stays(struct fake_upper *u, unsigned number)
{
	(void)u;
	if (number == 1)
		enter_writeback(50);
	return 0;
}

START_TEST(a_writeback_that_has_come_is_waited_for)
{
	struct team op;
	int status;

	upper->at_fence = one_stays;
	team_start(&op, 1, run_collapse, &status);
	team_await_asleep(&op);
	ck_assert(!changed);
	cl_gate_leave(fx.mapping, &writeback);
	team_join(&op);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(report.fences, 2);
}
END_TEST

/* ---------------------------------------------------------- what it takes no notice of
 */

static int one_comes_elsewhere(struct fake_upper *u, unsigned number)
{
	(void)u;
	(void)number;
	come_and_go(9);
	return 0;
}

START_TEST(a_writeback_elsewhere_in_the_file_does_not_count)
{
	ck_assert_int_eq(collapse(one_comes_elsewhere), 0);
	ck_assert_uint_eq(report.fences, 1);
}
END_TEST

static int one_comes_in_between(struct fake_upper *u, unsigned number)
{
	(void)u;
	come_and_go(30);
	if (number == 1)
		come_and_go(52);
	return 0;
}

START_TEST(between_the_two_ranges_of_a_move_it_does_not_count_either)
{
	upper->at_fence = one_comes_in_between;
	ck_assert_int_eq(
		run(&fake_upper_fenced_ops,
		    (struct cl_range_op){CL_MOVE, PAGES(50), PAGES(5), PAGES(10)}),
		0);
	ck_assert_uint_eq(report.fences, 2);
}
END_TEST

static int a_barrier_comes(struct fake_upper *u, unsigned number)
{
	(void)u;
	(void)number;
	ASSERT(gated_writeback(fx.mapping, whole_file) == 0);
	return 0;
}

START_TEST(what_fsync_and_the_flusher_enter_does_not_count)
{
	ck_assert_int_eq(collapse(a_barrier_comes), 0);
	ck_assert_uint_eq(report.fences, 1);
}
END_TEST

/* -------------------------------------------------------------- if it cannot be had */

struct load {
	uint64_t page;
	int byte;
};

static void run_load(struct member *member)
{
	struct load *load = member->arg;

	load->byte = fake_upper_load(upper, load->page);
}

static struct team fault;
static struct load load;

/** A fault whose READ is parked. */
static void park_a_read(uint64_t page)
{
	load.page = page;
	team_start(&fault, 1, run_load, &load);
	while (cl_gate_parked(fx.mapping) == 0)
		;
}

static int it_is_busy(struct fake_upper *u, unsigned number)
{
	(void)u;
	(void)number;
	park_a_read(60);
	return -EBUSY;
}

static int it_passes(struct fake_upper *u, unsigned number)
{
	(void)u;
	(void)number;
	return 0;
}

START_TEST(if_it_is_busy_nothing_has_changed)
{
	fake_upper_load(upper, 50);
	ck_assert_int_eq(collapse(it_is_busy), -EBUSY);
	team_join(&fault);
	ck_assert(!changed);
	ck_assert_int_eq(load.byte, original(60));
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES));
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 0);
	assert_reads_pattern(&fx, page_range(0, FILE_PAGES), FIXTURE_SEED);
	/* What is up there is known: the next one has it dropped. */
	ck_assert_int_eq(fake_upper_load(upper, 50), original(50));
	ck_assert_int_eq(collapse(it_passes), 0);
	ck_assert_int_eq(fake_upper_load(upper, 50), original(55));
	ck_assert_int_eq(fake_upper_load(upper, 60), original(65));
}
END_TEST

static int one_comes_each_time(struct fake_upper *u, unsigned number)
{
	(void)u;
	(void)number;
	come_and_go(50);
	return 0;
}

START_TEST(if_writebacks_never_end_it_gives_up)
{
	ck_assert_int_eq(collapse(one_comes_each_time), -EBUSY);
	ck_assert(!changed);
	ck_assert_uint_eq(report.fences, 100);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES));
	assert_reads_pattern(&fx, page_range(0, FILE_PAGES), FIXTURE_SEED);
}
END_TEST

static int a_read_is_in_its_way(struct fake_upper *u, unsigned number)
{
	(void)u;
	if (number > 1)
		return 0;
	park_a_read(60);
	return -EAGAIN;
}

/* It was parked; it is answered, and what it brought is dropped before the change. */
START_TEST(a_read_that_is_in_its_way_gets_the_bytes_of_before)
{
	ck_assert_int_eq(collapse(a_read_is_in_its_way), 0);
	team_join(&fault);
	ck_assert(load.byte == original(60) || load.byte == original(65));
	ck_assert_uint_eq(report.rescued, 1);
	ck_assert_uint_eq(report.fences, 2);
	ck_assert_int_eq(fake_upper_load(upper, 60), original(65));
}
END_TEST

/* ---------------------------------------------------------------------- for people */

static int it_takes_long(struct fake_upper *u, unsigned number)
{
	struct cl_running_op running;

	(void)u;
	(void)number;
	ASSERT(cl_cache_running_ops(fx.cache, &running, 1) == 1);
	ASSERT(strcmp(running.phase, "fence") == 0);
	ASSERT(!running.notifying);
	fixture_await_event(&fx, CL_EVENT_SLOW_OPERATION);
	return 0;
}

START_TEST(the_watchdog_tells_of_one_that_takes_too_long)
{
	ck_assert_int_eq(collapse(it_takes_long), 0);
	ck_assert_str_eq(fixture_event(&fx, CL_EVENT_SLOW_OPERATION).phase, "fence");
	ck_assert_uint_ge(report.fence_ns, 1000000 / 2);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_with("fence", &tcase);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_upper_cache_without_a_fence_is_not_asked);
	tcase_add_test(tcase, where_nothing_comes_it_is_asked_once);
	tcase_add_test(tcase, after_a_writeback_has_come_it_is_asked_again);
	tcase_add_test(tcase,
		       after_a_writeback_that_was_there_has_left_it_is_asked_again);
	tcase_add_test(tcase,
		       after_one_that_was_there_has_been_waited_for_it_is_asked_again);
	tcase_add_test(tcase, after_a_writeback_has_been_refused_it_is_asked_again);
	tcase_add_test(tcase, a_writeback_that_has_come_is_waited_for);
	tcase_add_test(tcase, a_writeback_elsewhere_in_the_file_does_not_count);
	tcase_add_test(tcase,
		       between_the_two_ranges_of_a_move_it_does_not_count_either);
	tcase_add_test(tcase, what_fsync_and_the_flusher_enter_does_not_count);
	tcase_add_test(tcase, if_it_is_busy_nothing_has_changed);
	tcase_add_test(tcase, if_writebacks_never_end_it_gives_up);
	tcase_add_test(tcase, a_read_that_is_in_its_way_gets_the_bytes_of_before);

	tcase = tcase_create("watchdog");
	tcase_add_checked_fixture(tcase, setup_impatient, teardown);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, the_watchdog_tells_of_one_that_takes_too_long);
	return suite_run(suite);
}
