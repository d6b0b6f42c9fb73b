/* SPDX-License-Identifier: MIT */
/*
 * The page lock: one at a time, nobody sleeps for ever, and waiting for fills and
 * writebacks beside it. Which interleaving does what: tests/interleaving/by_hand/page_lock.c.
 */

#include <errno.h>
#include <sched.h>

#include "arena.h"
#include "cond.h"
#include "fixture.h"
#include "mapping_internal.h"
#include "page_lock.h"

static struct fixture fx;
static struct wait_class waits = {.unfairness = CL_PAGE_LOCK_UNFAIRNESS};
static struct cl_page *page;

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(4));
	page = arena_alloc(&fx.cache->arena, fx.mapping, 0);
	page_unlock(page);
}

static void teardown(void)
{
	arena_unpin(&fx.cache->arena, page);
	fixture_close(&fx);
}

static _Atomic bool flag;

static void try_it(struct member *member)
{
	const bool *free_to_take = member->arg;
	const bool got = page_trylock(page);

	ck_assert_int_eq(got, *free_to_take);
	if (got)
		page_unlock(page);
}

START_TEST(a_trylock_gets_a_free_lock_only)
{
	bool free_to_take = false;
	struct team team;

	page_lock(page, &waits);
	team_start(&team, 1, try_it, &free_to_take);
	team_join(&team);
	page_unlock(page);
	free_to_take = true;
	team_start(&team, 1, try_it, &free_to_take);
	team_join(&team);
}
END_TEST

static void take_it(struct member *member)
{
	(void)member;
	page_lock(page, &waits);
	ck_assert(atomic_load(&flag));
	page_unlock(page);
}

START_TEST(waiters_get_the_lock_when_it_is_free)
{
	struct team team;

	page_lock(page, &waits);
	team_start(&team, 6, take_it, NULL);
	team_await_asleep(&team);
	atomic_store(&flag, true);
	page_unlock(page);
	team_join(&team);
	ck_assert_uint_eq(atomic_load(&page->state) & (PAGE_LOCKED | PAGE_WRITEBACK),
			  0);
}
END_TEST

START_TEST(other_bits_of_the_word_change_while_people_sleep_on_it)
{
	struct team team;

	page_lock(page, &waits);
	team_start(&team, 3, take_it, NULL);
	team_await_asleep(&team);
	page_set(page, PAGE_UPTODATE);
	page_set(page, PAGE_DIRTY);
	page_clear(page, PAGE_DIRTY);
	team_await_asleep(&team);
	atomic_store(&flag, true);
	page_unlock(page);
	team_join(&team);
	ck_assert(page_test(page, PAGE_UPTODATE));
}
END_TEST

static void await_writeback(struct member *member)
{
	(void)member;
	page_wait_writeback(page, &waits);
	ck_assert(atomic_load(&flag));
}

START_TEST(the_end_of_writeback_wakes_everybody)
{
	struct team team;

	page_set(page, PAGE_WRITEBACK);
	team_start(&team, 6, await_writeback, NULL);
	team_await_asleep(&team);
	atomic_store(&flag, true);
	page_end_writeback(page, 0);
	team_join(&team);
}
END_TEST

START_TEST(the_end_of_writeback_sets_bits_in_the_same_step)
{
	page_set(page, PAGE_WRITEBACK);
	page_end_writeback(page, PAGE_DIRTY);
	ck_assert(page_test(page, PAGE_DIRTY));
	ck_assert(!page_test(page, PAGE_WRITEBACK));
	page_clear(page, PAGE_DIRTY);
}
END_TEST

START_TEST(nobody_waits_for_a_writeback_that_is_none)
{
	page_wait_writeback(page, &waits);
}
END_TEST

static void wait_either_way(struct member *member)
{
	if (member->number % 2)
		await_writeback(member);
	else
		take_it(member);
}

START_TEST(waiters_of_both_kinds_are_woken_each_by_its_own_event)
{
	struct team team;

	page_lock(page, &waits);
	page_set(page, PAGE_WRITEBACK);
	team_start(&team, 8, wait_either_way, NULL);
	team_await_asleep(&team);
	atomic_store(&flag, true);
	if (_i == 0) {
		page_unlock(page);
		team_await_asleep(&team);
		page_end_writeback(page, 0);
	} else {
		page_end_writeback(page, 0);
		team_await_asleep(&team);
		page_unlock(page);
	}
	team_join(&team);
}
END_TEST

START_TEST(an_unlock_reaches_those_who_sleep_behind_waiters_for_writeback)
{
	struct team writeback, lock;

	page_lock(page, &waits);
	page_set(page, PAGE_WRITEBACK);
	team_start(&writeback, 3, await_writeback, NULL);
	team_await_asleep(&writeback);
	team_start(&lock, 3, take_it, NULL);
	team_await_asleep(&lock);
	atomic_store(&flag, true);
	page_unlock(page);
	team_join(&lock);
	page_end_writeback(page, 0);
	team_join(&writeback);
}
END_TEST

START_TEST(a_page_pays_for_its_lock_with_bits_alone)
{
#ifndef CL_DEBUG_LOCKS
	ck_assert_uint_eq(sizeof(struct cl_page), 48);
#endif
	ck_assert_uint_eq(sizeof(page->state), 4);
}
END_TEST

static void fail_to_take_it(struct member *member)
{
	(void)member;
	ck_assert_int_eq(page_lock_until(page, &waits, 0), -ETIMEDOUT);
	ck_assert_int_eq(page_lock_until(page, &waits, cl_now_ns() + 1000000),
			 -ETIMEDOUT);
}

START_TEST(a_lock_that_is_not_had_in_time_is_not_had)
{
	struct team team;

	page_lock(page, &waits);
	team_start(&team, 4, fail_to_take_it, NULL);
	team_join(&team);
	page_unlock(page);
	ck_assert_int_eq(page_lock_until(page, &waits, 0), 0);
	page_unlock(page);
}
END_TEST

static void await_fill(struct member *member)
{
	(void)member;
	page_wait_filling(page, &waits);
	ck_assert(atomic_load(&flag));
}

START_TEST(the_end_of_a_fill_wakes_everybody)
{
	struct team team;

	page_lock(page, &waits);
	team_start(&team, 6, await_fill, NULL);
	team_await_asleep(&team);
	atomic_store(&flag, true);
	page_set(page, PAGE_UPTODATE);
	page_unlock(page);
	team_join(&team);
}
END_TEST

START_TEST(nobody_waits_for_a_page_that_is_not_being_filled)
{
	struct team team;

	atomic_store(&flag, true);
	page_wait_filling(page, &waits);
	page_set(page, PAGE_UPTODATE);
	page_lock(page, &waits);
	team_start(&team, 1, await_fill, NULL);
	team_join(&team);
	page_unlock(page);
}
END_TEST

static unsigned next_in_order; /* guarded by the page lock */

static void take_it_in_order(struct member *member)
{
	const unsigned *place = member->arg;

	page_lock(page, &waits);
	ck_assert_uint_eq(next_in_order, *place);
	next_in_order++;
	page_unlock(page);
}

START_TEST(strict_fairness_is_the_order_of_arrival)
{
	static unsigned places[] = {0, 1, 2, 3, 4};
	struct team teams[5];

	waits.unfairness = 0;
	page_lock(page, &waits);
	for (unsigned i = 0; i < 5; i++) {
		team_start(&teams[i], 1, take_it_in_order, &places[i]);
		team_await_asleep(&teams[i]);
	}
	page_unlock(page);
	for (unsigned i = 0; i < 5; i++)
		team_join(&teams[i]);
}
END_TEST

START_TEST(waits_are_counted_where_they_belong)
{
	struct cl_wait_stats stats;
	struct team team;

	waits = (struct wait_class){.unfairness = CL_PAGE_LOCK_UNFAIRNESS};
	page_lock(page, &waits);
	page_unlock(page);
	wait_class_get(&waits, &stats);
	ck_assert_uint_eq(stats.waits, 0);

	page_lock(page, &waits);
	team_start(&team, 5, take_it, NULL);
	team_await_asleep(&team);
	atomic_store(&flag, true);
	page_unlock(page);
	team_join(&team);
	wait_class_get(&waits, &stats);
	ck_assert_uint_eq(stats.waits, 5);
	ck_assert_uint_gt(stats.longest_ns, 0);
	ck_assert_uint_ge(stats.total_ns, stats.longest_ns);
}
END_TEST

#define THREADS 6
#define ROUNDS	10000

/* How often one may be overtaken, in the loop tests below. */
static const uint32_t fairness[] = {0, 1, CL_PAGE_LOCK_UNFAIRNESS, UINT32_MAX};
#define FAIRNESSES (int)(sizeof(fairness) / sizeof(fairness[0]))

/* Guarded by the page lock; a lost update shows in the sum, and to ThreadSanitizer. */
static uint64_t counter;
static bool inside;

static void count(struct member *member)
{
	unsigned long dice = member->number + 1;

	for (int i = 0; i < ROUNDS; i++) {
		switch (random_next(&dice) % 8) {
		case 0:
			while (!page_trylock(page))
				sched_yield();
			break;
		case 1: /* most of these give up, now and then just when it is theirs */
			while (page_lock_until(page, &waits,
					       cl_now_ns() +
						       random_next(&dice) % 50000) < 0)
				;
			break;
		default:
			page_lock(page, &waits);
		}
		ASSERT(!inside);
		inside = true;
		counter++;
		if (random_next(&dice) % 64 == 0)
			sched_yield();
		inside = false;
		page_unlock(page);
	}
}

START_TEST(one_at_a_time_and_no_wakeup_is_lost)
{
	struct team team;

	waits.unfairness = fairness[_i];
	team_start(&team, THREADS, count, NULL);
	team_join(&team);
	ck_assert_uint_eq(counter, (uint64_t)THREADS * ROUNDS);
}
END_TEST

/* Member 0 starts and ends writebacks, as the flusher does; the others lock, wait for
 * the writeback that they find, and change the page. */
static void write_or_flush(struct member *member)
{
	for (int i = 0; i < ROUNDS / 4; i++) {
		page_lock(page, &waits);
		page_wait_writeback(page, &waits);
		ASSERT(!page_test(page, PAGE_WRITEBACK));
		counter++;
		if (member->number > 0) {
			page_unlock(page);
			continue;
		}
		page_set(page, PAGE_WRITEBACK);
		page_unlock(page);
		if (i % 16 == 0)
			sched_yield();
		page_end_writeback(page, 0);
	}
}

START_TEST(no_wakeup_is_lost_between_lock_and_writeback)
{
	struct team team;

	waits.unfairness = fairness[_i];
	team_start(&team, THREADS, write_or_flush, NULL);
	team_join(&team);
	ck_assert_uint_eq(counter, (uint64_t)THREADS * (ROUNDS / 4));
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("page_lock", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_trylock_gets_a_free_lock_only);
	tcase_add_test(tc, waiters_get_the_lock_when_it_is_free);
	tcase_add_test(tc, other_bits_of_the_word_change_while_people_sleep_on_it);
	tcase_add_test(tc, the_end_of_writeback_wakes_everybody);
	tcase_add_test(tc, the_end_of_writeback_sets_bits_in_the_same_step);
	tcase_add_test(tc, nobody_waits_for_a_writeback_that_is_none);
	tcase_add_loop_test(tc, waiters_of_both_kinds_are_woken_each_by_its_own_event,
			    0, 2);
	tcase_add_test(tc,
		       an_unlock_reaches_those_who_sleep_behind_waiters_for_writeback);
	tcase_add_test(tc, a_page_pays_for_its_lock_with_bits_alone);
	tcase_add_test(tc, a_lock_that_is_not_had_in_time_is_not_had);
	tcase_add_test(tc, the_end_of_a_fill_wakes_everybody);
	tcase_add_test(tc, nobody_waits_for_a_page_that_is_not_being_filled);
	tcase_add_test(tc, strict_fairness_is_the_order_of_arrival);
	tcase_add_test(tc, waits_are_counted_where_they_belong);
	tcase_add_loop_test(tc, one_at_a_time_and_no_wakeup_is_lost, 0, FAIRNESSES);
	tcase_add_loop_test(tc, no_wakeup_is_lost_between_lock_and_writeback, 0,
			    FAIRNESSES);
	return suite_run(suite);
}
