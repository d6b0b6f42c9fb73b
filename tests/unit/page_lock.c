/* SPDX-License-Identifier: MIT */
/*
 * The page lock: one at a time, nobody sleeps for ever, and waiting for writeback
 * beside it.
 */

#include <sched.h>

#include "arena.h"
#include "fixture.h"
#include "mapping_internal.h"
#include "page_lock.h"

static struct fixture fx;
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

	page_lock(page);
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
	page_lock(page);
	ck_assert(atomic_load(&flag));
	page_unlock(page);
}

START_TEST(waiters_get_the_lock_when_it_is_free)
{
	struct team team;

	page_lock(page);
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

	page_lock(page);
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
	page_wait_writeback(page);
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
	page_wait_writeback(page);
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

	page_lock(page);
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

	page_lock(page);
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

#define THREADS 6
#define ROUNDS	30000

/* Guarded by the page lock; a lost update shows in the sum, and to ThreadSanitizer. */
static uint64_t counter;
static bool inside;

static void count(struct member *member)
{
	unsigned long dice = member->number + 1;

	for (int i = 0; i < ROUNDS; i++) {
		if (random_next(&dice) % 8 == 0) {
			while (!page_trylock(page))
				sched_yield();
		} else {
			page_lock(page);
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
		page_lock(page);
		page_wait_writeback(page);
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
	tcase_add_test(tc, one_at_a_time_and_no_wakeup_is_lost);
	tcase_add_test(tc, no_wakeup_is_lost_between_lock_and_writeback);
	return suite_run(suite);
}
