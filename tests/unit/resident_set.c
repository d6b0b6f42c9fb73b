/* SPDX-License-Identifier: MIT */
/* The resident set: always a superset, exact while it is small, bounded always. */

#include "resident_set.h"

#include "fixture.h"

static struct resident_set set;

static void setup(void)
{
	resident_set_init(&set);
}

static void teardown(void)
{
	resident_set_fini(&set);
}

static void assert_next_run(uint64_t from, uint64_t end, uint64_t max,
			    uint64_t want_start, uint64_t want_end)
{
	uint64_t start, run_end;

	ck_assert(resident_set_next_run(&set, from, end, max, &start, &run_end));
	ck_assert_uint_eq(start, want_start);
	ck_assert_uint_eq(run_end, want_end);
}

START_TEST(an_empty_set_has_no_run)
{
	ck_assert(!resident_set_meets(&set, 0, UINT64_MAX));
	ck_assert_uint_eq(resident_set_pages(&set), 0);
}
END_TEST

START_TEST(runs_are_found_in_order_and_cut_at_their_limits)
{
	resident_set_add(&set, 10, 20);
	resident_set_add(&set, 30, 31);
	assert_next_run(0, 100, 100, 10, 20);
	assert_next_run(0, 100, 4, 10, 14);
	assert_next_run(12, 15, 100, 12, 15);
	assert_next_run(20, 100, 100, 30, 31);
	ck_assert(!resident_set_meets(&set, 20, 30));
	ck_assert(!resident_set_meets(&set, 31, UINT64_MAX));
}
END_TEST

START_TEST(what_is_struck_is_gone_and_nothing_else)
{
	resident_set_add(&set, 0, 100);
	resident_set_remove(&set, 40, 60);
	ck_assert_uint_eq(resident_set_pages(&set), 80);
	assert_next_run(0, 100, 1000, 0, 40);
	assert_next_run(40, 100, 1000, 60, 100);
	resident_set_remove(&set, 0, UINT64_MAX);
	ck_assert(!resident_set_meets(&set, 0, UINT64_MAX));
}
END_TEST

START_TEST(pages_past_16_tib_are_kept_apart)
{
	const uint64_t far = UINT64_C(1) << 32;

	resident_set_add(&set, far - 2, far + 2);
	ck_assert_uint_eq(resident_set_pages(&set), 4);
	assert_next_run(0, UINT64_MAX, 100, far - 2, far);
	assert_next_run(far, UINT64_MAX, 100, far, far + 2);
	resident_set_remove(&set, far - 1, far + 1);
	assert_next_run(0, UINT64_MAX, 100, far - 2, far - 1);
	assert_next_run(far - 1, UINT64_MAX, 100, far + 1, far + 2);
}
END_TEST

START_TEST(the_last_page_of_all_can_be_resident)
{
	const uint64_t last = (UINT64_C(1) << 51) - 1; /* of a file of 2^63 bytes */

	resident_set_add(&set, last, last + 1);
	assert_next_run(0, UINT64_MAX, 100, last, last + 1);
}
END_TEST

/* Pages at random over 8 TiB: the worst case for compression. */
START_TEST(memory_stays_bounded_and_no_page_is_ever_forgotten)
{
	const uint64_t pages = UINT64_C(1) << 31;
	unsigned long state = 42;

	for (int i = 0; i < 1000000; i++) {
		const uint64_t page = random_next(&state) % pages;

		resident_set_add(&set, page, page + 1);
		if (i % 50000 == 0)
			ASSERT(resident_set_bytes(&set) <= 2 * RESIDENT_SET_BYTES_MAX);
	}
	state = 42;
	for (int i = 0; i < 1000000; i++) {
		const uint64_t page = random_next(&state) % pages;

		ASSERT(resident_set_meets(&set, page, page + 1));
	}
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_with("resident_set", &tcase);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_empty_set_has_no_run);
	tcase_add_test(tcase, runs_are_found_in_order_and_cut_at_their_limits);
	tcase_add_test(tcase, what_is_struck_is_gone_and_nothing_else);
	tcase_add_test(tcase, pages_past_16_tib_are_kept_apart);
	tcase_add_test(tcase, the_last_page_of_all_can_be_resident);
	tcase_add_test(tcase, memory_stays_bounded_and_no_page_is_ever_forgotten);
	return suite_run(suite);
}
