/* SPDX-License-Identifier: MIT */
/*
 * Every transition of the page lock's part of the state word, each by the interleaving
 * that makes it. Threads move one at a time, so each test takes one way only; that
 * there are no others between the steps is what the model is for
 * (tests/model/page_lock.pml).
 *
 *   L locked   W whoever unlocks must look for sleepers   - neither
 *
 *   from  to    by
 *   -     L     lock, trylock of a free lock; a newcomer before one who was woken; the
 *               last one in the queue, woken; one who was about to queue
 *   L     -     unlock; nobody waits, or the first has been woken already
 *   L     LW    queueing, for the lock or for the end of a fill; losing a race; the
 *               time-out of one who was woken
 *   LW    -     unlock: wakes the first and all who wait for the fill; finds that only
 *               an earlier wake-up was needed, or that whoever queued has given up
 *   -     LW    one who was woken, and others wait behind
 *   LW    LW    handing over, others wait behind; queueing, losing a race or a time-out
 *               of one who was woken, when somebody has queued before
 *   LW    L     handing over to the last one
 *
 * and for WRITEBACK, which needs no lock: its waiters' bit is set by the first of them
 * and goes with it.
 */

#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "actors.h"
#include "page_lock.h"

#define TIME_UP 1000u

static struct cl_page page;
static struct wait_class waits;
static struct actor a, b, c;

static void setup(void)
{
	page = (struct cl_page){.state = PAGE_UPTODATE, .pins = 9};
	waits = (struct wait_class){.unfairness = 1};
	actors_begin();
	actor_start(&a);
	actor_start(&b);
	actor_start(&c);
}

static void teardown(void)
{
	ck_assert_uint_eq(page.state & (PAGE_LOCKED | PAGE_WRITEBACK_WAITERS), 0);
	actor_end(&a);
	actor_end(&b);
	actor_end(&c);
	actors_end();
}

static int do_lock(void *arg)
{
	(void)arg;
	page_lock(&page, &waits);
	return 0;
}

static int do_lock_until(void *arg)
{
	(void)arg;
	return page_lock_until(&page, &waits, TIME_UP);
}

static int do_unlock(void *arg)
{
	(void)arg;
	page_unlock(&page);
	return 0;
}

static int do_trylock(void *arg)
{
	(void)arg;
	return page_trylock(&page);
}

static int do_wait_filling(void *arg)
{
	(void)arg;
	page_wait_filling(&page, &waits);
	return 0;
}

static int do_wait_writeback(void *arg)
{
	(void)arg;
	page_wait_writeback(&page, &waits);
	return 0;
}

static int do_end_writeback(void *arg)
{
	(void)arg;
	page_end_writeback(&page, 0);
	return 0;
}

/* ------------------------------------------------------------------ what is expected
 */

#define returns(state)	    ck_assert_int_eq(state, ACTOR_IDLE)
#define falls_asleep(state) ck_assert_int_eq(state, ACTOR_ASLEEP)

static void word_is(const char *want)
{
	const uint32_t state = atomic_load(&page.state);
	const char got[] = {state & PAGE_LOCKED ? 'L' : '-',
			    state & PAGE_LOCK_WAITERS ? 'W' : '-', '\0'};

	ck_assert_str_eq(got, want);
}

/** `holder` has the lock, and the others sleep in this order. */
static void queue_up(struct actor *holder, struct actor *first, struct actor *second)
{
	returns(actor_call(holder, do_lock, NULL));
	word_is("L-");
	falls_asleep(actor_call(first, do_lock, NULL));
	if (second)
		falls_asleep(actor_call(second, do_lock, NULL));
	word_is("LW");
}

/** The last two steps of a test: nothing is left. */
static void unlock_for_good(struct actor *actor)
{
	returns(actor_call(actor, do_unlock, NULL));
	word_is("--");
}

/* --------------------------------------------------------------------- nobody waits */

START_TEST(a_free_lock_is_taken_and_set_free)
{
	returns(actor_call(&a, do_lock, NULL));
	word_is("L-");
	returns(actor_call(&b, do_trylock, NULL));
	ck_assert_int_eq(b.result, false);
	word_is("L-");
	unlock_for_good(&a);
	returns(actor_call(&b, do_trylock, NULL));
	ck_assert_int_eq(b.result, true);
	unlock_for_good(&b);
}
END_TEST

START_TEST(who_is_about_to_queue_takes_a_lock_that_has_become_free)
{
	returns(actor_call(&a, do_lock, NULL));
	actor_call_until(&b, do_lock, NULL, "page_parking");
	returns(actor_call(&a, do_unlock, NULL));
	word_is("--");
	returns(actor_go_on(&b));
	word_is("L-");
	unlock_for_good(&b);
}
END_TEST

/* ---------------------------------------------------------------- waking the first */

START_TEST(an_unlock_wakes_the_one_who_waits)
{
	queue_up(&a, &b, NULL);
	returns(actor_call(&a, do_unlock, NULL));
	word_is("--");
	returns(actor_go_on(&b));
	word_is("L-");
	unlock_for_good(&b);
}
END_TEST

START_TEST(a_wake_up_that_comes_before_the_sleep_is_not_lost)
{
	returns(actor_call(&a, do_lock, NULL));
	actor_call_until(&b, do_lock, NULL, "page_parked");
	word_is("LW");
	returns(actor_call(&a, do_unlock, NULL));
	falls_asleep(actor_go_on(&b));
	ck_assert(!actor_sleeps(&b));
	returns(actor_go_on(&b));
	word_is("L-");
	unlock_for_good(&b);
}
END_TEST

START_TEST(an_unlock_wakes_only_the_first)
{
	queue_up(&a, &b, &c);
	returns(actor_call(&a, do_unlock, NULL));
	word_is("--");
	ck_assert(actor_sleeps(&c));
	returns(actor_go_on(&b));
	word_is("LW");
	returns(actor_call(&b, do_unlock, NULL));
	word_is("--");
	returns(actor_go_on(&c));
	word_is("L-");
	unlock_for_good(&c);
}
END_TEST

START_TEST(who_queues_while_the_first_is_on_the_way_is_found_by_the_next_unlock)
{
	queue_up(&a, &b, NULL);
	returns(actor_call(&a, do_unlock, NULL));
	actor_go_on_until(&b, "page_woken");
	returns(actor_call(&a, do_lock, NULL)); /* before b */
	word_is("L-");
	falls_asleep(actor_call(&c, do_lock, NULL));
	word_is("LW");
	returns(actor_call(&a, do_unlock, NULL)); /* b is awake, c behind it */
	word_is("--");
	ck_assert(actor_sleeps(&c));
	returns(actor_go_on(&b));
	word_is("LW");
	returns(actor_call(&b, do_unlock, NULL));
	returns(actor_go_on(&c));
	unlock_for_good(&c);
}
END_TEST

START_TEST(the_first_is_not_overtaken_if_the_faster_one_has_let_go_again)
{
	queue_up(&a, &b, NULL);
	returns(actor_call(&a, do_unlock, NULL));
	actor_go_on_until(&b, "page_woken");
	returns(actor_call(&a, do_lock, NULL));
	word_is("L-");
	returns(actor_call(&a, do_unlock, NULL)); /* b is awake: nothing to do */
	word_is("--");
	returns(actor_go_on(&b));
	word_is("L-");
	ck_assert_uint_eq(waits.overtaken, 0);
	unlock_for_good(&b);
}
END_TEST

START_TEST(an_unlocker_that_comes_late_to_the_table_finds_the_one_who_queued)
{
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&b, do_lock, NULL));
	actor_call_until(&a, do_unlock, NULL, "page_unlocking");
	word_is("LW"); /* still its own */
	falls_asleep(actor_call(&c, do_lock, NULL));
	returns(actor_go_on(&a));
	word_is("--");
	ck_assert(actor_sleeps(&c));
	returns(actor_go_on(&b));
	word_is("LW");
	returns(actor_call(&b, do_unlock, NULL));
	returns(actor_go_on(&c));
	unlock_for_good(&c);
}
END_TEST

/* ---------------------------------------------------------- overtaking, handing over
 */

START_TEST(who_has_been_overtaken_often_enough_is_handed_the_lock)
{
	queue_up(&a, &b, NULL);
	returns(actor_call(&a, do_unlock, NULL));
	actor_go_on_until(&b, "page_woken");
	returns(actor_call(&a, do_lock, NULL)); /* overtakes */
	falls_asleep(actor_go_on(&b));
	word_is("LW");
	ck_assert_uint_eq(waits.overtaken, 1);
	returns(actor_call(&a, do_unlock, NULL));
	word_is("L-"); /* never free */
	returns(actor_call(&a, do_trylock, NULL));
	ck_assert_int_eq(a.result, false);
	returns(actor_go_on(&b));
	ck_assert_uint_eq(waits.handed_over, 1);
	word_is("L-");
	unlock_for_good(&b);
}
END_TEST

START_TEST(strict_fairness_hands_over_at_once_and_in_order)
{
	waits.unfairness = 0;
	queue_up(&a, &b, &c);
	returns(actor_call(&a, do_unlock, NULL));
	word_is("LW");
	ck_assert(actor_sleeps(&c));
	returns(actor_go_on(&b));
	returns(actor_call(&b, do_unlock, NULL));
	word_is("L-");
	returns(actor_go_on(&c));
	ck_assert_uint_eq(waits.handed_over, 2);
	unlock_for_good(&c);
}
END_TEST

START_TEST(a_lock_handed_over_keeps_its_other_bits)
{
	waits.unfairness = 0;
	queue_up(&a, &b, NULL);
	page_set(&page, PAGE_DIRTY);
	returns(actor_call(&a, do_unlock, NULL));
	page_clear(&page, PAGE_DIRTY);
	returns(actor_go_on(&b));
	ck_assert(page_test(&page, PAGE_UPTODATE));
	ck_assert(!page_test(&page, PAGE_DIRTY));
	unlock_for_good(&b);
}
END_TEST

START_TEST(who_is_overtaken_keeps_its_place_in_the_queue)
{
	queue_up(&a, &b, &c);
	returns(actor_call(&a, do_unlock, NULL));
	actor_go_on_until(&b, "page_woken");
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_go_on(&b));
	returns(actor_call(&a, do_unlock, NULL));
	word_is("LW");
	ck_assert(actor_sleeps(&c));
	returns(actor_go_on(&b));
	returns(actor_call(&b, do_unlock, NULL));
	returns(actor_go_on(&c));
	unlock_for_good(&c);
}
END_TEST

START_TEST(who_is_overtaken_is_still_before_those_who_queued_meanwhile)
{
	queue_up(&a, &b, NULL);
	returns(actor_call(&a, do_unlock, NULL));
	actor_go_on_until(&b, "page_woken");
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&c, do_lock, NULL));
	word_is("LW");
	falls_asleep(actor_go_on(&b)); /* overtaken */
	word_is("LW");
	ck_assert_uint_eq(waits.overtaken, 1);
	returns(actor_call(&a, do_unlock, NULL)); /* for b */
	word_is("LW");
	ck_assert(actor_sleeps(&c));
	returns(actor_go_on(&b));
	returns(actor_call(&b, do_unlock, NULL));
	word_is("--");
	returns(actor_go_on(&c));
	unlock_for_good(&c);
}
END_TEST

/* ------------------------------------------------------------------- time running out
 */

START_TEST(a_lock_that_is_free_is_taken_when_the_time_is_up_already)
{
	actors_clock(TIME_UP);
	returns(actor_call(&a, do_lock_until, NULL));
	ck_assert_int_eq(a.result, 0);
	unlock_for_good(&a);
}
END_TEST

START_TEST(who_gives_up_has_not_got_the_lock_and_is_in_no_queue)
{
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&b, do_lock_until, NULL));
	ck_assert(actor_sleeps(&b));
	actors_clock(TIME_UP);
	returns(actor_go_on(&b));
	ck_assert_int_eq(b.result, -ETIMEDOUT);
	word_is("LW"); /* a look for nothing */
	unlock_for_good(&a);
}
END_TEST

START_TEST(who_gives_up_asleep_leaves_the_others_in_order)
{
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&b, do_lock_until, NULL));
	falls_asleep(actor_call(&c, do_lock, NULL));
	actors_clock(TIME_UP);
	returns(actor_go_on(&b));
	ck_assert_int_eq(b.result, -ETIMEDOUT);
	returns(actor_call(&a, do_unlock, NULL));
	returns(actor_go_on(&c));
	unlock_for_good(&c);
}
END_TEST

START_TEST(who_gives_up_just_when_it_is_woken_passes_that_on)
{
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&b, do_lock_until, NULL));
	falls_asleep(actor_call(&c, do_lock, NULL));
	actors_clock(TIME_UP);
	actor_go_on_until(&b, "page_timed_out");
	returns(actor_call(&a, do_unlock, NULL)); /* wakes b */
	word_is("--");
	ck_assert(actor_sleeps(&c));
	returns(actor_go_on(&b));
	ck_assert_int_eq(b.result, -ETIMEDOUT);
	returns(actor_go_on(&c));
	unlock_for_good(&c);
}
END_TEST

START_TEST(who_gives_up_just_when_it_is_woken_and_is_alone_leaves_a_free_lock)
{
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&b, do_lock_until, NULL));
	actors_clock(TIME_UP);
	actor_go_on_until(&b, "page_timed_out");
	returns(actor_call(&a, do_unlock, NULL)); /* wakes b */
	returns(actor_go_on(&b));
	ck_assert_int_eq(b.result, -ETIMEDOUT);
	word_is("--");
	returns(actor_call(&c, do_lock, NULL));
	unlock_for_good(&c);
}
END_TEST

START_TEST(what_it_passes_on_is_there_already_if_somebody_has_queued_since)
{
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&b, do_lock_until, NULL));
	actors_clock(TIME_UP);
	actor_go_on_until(&b, "page_timed_out");
	returns(actor_call(&a, do_unlock, NULL)); /* wakes b */
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&c, do_lock, NULL));
	word_is("LW");
	returns(actor_go_on(&b));
	ck_assert_int_eq(b.result, -ETIMEDOUT);
	word_is("LW");
	returns(actor_call(&a, do_unlock, NULL));
	returns(actor_go_on(&c));
	unlock_for_good(&c);
}
END_TEST

START_TEST(what_it_passes_on_is_left_to_the_unlock_if_somebody_was_faster)
{
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&b, do_lock_until, NULL));
	falls_asleep(actor_call(&c, do_lock, NULL));
	actors_clock(TIME_UP);
	actor_go_on_until(&b, "page_timed_out");
	returns(actor_call(&a, do_unlock, NULL));
	returns(actor_call(&a, do_lock, NULL));
	word_is("L-");
	returns(actor_go_on(&b));
	ck_assert_int_eq(b.result, -ETIMEDOUT);
	word_is("LW");
	ck_assert(actor_sleeps(&c));
	returns(actor_call(&a, do_unlock, NULL));
	returns(actor_go_on(&c));
	unlock_for_good(&c);
}
END_TEST

START_TEST(a_lock_that_is_handed_over_at_the_last_moment_is_kept)
{
	waits.unfairness = 0;
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&b, do_lock_until, NULL));
	actors_clock(TIME_UP);
	actor_go_on_until(&b, "page_timed_out");
	returns(actor_call(&a, do_unlock, NULL));
	word_is("L-");
	returns(actor_go_on(&b));
	ck_assert_int_eq(b.result, 0);
	unlock_for_good(&b);
}
END_TEST

/* -------------------------------------------------------------------- other events */

static void begin_fill(void)
{
	page_clear(&page, PAGE_UPTODATE);
	returns(actor_call(&a, do_lock, NULL));
}

START_TEST(the_end_of_a_fill_wakes_all_who_wait_for_it)
{
	begin_fill();
	falls_asleep(actor_call(&b, do_wait_filling, NULL));
	falls_asleep(actor_call(&c, do_wait_filling, NULL));
	word_is("LW");
	page_set(&page, PAGE_UPTODATE);
	unlock_for_good(&a);
	returns(actor_go_on(&b));
	returns(actor_go_on(&c));
	word_is("--");
}
END_TEST

START_TEST(who_waits_for_a_fill_is_woken_by_a_hand_over_too)
{
	waits.unfairness = 0;
	begin_fill();
	falls_asleep(actor_call(&b, do_lock, NULL));
	falls_asleep(actor_call(&c, do_wait_filling, NULL));
	page_set(&page, PAGE_UPTODATE);
	returns(actor_call(&a, do_unlock, NULL));
	word_is("L-");
	returns(actor_go_on(&c));
	returns(actor_go_on(&b));
	unlock_for_good(&b);
}
END_TEST

START_TEST(a_fill_that_failed_has_ended)
{
	begin_fill();
	falls_asleep(actor_call(&b, do_wait_filling, NULL));
	page_set(&page, PAGE_REMOVED);
	unlock_for_good(&a);
	returns(actor_go_on(&b));
}
END_TEST

START_TEST(who_comes_to_wait_for_a_fill_when_it_has_ended_does_not)
{
	begin_fill();
	actor_call_until(&b, do_wait_filling, NULL, "page_parking");
	page_set(&page, PAGE_UPTODATE);
	unlock_for_good(&a);
	returns(actor_go_on(&b));
}
END_TEST

START_TEST(who_waits_for_a_fill_waits_on_if_the_next_one_fills_as_well)
{
	begin_fill();
	falls_asleep(actor_call(&b, do_wait_filling, NULL));
	returns(actor_call(&a, do_unlock, NULL));
	returns(actor_call(&c, do_lock, NULL));
	falls_asleep(actor_go_on(&b));
	word_is("LW");
	page_set(&page, PAGE_UPTODATE);
	unlock_for_good(&c);
	returns(actor_go_on(&b));
}
END_TEST

START_TEST(the_end_of_a_writeback_wakes_those_who_wait_for_it_and_no_others)
{
	page_set(&page, PAGE_WRITEBACK);
	returns(actor_call(&a, do_lock, NULL));
	falls_asleep(actor_call(&b, do_lock, NULL));
	falls_asleep(actor_call(&c, do_wait_writeback, NULL));
	ck_assert(page_test(&page, PAGE_WRITEBACK_WAITERS));
	returns(actor_call(&a, do_end_writeback, NULL));
	ck_assert(actor_sleeps(&b));
	returns(actor_go_on(&c));
	returns(actor_call(&a, do_unlock, NULL));
	returns(actor_go_on(&b));
	unlock_for_good(&b);
}
END_TEST

START_TEST(who_comes_to_wait_for_a_writeback_when_it_has_ended_does_not)
{
	page_set(&page, PAGE_WRITEBACK);
	actor_call_until(&b, do_wait_writeback, NULL, "page_parking");
	returns(actor_call(&a, do_end_writeback, NULL));
	returns(actor_go_on(&b));
}
END_TEST

START_TEST(
	a_late_wake_up_from_an_earlier_writeback_is_not_taken_for_the_end_of_this_one)
{
	page_set(&page, PAGE_WRITEBACK);
	falls_asleep(actor_call(&b, do_wait_writeback, NULL));
	actor_call_until(&a, do_end_writeback, NULL, "page_written");
	page_set(&page, PAGE_WRITEBACK); /* another one begins */
	falls_asleep(actor_call(&c, do_wait_writeback, NULL));
	returns(actor_go_on(&a)); /* wakes both */
	falls_asleep(actor_go_on(&c));
	ck_assert(actor_sleeps(&c));
	falls_asleep(actor_go_on(&b)); /* waits for the other one as well */
	returns(actor_call(&a, do_end_writeback, NULL));
	returns(actor_go_on(&b));
	returns(actor_go_on(&c));
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, a_free_lock_is_taken_and_set_free);
	tcase_add_test(tc, who_is_about_to_queue_takes_a_lock_that_has_become_free);
	tcase_add_test(tc, an_unlock_wakes_the_one_who_waits);
	tcase_add_test(tc, a_wake_up_that_comes_before_the_sleep_is_not_lost);
	tcase_add_test(tc, an_unlock_wakes_only_the_first);
	tcase_add_test(
		tc,
		who_queues_while_the_first_is_on_the_way_is_found_by_the_next_unlock);
	tcase_add_test(tc,
		       the_first_is_not_overtaken_if_the_faster_one_has_let_go_again);
	tcase_add_test(
		tc, an_unlocker_that_comes_late_to_the_table_finds_the_one_who_queued);
	tcase_add_test(tc, who_has_been_overtaken_often_enough_is_handed_the_lock);
	tcase_add_test(tc, strict_fairness_hands_over_at_once_and_in_order);
	tcase_add_test(tc, a_lock_handed_over_keeps_its_other_bits);
	tcase_add_test(tc, who_is_overtaken_keeps_its_place_in_the_queue);
	tcase_add_test(tc, who_is_overtaken_is_still_before_those_who_queued_meanwhile);
	tcase_add_test(tc, a_lock_that_is_free_is_taken_when_the_time_is_up_already);
	tcase_add_test(tc, who_gives_up_has_not_got_the_lock_and_is_in_no_queue);
	tcase_add_test(tc, who_gives_up_asleep_leaves_the_others_in_order);
	tcase_add_test(tc, who_gives_up_just_when_it_is_woken_passes_that_on);
	tcase_add_test(
		tc, who_gives_up_just_when_it_is_woken_and_is_alone_leaves_a_free_lock);
	tcase_add_test(tc,
		       what_it_passes_on_is_there_already_if_somebody_has_queued_since);
	tcase_add_test(tc,
		       what_it_passes_on_is_left_to_the_unlock_if_somebody_was_faster);
	tcase_add_test(tc, a_lock_that_is_handed_over_at_the_last_moment_is_kept);
	tcase_add_test(tc, the_end_of_a_fill_wakes_all_who_wait_for_it);
	tcase_add_test(tc, who_waits_for_a_fill_is_woken_by_a_hand_over_too);
	tcase_add_test(tc, a_fill_that_failed_has_ended);
	tcase_add_test(tc, who_comes_to_wait_for_a_fill_when_it_has_ended_does_not);
	tcase_add_test(tc, who_waits_for_a_fill_waits_on_if_the_next_one_fills_as_well);
	tcase_add_test(
		tc, the_end_of_a_writeback_wakes_those_who_wait_for_it_and_no_others);
	tcase_add_test(tc,
		       who_comes_to_wait_for_a_writeback_when_it_has_ended_does_not);
	tcase_add_test(
		tc,
		a_late_wake_up_from_an_earlier_writeback_is_not_taken_for_the_end_of_this_one);
}

int main(void)
{
	Suite *suite = suite_create("page_lock_interleavings");
	TCase *tc = tcase_create("page_lock");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	add_tests(tc);
	suite_add_tcase(suite, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
