/* SPDX-License-Identifier: MIT */
/*
 * Range operations against a fake upper cache: each step of the protocol, and what it
 * is there for.
 */

#include "cachelayer/range_op.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "fake_upper.h"
#include "fixture.h"

#define FILE_PAGES 100u

static struct fixture fx;
static struct fake_upper *upper;
static struct cl_range_op_report report;
static int store_error; /* of the next operation */

static void setup_with(struct cl_cache_config config)
{
	fixture_open(&fx, config, PAGES(FILE_PAGES));
	upper = malloc(sizeof(*upper));
	ck_assert_ptr_nonnull(upper);
	fake_upper_init(upper, fx.mapping, PAGES(FILE_PAGES));
	store_error = 0;
}

static void setup(void)
{
	setup_with(fixture_config());
}

static void setup_verify(void)
{
	struct cl_cache_config config = fixture_config();

	config.verify = true;
	setup_with(config);
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

/* -------------------------------------------------------------------- the store */

/** The bytes after an operation, made from those before it. @return the new size */
static uint64_t model(const struct cl_range_op *op, uint8_t *bytes, uint64_t size)
{
	const uint64_t end = op->offset + op->len;

	switch (op->kind) {
	case CL_PUNCH:
	case CL_ZERO:
		memset(bytes + op->offset, 0, op->len);
		return size;
	case CL_COLLAPSE:
		memmove(bytes + op->offset, bytes + end, size - end);
		return size - op->len;
	case CL_INSERT:
		memmove(bytes + end, bytes + op->offset, size - op->offset);
		memset(bytes + op->offset, 0, op->len);
		return size + op->len;
	case CL_MOVE:
		memcpy(bytes + op->destination, bytes + op->offset, op->len);
		memset(bytes + op->offset, 0, op->len);
		return size;
	}
	return size;
}

static int change_store(void *arg)
{
	const struct cl_range_op *op = arg;
	const uint64_t size = fake_store_size(fx.store);
	uint8_t *bytes;
	uint64_t new_size;

	if (store_error)
		return store_error;
	bytes = calloc(1, size + op->len);
	if (!bytes)
		abort();
	fake_store_peek(fx.store, bytes, size, 0);
	new_size = model(op, bytes, size);
	fake_store_resize(fx.store, new_size);
	fake_store_poke(fx.store, bytes, new_size, 0);
	free(bytes);
	return 0;
}

static int run(struct cl_range_op op)
{
	return cl_range_op_run(fx.mapping, &op, &fake_upper_ops, upper, INT64_MAX,
			       change_store, &op, &report);
}

static struct cl_range_op collapse(uint64_t page, uint64_t count)
{
	return (struct cl_range_op){CL_COLLAPSE, PAGES(page), PAGES(count), 0};
}

static int original(uint64_t page)
{
	return fake_store_byte(FIXTURE_SEED, PAGES(page));
}

/* ------------------------------------------------------- what moves, and stays warm */

START_TEST(after_a_collapse_cached_bytes_are_read_without_the_store)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	const uint64_t calls = fake_store_counters(fx.store, FAKE_READ).calls;

	ck_assert_int_eq(run(collapse(10, 5)), 0);
	ck_assert_uint_eq(report.pages_moved, FILE_PAGES - 15);
	assert_cache_is_store(&fx);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_READ).calls, calls);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES - 5));
}
END_TEST

START_TEST(an_insert_makes_a_gap_of_zeros_and_moves_what_follows)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	ck_assert_int_eq(run((struct cl_range_op){CL_INSERT, PAGES(10), PAGES(5), 0}),
			 0);
	ck_assert_uint_eq(report.pages_moved, FILE_PAGES - 10);
	assert_reads_zeros(&fx, page_range(10, 15));
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_move_replaces_its_destination_and_leaves_zeros)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	ck_assert_int_eq(
		run((struct cl_range_op){CL_MOVE, PAGES(50), PAGES(5), PAGES(10)}), 0);
	ck_assert_uint_eq(report.pages_moved, 5);
	assert_reads_zeros(&fx, page_range(50, 55));
	assert_cache_is_store(&fx);
	ck_assert_int_eq(
		run((struct cl_range_op){CL_MOVE, PAGES(10), PAGES(5), PAGES(80)}), 0);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_punch_of_any_bytes_zeroes_just_those)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	ck_assert_int_eq(run((struct cl_range_op){CL_PUNCH, PAGES(3) + 100, 5000, 0}),
			 0);
	assert_reads_zeros(&fx, (struct cl_range){PAGES(3) + 100, PAGES(3) + 5100});
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(if_the_store_fails_nothing_has_changed)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	store_error = -ENOSPC;
	ck_assert_int_eq(run(collapse(10, 5)), -ENOSPC);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES));
	assert_reads_pattern(&fx, page_range(0, FILE_PAGES), FIXTURE_SEED);
	ck_assert_int_eq(fake_upper_load(upper, FILE_PAGES - 1),
			 original(FILE_PAGES - 1));
}
END_TEST

START_TEST(what_fallocate_refuses_is_refused)
{
	const uint64_t size = PAGES(FILE_PAGES);
	const struct {
		struct cl_range_op op;
		int want;
	} cases[] = {
		{{CL_COLLAPSE, PAGES(1), 0, 0}, -EINVAL},
		{{CL_COLLAPSE, 100, PAGES(1), 0}, -EINVAL},
		{{CL_COLLAPSE, PAGES(1), 100, 0}, -EINVAL},
		{{CL_COLLAPSE, PAGES(90), PAGES(10), 0}, -EINVAL},
		{{CL_COLLAPSE, PAGES(90), PAGES(9), 0}, 0},
		{{CL_INSERT, size, PAGES(1), 0}, -EINVAL},
		{{CL_INSERT, 0, (uint64_t)INT64_MAX & ~(uint64_t)4095, 0}, -EFBIG},
		{{CL_MOVE, 0, PAGES(10), PAGES(5)}, -EINVAL},
		{{CL_MOVE, 0, PAGES(10), PAGES(91)}, -EINVAL},
		{{CL_MOVE, 0, PAGES(10), PAGES(90)}, 0},
		{{CL_MOVE, 0, PAGES(1), 100}, -EINVAL},
		{{CL_PUNCH, INT64_MAX - 10, 100, 0}, -EFBIG},
		{{CL_PUNCH, UINT64_MAX - 10, 100, 0}, -EINVAL},
		{{CL_PUNCH, 1, 1, 0}, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(cl_range_op_check(&cases[i].op, size, INT64_MAX) ==
				      cases[i].want,
			      "case %zu", i);
}
END_TEST

/* ------------------------------------------------------------ the upper cache */

START_TEST(where_nothing_is_resident_nothing_is_notified)
{
	ck_assert_int_eq(run(collapse(10, 5)), 0);
	ck_assert_uint_eq(upper->invalidations, 0);
}
END_TEST

START_TEST(what_was_loaded_before_shows_the_bytes_of_after)
{
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		ck_assert_int_eq(fake_upper_load(upper, page), original(page));
	ck_assert_int_eq(run(collapse(10, 5)), 0);
	for (uint64_t page = 0; page < FILE_PAGES - 5; page++)
		ck_assert_int_eq(fake_upper_load(upper, page),
				 original(page < 10 ? page : page + 5));
	ck_assert_int_eq(fake_upper_load(upper, FILE_PAGES - 5), -1);
}
END_TEST

struct load {
	uint64_t page;
	int byte;
};

static void run_load(struct member *member)
{
	struct load *load = member->arg;

	load->byte = fake_upper_load(upper, load->page);
}

static void run_collapse(struct member *member)
{
	*(int *)member->arg = run(collapse(10, 5));
}

/* The fault holds its folio and waits for the store; the unmap of step 1 waits for the
 * folio. Then the gate closes, and nobody has seen a mixture. */
START_TEST(a_fill_that_was_begun_before_is_answered_and_then_dropped)
{
	struct team fault, op;
	struct load load = {.page = 50};
	int status;

	fake_store_hold(fx.store, FAKE_READ_BEGINS);
	team_start(&fault, 1, run_load, &load);
	fake_store_await_held(fx.store, FAKE_READ_BEGINS, 1);
	team_start(&op, 1, run_collapse, &status);
	team_await_asleep(&op);
	fake_store_release(fx.store, FAKE_READ_BEGINS);
	team_join(&fault);
	team_join(&op);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(load.byte, original(50));
	ck_assert_int_eq(fake_upper_load(upper, 50), original(55));
}
END_TEST

/* Step 3: a fault locks a folio of the window while that is being notified, and is
 * parked. Without rescue neither would ever return. */
START_TEST(a_read_that_the_notification_waits_for_gets_the_bytes_of_before)
{
	struct cl_gate_entry write = {
		.range = page_range(20, 90), .kind = CL_GATE_WRITE, .caches = true};
	struct team fault, op;
	struct load load = {.page = 25};
	int status;

	fake_upper_load(upper, 60);
	fake_upper_hold_invalidations(upper, 1);
	team_start(&op, 1, run_collapse, &status);
	fake_upper_await_invalidations(upper, 1);
	/* A write leaves pages up there while step 1 is under way: work for the chase.
	 */
	cl_gate_enter_wait(fx.mapping, &write);
	cl_gate_leave(fx.mapping, &write);
	fake_upper_hold_invalidations(upper, 2);
	fake_upper_await_invalidations(upper, 2);
	team_start(&fault, 1, run_load, &load);
	fake_upper_await_faults(upper, 2); /* that of page 60 was the first */
	fake_upper_hold_invalidations(upper, 0);
	team_join(&fault);
	team_join(&op);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(report.rescued, 1);
	ck_assert_int_eq(load.byte, original(25));
	ck_assert_int_eq(fake_upper_load(upper, 25), original(30));
}
END_TEST

START_TEST(a_read_past_the_new_end_waits_until_the_size_is_known)
{
	struct team fault, op;
	struct load load = {.page = FILE_PAGES - 2};
	int status;

	fake_upper_hold_adoptions(upper, true);
	team_start(&op, 1, run_collapse, &status);
	while (cl_mapping_size(fx.mapping) == PAGES(FILE_PAGES))
		sched_yield();
	team_start(&fault, 1, run_load, &load);
	fake_upper_await_faults(upper, 1);
	while (cl_gate_parked(fx.mapping) == 0)
		sched_yield();
	/* The truncate needs the folio, and the folio its READ: it is let go. */
	fake_upper_hold_adoptions(upper, false);
	team_join(&fault);
	team_join(&op);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(load.byte, -1);
}
END_TEST

START_TEST(a_page_that_the_upper_cache_keeps_is_named_and_chased_again)
{
	fake_upper_load(upper, 50);
	upper->keeps = 3; /* step 1, the chase after the first look, and one more */
	ck_assert_int_eq(run(collapse(10, 5)), 0);
	ck_assert_uint_gt(fixture_events(&fx, CL_EVENT_STALE_PAGE), 0);
	ck_assert_uint_eq(fixture_event(&fx, CL_EVENT_STALE_PAGE).page, 50);
	ck_assert_int_eq(fake_upper_load(upper, 50), original(55));
}
END_TEST

START_TEST(the_watchdog_tells_what_takes_too_long)
{
	struct cl_running_op running;
	struct team op;
	int status;

	fake_upper_load(upper, 50);
	fake_upper_hold_invalidations(upper, 1);
	team_start(&op, 1, run_collapse, &status);
	fixture_await_event(&fx, CL_EVENT_SLOW_NOTIFICATION);
	fixture_await_event(&fx, CL_EVENT_SLOW_OPERATION);
	ck_assert_str_eq(fixture_event(&fx, CL_EVENT_SLOW_NOTIFICATION).phase, "unmap");
	ck_assert_uint_eq(cl_cache_running_ops(fx.cache, &running, 1), 1);
	ck_assert(running.notifying);
	ck_assert_int_eq(running.kind, CL_COLLAPSE);
	fake_upper_hold_invalidations(upper, 0);
	team_join(&op);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(cl_cache_running_ops(fx.cache, &running, 1), 0);
}
END_TEST

/* ------------------------------------------------------------------------ stress */

static _Atomic bool over;

/* Page n of the file bears n's byte or, behind the cut, that of a page further on: a
 * byte that was never there is a mixture. */
static void hammer(struct member *member)
{
	unsigned long state = member->number + 1;

	while (!over) {
		const uint64_t page = random_next(&state) % FILE_PAGES;
		const int byte = fake_upper_load(upper, page);

		if (byte < 0)
			continue;
		bool known = false;

		for (uint64_t from = page; from < FILE_PAGES && !known; from++)
			known = byte == original(from);
		ASSERT(known);
	}
}

START_TEST(loads_beside_many_collapses_see_only_what_was_there)
{
	struct team team;
	uint64_t size = FILE_PAGES;

	over = false;
	team_start(&team, 4, hammer, NULL);
	for (unsigned i = 0; i < 60; i++) {
		ck_assert_int_eq(run(collapse(i % 30, 1)), 0);
		size--;
		ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(size));
	}
	over = true;
	team_join(&team);
	assert_cache_is_store(&fx);
	for (uint64_t page = 0; page < size; page++) {
		uint8_t byte;

		fake_store_peek(fx.store, &byte, 1, PAGES(page));
		ck_assert_int_eq(fake_upper_load(upper, page), byte);
	}
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*set_up)(void))
{
	TCase *tcase = tcase_create(name);

	tcase_set_timeout(tcase, 120);
	tcase_add_checked_fixture(tcase, set_up, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_with("range_op", &tcase);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, after_a_collapse_cached_bytes_are_read_without_the_store);
	tcase_add_test(tcase, an_insert_makes_a_gap_of_zeros_and_moves_what_follows);
	tcase_add_test(tcase, a_move_replaces_its_destination_and_leaves_zeros);
	tcase_add_test(tcase, a_punch_of_any_bytes_zeroes_just_those);
	tcase_add_test(tcase, if_the_store_fails_nothing_has_changed);
	tcase_add_test(tcase, what_fallocate_refuses_is_refused);
	tcase_add_test(tcase, where_nothing_is_resident_nothing_is_notified);
	tcase_add_test(tcase, what_was_loaded_before_shows_the_bytes_of_after);
	tcase_add_test(tcase,
		       a_fill_that_was_begun_before_is_answered_and_then_dropped);
	tcase_add_test(tcase,
		       a_read_that_the_notification_waits_for_gets_the_bytes_of_before);
	tcase_add_test(tcase, a_read_past_the_new_end_waits_until_the_size_is_known);
	tcase_add_test(tcase, loads_beside_many_collapses_see_only_what_was_there);

	tcase = add_case(suite, "verify", setup_verify);
	tcase_add_test(tcase,
		       a_page_that_the_upper_cache_keeps_is_named_and_chased_again);
	tcase = add_case(suite, "watchdog", setup_impatient);
	tcase_add_test(tcase, the_watchdog_tells_what_takes_too_long);
	return suite_run(suite);
}
