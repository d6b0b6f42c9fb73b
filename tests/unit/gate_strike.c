/* SPDX-License-Identifier: MIT */
/*
 * What a notification is sent for: it must not go where a READ is parked, for which it
 * would wait. And who is answered when it waits all the same.
 */

#include "fixture.h"
#include "mapping_internal.h"
#include "pace.h"

static struct fixture fx;
static struct cl_gate_entry gate_closed, read_parked;

static void ignore(struct cl_gate_entry *entry)
{
	(void)entry;
}

/* Pages 10 to 40 are up there, the gate is closed, and then a READ of page 20 came. */
static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(64));
	gate_mark_resident(&fx.mapping->gate, page_range(10, 40));
	gate_closed = (struct cl_gate_entry){.range = page_range(0, 64),
					     .kind = CL_GATE_CLOSE};
	cl_gate_enter_wait(fx.mapping, &gate_closed);
	read_parked = (struct cl_gate_entry){.range = page_range(20, 22),
					     .kind = CL_GATE_FILL,
					     .caches = true,
					     .granted = ignore};
}

static void teardown(void)
{
	cl_gate_leave(fx.mapping, &gate_closed);
	if (read_parked.state == CL_GATE_GRANTED)
		cl_gate_leave(fx.mapping, &read_parked);
	fixture_close(&fx);
}

static void next_resident_is(uint64_t page)
{
	struct cl_range run;

	ck_assert(gate_next_resident(&fx.mapping->gate, page_range(0, 64), 1, &run));
	ck_assert_uint_eq(run.start, PAGES(page));
}

START_TEST(a_strike_ends_where_a_read_is_parked)
{
	struct cl_range range = page_range(10, 40);

	ck_assert(!cl_gate_enter(fx.mapping, &read_parked));
	gate_strike(&fx.mapping->gate, &range);
	ck_assert_uint_eq(range.start, PAGES(10));
	ck_assert_uint_eq(range.end, PAGES(20));
	/* The pages of the READ left the set when it was parked; behind it goes on. */
	next_resident_is(22);
}
END_TEST

/* Such a READ may lock no folio, and its pages be up there all the same. */
START_TEST(a_read_that_may_be_direct_does_not_end_a_strike)
{
	struct cl_range range = page_range(10, 40);

	read_parked.maybe_direct = true;
	ck_assert(!cl_gate_enter(fx.mapping, &read_parked));
	gate_strike(&fx.mapping->gate, &range);
	ck_assert_uint_eq(range.end, PAGES(40));
}
END_TEST

START_TEST(a_strike_without_parked_reads_is_whole)
{
	struct cl_range range = page_range(10, 30);

	gate_strike(&fx.mapping->gate, &range);
	ck_assert_uint_eq(range.end, PAGES(30));
	next_resident_is(30);
}
END_TEST

/* ------------------------------------------------------------------------ rescue */

#define MS ((uint64_t)1000000)

/* A notification of a range began so long ago, and the READ came a moment later. */
static size_t rescued_after(struct cl_range notified, uint64_t age_ns)
{
	const uint64_t now_ns = cl_now_ns();
	struct invalidate_gate *gate = &fx.mapping->gate;

	gate_notice_begin(gate, notified, now_ns - age_ns);
	ck_assert(!cl_gate_enter(fx.mapping, &read_parked));
	read_parked.arrival_ns = now_ns - age_ns + 1;
	const size_t rescued = gate_rescue_silent(gate, PACE_FLOOR_NS, now_ns);

	gate_notice_end(gate);
	return rescued;
}

START_TEST(a_read_of_what_is_notified_is_answered_when_that_is_silent)
{
	ck_assert_uint_eq(rescued_after(page_range(16, 32), 1 * MS), 1);
	ck_assert(read_parked.rescued);
	next_resident_is(10); /* and 20 is back among them */
}
END_TEST

START_TEST(nobody_is_answered_before)
{
	ck_assert_uint_eq(rescued_after(page_range(16, 32), PACE_FLOOR_NS - 1), 0);
}
END_TEST

START_TEST(a_read_of_other_pages_is_answered_only_after_a_long_silence)
{
	ck_assert_uint_eq(rescued_after(page_range(24, 32), 19 * MS), 0);
	ck_assert_uint_eq(
		gate_rescue(&fx.mapping->gate, page_range(0, 64), 0, cl_now_ns()), 1);
}
END_TEST

START_TEST(then_it_is_answered)
{
	ck_assert_uint_eq(rescued_after(page_range(24, 32), 21 * MS), 1);
}
END_TEST

/* Whoever syncs his mapping in a loop makes signs of life for ever. */
START_TEST(signs_of_life_delay_it_for_two_seconds_and_no_longer)
{
	struct invalidate_gate *gate = &fx.mapping->gate;
	const uint64_t start_ns = cl_now_ns();
	struct cl_gate_entry write = {.range = page_range(24, 25),
				      .kind = CL_GATE_WRITE,
				      .writes_back = true};

	gate_notice_begin(gate, page_range(24, 32), start_ns);
	ck_assert(!cl_gate_enter(fx.mapping, &read_parked));
	ck_assert(cl_gate_try_enter(fx.mapping, &write));
	ck_assert_uint_eq(gate_rescue_silent(gate, PACE_FLOOR_NS, start_ns + 1999 * MS),
			  0);
	ck_assert_uint_eq(gate_rescue_silent(gate, PACE_FLOOR_NS, start_ns + 2000 * MS),
			  1);
	cl_gate_leave(fx.mapping, &write);
	gate_notice_end(gate);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_with("gate_strike", &tcase);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_strike_ends_where_a_read_is_parked);
	tcase_add_test(tcase, a_read_that_may_be_direct_does_not_end_a_strike);
	tcase_add_test(tcase, a_strike_without_parked_reads_is_whole);
	tcase_add_test(tcase,
		       a_read_of_what_is_notified_is_answered_when_that_is_silent);
	tcase_add_test(tcase, nobody_is_answered_before);
	tcase_add_test(tcase,
		       a_read_of_other_pages_is_answered_only_after_a_long_silence);
	tcase_add_test(tcase, then_it_is_answered);
	tcase_add_test(tcase, signs_of_life_delay_it_for_two_seconds_and_no_longer);
	return suite_run(suite);
}
