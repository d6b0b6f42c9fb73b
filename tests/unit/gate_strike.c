/* SPDX-License-Identifier: MIT */
/*
 * What a notification is sent for: it must not go where a READ is parked, for which it
 * would wait.
 */

#include "fixture.h"
#include "mapping_internal.h"

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

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_with("gate_strike", &tcase);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_strike_ends_where_a_read_is_parked);
	tcase_add_test(tcase, a_read_that_may_be_direct_does_not_end_a_strike);
	tcase_add_test(tcase, a_strike_without_parked_reads_is_whole);
	return suite_run(suite);
}
