/* SPDX-License-Identifier: MIT */
/*
 * How long a notification may be silent before a READ is taken for being in its way.
 * Time is told, not taken: a machine here is as slow as the test says.
 */

#include "notice.h"

#include "fixture.h"
#include "pace.h"

#define US ((uint64_t)1000)
#define MS ((uint64_t)1000000)

static const uint64_t start_ns = 77 * MS;

static uint64_t patience_after(const uint64_t *samples_ns, unsigned count)
{
	struct pace pace = {0};

	for (unsigned i = 0; i < count; i++)
		pace_measured(&pace, samples_ns[i]);
	return pace_patience_ns(&pace, PACE_PAGES);
}

/* ------------------------------------------------------------------------- the pace */

START_TEST(nothing_measured_is_the_floor)
{
	ck_assert_uint_eq(patience_after(NULL, 0), PACE_FLOOR_NS);
}
END_TEST

START_TEST(a_quick_machine_stays_at_the_floor)
{
	const uint64_t samples_ns[] = {5 * US, 40 * US, 3 * US, 60 * US, 40 * US};

	ck_assert_uint_eq(patience_after(samples_ns, 5), PACE_FLOOR_NS);
}
END_TEST

START_TEST(a_slow_machine_has_more_patience_than_it_needs_but_not_ten_times)
{
	uint64_t samples_ns[100];

	for (unsigned i = 0; i < 100; i++)
		samples_ns[i] = (8 + i % 5) * MS;
	ck_assert_uint_gt(patience_after(samples_ns, 1), 12 * MS);
	ck_assert_uint_gt(patience_after(samples_ns, 100), 12 * MS);
	ck_assert_uint_lt(patience_after(samples_ns, 100), 120 * MS);
}
END_TEST

START_TEST(patience_has_a_ceiling_whatever_is_measured)
{
	struct pace pace = {0};

	for (unsigned i = 0; i < 100; i++) {
		pace_measured(&pace, UINT64_MAX);
		pace_doubt(&pace);
		ck_assert_uint_eq(pace_patience_ns(&pace, UINT64_MAX), PACE_CEILING_NS);
		ck_assert_uint_eq(pace_step_ns(&pace), PACE_CEILING_NS);
	}
	for (unsigned i = 0; i < 100; i++)
		pace_measured(&pace, 10 * US);
	ck_assert_uint_eq(pace_patience_ns(&pace, PACE_PAGES), PACE_FLOOR_NS);
}
END_TEST

START_TEST(doubts_double_it_until_something_is_measured)
{
	struct pace pace = {0};

	for (unsigned i = 1; i < 11; i++) {
		pace_doubt(&pace);
		ck_assert_uint_eq(pace_patience_ns(&pace, PACE_PAGES),
				  PACE_FLOOR_NS << i);
	}
	/* It is no reason to take more pages at a time. */
	ck_assert_uint_eq(pace_step_ns(&pace), PACE_FLOOR_NS);
	pace_measured(&pace, 10 * US);
	ck_assert_uint_eq(pace_patience_ns(&pace, PACE_PAGES), PACE_FLOOR_NS);
}
END_TEST

START_TEST(a_large_window_may_be_silent_for_longer)
{
	struct pace pace = {0};

	pace_measured(&pace, 100 * US);
	ck_assert_uint_eq(pace_patience_ns(&pace, PACE_PAGES), 300 * US);
	ck_assert_uint_eq(pace_patience_ns(&pace, 10 * PACE_PAGES), 3 * MS);
}
END_TEST

/* ----------------------------------------------------------------- the notification */

START_TEST(a_write_is_a_sign_of_life_when_it_comes_and_when_it_was_answered)
{
	struct notice notice;

	notice_begin(&notice, page_range(10, 26), start_ns);
	ck_assert_uint_eq(notice_silent_ns(&notice, start_ns + 3 * MS), 3 * MS);
	notice_write_came(&notice, page_range(12, 13), start_ns + 3 * MS);
	/* It waits for us. */
	ck_assert_uint_eq(notice_silent_ns(&notice, start_ns + 9 * MS), 0);
	notice_write_left(&notice, page_range(12, 13), start_ns + 9 * MS);
	ck_assert_uint_eq(notice_silent_ns(&notice, start_ns + 10 * MS), 1 * MS);
	ck_assert_uint_eq(notice_end(&notice, start_ns + 10 * MS), 3 * MS);
}
END_TEST

START_TEST(a_write_of_other_pages_is_none)
{
	struct notice notice;

	notice_begin(&notice, page_range(10, 26), start_ns);
	notice_write_came(&notice, page_range(26, 27), start_ns + 1 * MS);
	ck_assert_uint_eq(notice_silent_ns(&notice, start_ns + 2 * MS), 2 * MS);
	/* Nor is the end of one that was on its way before. */
	notice_write_left(&notice, page_range(10, 11), start_ns + 2 * MS);
	ck_assert_uint_eq(notice_silent_ns(&notice, start_ns + 3 * MS), 3 * MS);
}
END_TEST

START_TEST(what_may_have_waited_for_a_fill_is_not_measured)
{
	struct notice notice;

	notice_begin(&notice, page_range(10, 26), start_ns);
	notice_fill_came(&notice, page_range(25, 30));
	ck_assert_uint_eq(notice_end(&notice, start_ns + 1 * MS), 0);
	notice_begin(&notice, page_range(10, 26), start_ns);
	notice_fill_came(&notice, page_range(26, 30));
	ck_assert_uint_eq(notice_end(&notice, start_ns + 1 * MS), 1 * MS);
}
END_TEST

START_TEST(clean_ground_is_measured_by_the_step)
{
	struct notice notice;

	notice_begin(&notice, page_range(0, 10 * PACE_PAGES), start_ns);
	ck_assert_uint_eq(notice_end(&notice, start_ns + 1 * MS), 1 * MS / 10);
	notice_begin(&notice, (struct cl_range){0, CL_RANGE_EOF}, start_ns);
	ck_assert_uint_eq(notice_end(&notice, start_ns + 1 * MS), 0);
}
END_TEST

START_TEST(a_start_after_the_look_at_the_clock_is_no_silence)
{
	struct notice notice;

	notice_begin(&notice, page_range(10, 26), start_ns);
	ck_assert_uint_eq(notice_silent_ns(&notice, start_ns - 1), 0);
}
END_TEST

/* ------------------------------------------------------------------------ the storm */

#define ROUNDS 1000u

/* A machine on which each notification takes 20 ms, and a fault comes for its pages at
 * once. Who is answered has them up there again: one more round.
 * @return after how many rounds nothing is up there; ROUNDS: never */
static unsigned rounds_of_a_chase(bool adapts)
{
	struct pace pace = {0};

	for (unsigned round = 0; round < ROUNDS; round++) {
		const uint64_t patience =
			adapts ? pace_patience_ns(&pace, PACE_PAGES) : PACE_FLOOR_NS;
		const uint64_t end_ns = start_ns + 20 * MS;
		struct notice notice;

		notice_begin(&notice, page_range(0, PACE_PAGES), start_ns);
		notice_fill_came(&notice, page_range(3, 4));
		const bool rescued = notice_silent_ns(&notice, end_ns - 1) >= patience;
		const uint64_t silent_ns = notice_end(&notice, end_ns);

		if (silent_ns > 0)
			pace_measured(&pace, silent_ns);
		if (!rescued)
			return round;
		pace_doubt(&pace);
	}
	return ROUNDS;
}

START_TEST(a_chase_on_a_slow_machine_ends)
{
	ck_assert_uint_le(rounds_of_a_chase(true), 7);
}
END_TEST

/* Twin: with one patience for all machines it does not. */
START_TEST(a_chase_with_one_patience_for_all_does_not_end)
{
	ck_assert_uint_eq(rounds_of_a_chase(false), ROUNDS);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("pace", &tc);

	tcase_add_test(tc, nothing_measured_is_the_floor);
	tcase_add_test(tc, a_quick_machine_stays_at_the_floor);
	tcase_add_test(
		tc, a_slow_machine_has_more_patience_than_it_needs_but_not_ten_times);
	tcase_add_test(tc, patience_has_a_ceiling_whatever_is_measured);
	tcase_add_test(tc, doubts_double_it_until_something_is_measured);
	tcase_add_test(tc, a_large_window_may_be_silent_for_longer);
	tcase_add_test(
		tc, a_write_is_a_sign_of_life_when_it_comes_and_when_it_was_answered);
	tcase_add_test(tc, a_write_of_other_pages_is_none);
	tcase_add_test(tc, what_may_have_waited_for_a_fill_is_not_measured);
	tcase_add_test(tc, clean_ground_is_measured_by_the_step);
	tcase_add_test(tc, a_start_after_the_look_at_the_clock_is_no_silence);
	tcase_add_test(tc, a_chase_on_a_slow_machine_ends);
	tcase_add_test(tc, a_chase_with_one_patience_for_all_does_not_end);
	return suite_run(suite);
}
