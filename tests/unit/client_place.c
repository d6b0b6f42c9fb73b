/* SPDX-License-Identifier: MIT */
/*
 * Serving a program where it runs: when a thread is moved, and that it is not bound.
 */

#include <check.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "client_place.h"
#include "threads.h"

#define TID  77
#define SOON 20000

/* @return how many waits of `gap_ns` it takes until it would move; 0: not in so many */
static unsigned waits_until_moved(struct client_place *place, uint32_t tid,
				  uint64_t *now_ns, uint64_t gap_ns, unsigned max)
{
	for (unsigned i = 1; i <= max; i++) {
		*now_ns += gap_ns;
		if (client_place_waits(place, tid, *now_ns))
			return i;
	}
	return 0;
}

START_TEST(many_short_waits_for_one_program_move_the_thread)
{
	struct client_place place = {0};
	uint64_t now_ns = 1000000000;

	ck_assert_uint_eq(waits_until_moved(&place, TID, &now_ns, SOON, 1000),
			  CLIENT_PLACE_WAITS + 1);
}
END_TEST

START_TEST(long_waits_do_not)
{
	struct client_place place = {0};
	uint64_t now_ns = 1000000000;

	ck_assert_uint_eq(waits_until_moved(&place, TID, &now_ns,
					    CLIENT_PLACE_WAIT_NS_MAX + 1, 1000),
			  0);
}
END_TEST

START_TEST(waits_for_several_programs_do_not)
{
	struct client_place place = {0};
	uint64_t now_ns = 1000000000;

	for (unsigned i = 0; i < 1000; i++)
		ck_assert(!client_place_waits(&place, TID + i % 2, now_ns += SOON));
}
END_TEST

START_TEST(waits_for_nobody_knows_whom_do_not)
{
	struct client_place place = {0};
	uint64_t now_ns = 1000000000;

	ck_assert_uint_eq(waits_until_moved(&place, 0, &now_ns, SOON, 1000), 0);
}
END_TEST

START_TEST(a_request_that_is_there_at_once_is_a_good_sign)
{
	struct client_place place = {0};
	uint64_t now_ns = 1000000000;

	for (unsigned i = 0; i < 100; i++) {
		ck_assert_uint_eq(waits_until_moved(&place, TID, &now_ns, SOON,
						    CLIENT_PLACE_WAITS - 1),
				  0);
		client_place_is_good(&place);
	}
}
END_TEST

START_TEST(moves_that_do_not_help_get_rare)
{
	struct client_place place = {0};
	uint64_t now_ns = 1000000000, last_ns, pause_ns = 0;

	ck_assert_uint_ne(waits_until_moved(&place, TID, &now_ns, SOON, 1000), 0);
	for (unsigned i = 0; i < 10; i++) {
		last_ns = now_ns;
		ck_assert_uint_ne(waits_until_moved(&place, TID, &now_ns, SOON, 100000),
				  0);
		ck_assert_uint_ge(now_ns - last_ns, pause_ns);
		ck_assert_uint_ge(now_ns - last_ns, CLIENT_PLACE_PAUSE_NS_MIN);
		pause_ns = now_ns - last_ns;
		pause_ns -= pause_ns % CLIENT_PLACE_PAUSE_NS_MIN;
	}
	ck_assert_uint_eq(pause_ns, CLIENT_PLACE_PAUSE_NS_MAX);
}
END_TEST

START_TEST(a_move_that_has_helped_for_a_while_may_soon_be_repeated)
{
	struct client_place place = {0};
	uint64_t now_ns = 1000000000, last_ns;

	for (unsigned i = 0; i < 10; i++)
		ck_assert_uint_ne(waits_until_moved(&place, TID, &now_ns, SOON, 100000),
				  0);
	now_ns += 10 * (uint64_t)CLIENT_PLACE_PAUSE_NS_MAX;
	ck_assert_uint_ne(waits_until_moved(&place, TID, &now_ns, SOON, 1000), 0);
	last_ns = now_ns;
	ck_assert_uint_ne(waits_until_moved(&place, TID, &now_ns, SOON, 1000), 0);
	ck_assert_uint_lt(now_ns - last_ns, 2 * CLIENT_PLACE_PAUSE_NS_MIN);
}
END_TEST

/* -------------------------------------------------------------------------- moving */

static cpu_set_t allowed;

static void setup(void)
{
	ck_assert_int_eq(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
}

static void check_not_bound(const cpu_set_t *before)
{
	cpu_set_t now;

	ck_assert_int_eq(sched_getaffinity(0, sizeof(now), &now), 0);
	ck_assert(CPU_EQUAL(before, &now));
}

static void bind_to(int processor)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)processor, &one);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* The number-th processor that we may use. @return -1 if there are not so many */
static int processor(int number)
{
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET((size_t)i, &allowed) && number-- == 0)
			return i;
	return -1;
}

static _Atomic bool settled, over;

/* A client on the second processor. */
static void stay_there(struct member *member)
{
	(void)member;
	bind_to(processor(1));
	atomic_store(&settled, true);
	while (!atomic_load(&over))
		usleep(100);
}

static pid_t start_client(struct team *team)
{
	team_start(team, 1, stay_there, NULL);
	while (!atomic_load(&settled))
		usleep(100);
	return atomic_load(&team->members[0].tid);
}

static void end_client(struct team *team)
{
	atomic_store(&over, true);
	team_join(team);
}

START_TEST(goes_to_the_other_processor_and_stays_free)
{
	struct team team;
	bool moved = false;
	pid_t client;

	if (processor(1) < 0)
		return; /* nowhere to go */
	client = start_client(&team);
	for (int i = 0; i < 100 && !moved; i++) {
		bind_to(processor(0));
		ck_assert_int_eq(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
		moved = client_place_follow((uint32_t)client);
		check_not_bound(&allowed);
	}
	ck_assert(moved);
	end_client(&team);
}
END_TEST

START_TEST(does_not_go_where_it_may_not)
{
	struct team team;
	cpu_set_t mine;
	pid_t client;

	if (processor(1) < 0)
		return;
	client = start_client(&team);
	bind_to(processor(0));
	ck_assert_int_eq(sched_getaffinity(0, sizeof(mine), &mine), 0);
	ck_assert(!client_place_follow((uint32_t)client));
	check_not_bound(&mine);
	ck_assert_int_eq(sched_getcpu(), processor(0));
	end_client(&team);
}
END_TEST

START_TEST(stays_when_the_program_is_gone)
{
	ck_assert(!client_place_follow(INT32_MAX));
	check_not_bound(&allowed);
}
END_TEST

START_TEST(stays_when_it_is_there_already)
{
	bind_to(processor(0));
	ck_assert(!client_place_follow((uint32_t)gettid()));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client_place");
	TCase *when = tcase_create("when");
	TCase *where = tcase_create("where");
	SRunner *runner;
	int failed;

	tcase_add_test(when, many_short_waits_for_one_program_move_the_thread);
	tcase_add_test(when, long_waits_do_not);
	tcase_add_test(when, waits_for_several_programs_do_not);
	tcase_add_test(when, waits_for_nobody_knows_whom_do_not);
	tcase_add_test(when, a_request_that_is_there_at_once_is_a_good_sign);
	tcase_add_test(when, moves_that_do_not_help_get_rare);
	tcase_add_test(when, a_move_that_has_helped_for_a_while_may_soon_be_repeated);
	suite_add_tcase(suite, when);

	tcase_add_checked_fixture(where, setup, NULL);
	tcase_set_timeout(where, 60);
	tcase_add_test(where, goes_to_the_other_processor_and_stays_free);
	tcase_add_test(where, does_not_go_where_it_may_not);
	tcase_add_test(where, stays_when_the_program_is_gone);
	tcase_add_test(where, stays_when_it_is_there_already);
	suite_add_tcase(suite, where);

	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
