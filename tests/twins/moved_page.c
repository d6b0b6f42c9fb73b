/* SPDX-License-Identifier: MIT */
/*
 * A reader waits for the lock of page 7 while that page becomes page 6 (DESIGN.md,
 * race D): it must not take it for page 7 afterwards. Once as it should be, once with
 * the index check left out, where it does.
 */

#include <sched.h>
#include <stdlib.h>

#include "fixture.h"
#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"

#define FROM 7
#define TO   6

static struct wait_class waits;
static char got[CL_PAGE_SIZE];

static void read_page(struct member *member)
{
	struct fixture *fx = member->arg;

	ASSERT(gated_read(fx->mapping, &fx->read, got, CL_PAGE_SIZE, PAGES(FROM)) ==
	       (ssize_t)CL_PAGE_SIZE);
}

/* Once the bit is set the reader has found the page, and sleeps or is about to. */
static void await_waiter(struct cl_page *page)
{
	while (!page_test(page, PAGE_LOCK_WAITERS))
		sched_yield();
}

/* What a read of page 7 returns that has waited while 7 was moved to 6: the index whose
 * bytes they are. */
static uint64_t index_that_is_read(void)
{
	struct fixture fx;
	struct cl_page *page;
	struct team reader;
	uint64_t index;

	fixture_open(&fx, fixture_config(), PAGES(16));
	fixture_touch(&fx, page_range(FROM, FROM + 1));
	page = page_table_lookup(&fx.mapping->table, FROM);
	ck_assert_ptr_nonnull(page);
	page_lock(page, &waits);
	team_start(&reader, 1, read_page, &fx);
	await_waiter(page);

	/* As a collapse of page 6 does; the store is one with other bytes at 7. */
	ck_assert(page_cache_move(page, TO));
	fake_store_fill(fx.store, page_range(FROM, FROM + 1), FIXTURE_SEED + 1);
	page_unlock(page);
	arena_unpin(&fx.cache->arena, page);
	team_join(&reader);

	index = got[0] == (char)fake_store_byte(FIXTURE_SEED + 1, PAGES(FROM)) ? FROM
									       : TO;
	fixture_close(&fx);
	return index;
}

START_TEST(a_moved_page_is_not_found_at_its_old_index)
{
	ck_assert_uint_eq(index_that_is_read(), FROM);
}
END_TEST

/* Each test is a process of its own, so the rule is whole again in the next. */
START_TEST(a_moved_page_is_found_at_its_old_index_when_the_check_is_left_out)
{
	setenv("FOLDFS_BREAK", "index", 1);
	ck_assert_uint_eq(index_that_is_read(), TO);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_with("moved_page", &tcase);

	tcase_add_test(tcase, a_moved_page_is_not_found_at_its_old_index);
	tcase_add_test(
		tcase,
		a_moved_page_is_found_at_its_old_index_when_the_check_is_left_out);
	return suite_run(suite);
}
