/* SPDX-License-Identifier: MIT */
/*
 * The page table: sparse indexes, order, tags, and lookups that race with changes.
 */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "arena.h"
#include "fixture.h"
#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "page_table.h"
#include "rekey.h"

static struct fixture fx;
static struct wait_class waits = {.unfairness = CL_PAGE_LOCK_UNFAIRNESS};

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(64));
}

static void teardown(void)
{
	fixture_close(&fx);
}

static struct page_table *table(void)
{
	return &fx.mapping->table;
}

static struct arena *arena(void)
{
	return &fx.cache->arena;
}

/* Each boundary of the tree's levels from both sides, and the very last index. */
static const uint64_t sparse[] = {
	0,
	1,
	63,
	64,
	65,
	4095,
	4096,
	4097,
	(UINT64_C(1) << 18) - 1,
	UINT64_C(1) << 18,
	(UINT64_C(1) << 31) - 1, /* the last page of 8 TiB */
	UINT64_C(1) << 31,
	(UINT64_C(1) << 36) + 12345,
	(UINT64_C(1) << 51) - 1, /* of 2^63 - 1 bytes */
	UINT64_C(1) << 60,
	UINT64_MAX - 1,
	UINT64_MAX,
};

#define NSPARSE (sizeof(sparse) / sizeof(sparse[0]))

static struct cl_page *pages[NSPARSE];

static void put(uint64_t index, struct cl_page *page)
{
	cl_mutex_lock(&table()->lock);
	ck_assert_int_eq(page_table_insert(table(), index, page), 0);
	cl_mutex_unlock(&table()->lock);
}

static void erase(uint64_t index)
{
	cl_mutex_lock(&table()->lock);
	page_table_erase(table(), index);
	cl_mutex_unlock(&table()->lock);
}

static struct cl_page *find(uint64_t index)
{
	struct cl_page *page = page_table_lookup(table(), index);

	if (page)
		arena_unpin(arena(), page);
	return page;
}

static struct cl_page *next(uint64_t *index)
{
	cl_mutex_lock(&table()->lock);

	struct cl_page *page = page_table_next(table(), index);

	cl_mutex_unlock(&table()->lock);
	return page;
}

static struct cl_page *prev(uint64_t *index)
{
	cl_mutex_lock(&table()->lock);

	struct cl_page *page = page_table_prev(table(), index);

	cl_mutex_unlock(&table()->lock);
	return page;
}

static struct cl_page *next_dirty(uint64_t *index)
{
	cl_mutex_lock(&table()->lock);

	struct cl_page *page = page_table_next_tagged(table(), index, PAGE_TAG_DIRTY);

	cl_mutex_unlock(&table()->lock);
	return page;
}

/* Pages at every sparse index, put there in an order of no meaning. */
static void put_all(void)
{
	for (size_t i = 0; i < NSPARSE; i++) {
		pages[i] = arena_alloc(arena(), fx.mapping, sparse[i]);
		page_unlock(pages[i]);
	}
	for (size_t i = 0; i < NSPARSE; i++) {
		const size_t n = i * 5 % NSPARSE;

		put(sparse[n], pages[n]);
	}
}

static void erase_all(void)
{
	for (size_t i = 0; i < NSPARSE; i++) {
		const size_t n = i * 7 % NSPARSE;

		if (find(sparse[n]))
			erase(sparse[n]);
		arena_unpin(arena(), pages[n]);
	}
}

START_TEST(every_index_finds_its_page)
{
	put_all();
	for (size_t i = 0; i < NSPARSE; i++)
		ck_assert_ptr_eq(find(sparse[i]), pages[i]);
	erase_all();
}
END_TEST

START_TEST(an_index_beside_it_finds_nothing)
{
	put_all();
	ck_assert_ptr_null(find(2));
	ck_assert_ptr_null(find(62));
	ck_assert_ptr_null(find(66));
	ck_assert_ptr_null(find(4098));
	ck_assert_ptr_null(find((UINT64_C(1) << 18) + 1));
	ck_assert_ptr_null(find((UINT64_C(1) << 60) - 1));
	ck_assert_ptr_null(find(UINT64_MAX - 2));
	erase_all();
}
END_TEST

START_TEST(an_empty_table_finds_nothing_anywhere)
{
	uint64_t index = 0;

	for (size_t i = 0; i < NSPARSE; i++)
		ck_assert_ptr_null(find(sparse[i]));
	ck_assert_ptr_null(next(&index));
	put_all();
	erase_all();
	for (size_t i = 0; i < NSPARSE; i++)
		ck_assert_ptr_null(find(sparse[i]));
	index = 0;
	ck_assert_ptr_null(next(&index));
}
END_TEST

START_TEST(an_index_has_one_page)
{
	struct cl_page *other;

	put_all();
	other = arena_alloc(arena(), fx.mapping, 64);
	page_unlock(other);
	cl_mutex_lock(&table()->lock);
	ck_assert_int_eq(page_table_insert(table(), 64, other), -EEXIST);
	cl_mutex_unlock(&table()->lock);
	ck_assert_ptr_eq(find(64), pages[3]);
	arena_unpin(arena(), other);
	erase_all();
}
END_TEST

START_TEST(a_walk_comes_by_every_page_in_order)
{
	uint64_t index = 0;

	put_all();
	for (size_t i = 0; i < NSPARSE; i++) {
		ck_assert_ptr_eq(next(&index), pages[i]);
		ck_assert_uint_eq(index, sparse[i]);
		index++; /* past the last one it begins anew: 0 */
	}
	ck_assert_uint_eq(index, 0);
	erase_all();
}
END_TEST

START_TEST(a_walk_begins_anywhere)
{
	put_all();
	for (size_t i = 1; i < NSPARSE; i++) {
		uint64_t index = sparse[i - 1] + 1;

		ck_assert_ptr_eq(next(&index), pages[i]);
		ck_assert_uint_eq(index, sparse[i]);
	}
	erase_all();
}
END_TEST

START_TEST(a_walk_past_the_last_page_ends)
{
	uint64_t index = 100;

	pages[0] = arena_alloc(arena(), fx.mapping, 5);
	page_unlock(pages[0]);
	put(5, pages[0]);
	ck_assert_ptr_null(next(&index));
	index = 6;
	ck_assert_ptr_null(next(&index));
	erase(5);
	arena_unpin(arena(), pages[0]);
}
END_TEST

START_TEST(a_walk_goes_downwards_as_well)
{
	uint64_t index = UINT64_MAX;

	put_all();
	for (size_t i = NSPARSE; i-- > 0; index--) {
		ck_assert_ptr_eq(prev(&index), pages[i]);
		ck_assert_uint_eq(index, sparse[i]);
	}
	for (size_t i = 0; i + 1 < NSPARSE; i++) {
		index = sparse[i + 1] - 1;
		ck_assert_ptr_eq(prev(&index), pages[i]);
		ck_assert_uint_eq(index, sparse[i]);
	}
	erase_all();
}
END_TEST

START_TEST(a_walk_before_the_first_page_ends)
{
	uint64_t index = UINT64_MAX;

	ck_assert_ptr_null(prev(&index));
	pages[0] = arena_alloc(arena(), fx.mapping, 70);
	page_unlock(pages[0]);
	put(70, pages[0]);
	for (index = 0; index < 70; index++) {
		uint64_t from = index;

		ck_assert_ptr_null(prev(&from));
	}
	ck_assert_ptr_eq(prev(&index), pages[0]);
	erase(70);
	arena_unpin(arena(), pages[0]);
}
END_TEST

START_TEST(a_tagged_walk_sees_tagged_pages_only)
{
	uint64_t index = 0;

	put_all();
	cl_mutex_lock(&table()->lock);
	for (size_t i = 0; i < NSPARSE; i += 3)
		page_table_tag(table(), sparse[i], PAGE_TAG_DIRTY);
	for (size_t i = 1; i < NSPARSE; i += 3)
		page_table_tag(table(), sparse[i], PAGE_TAG_WRITEBACK);
	cl_mutex_unlock(&table()->lock);
	for (size_t i = 0; i < NSPARSE; i += 3) {
		ck_assert_ptr_eq(next_dirty(&index), pages[i]);
		ck_assert_uint_eq(index, sparse[i]);
		index++;
	}
	ck_assert_ptr_null(next_dirty(&index));
	erase_all();
}
END_TEST

START_TEST(tags_are_taken_off_one_by_one)
{
	uint64_t index = 0;

	put_all();
	cl_mutex_lock(&table()->lock);
	for (size_t i = 0; i < NSPARSE; i++)
		page_table_tag(table(), sparse[i], PAGE_TAG_DIRTY);
	for (size_t i = 0; i < NSPARSE - 1; i++) {
		ck_assert(page_table_untag(table(), sparse[i], PAGE_TAG_DIRTY));
		ck_assert(!page_table_untag(table(), sparse[i], PAGE_TAG_DIRTY));
	}
	cl_mutex_unlock(&table()->lock);
	ck_assert_ptr_eq(next_dirty(&index), pages[NSPARSE - 1]);
	erase_all();
}
END_TEST

START_TEST(a_tag_goes_with_its_page)
{
	uint64_t index = 0;

	put_all();
	cl_mutex_lock(&table()->lock);
	page_table_tag(table(), 4096, PAGE_TAG_DIRTY);
	cl_mutex_unlock(&table()->lock);
	erase(4096);
	ck_assert_ptr_null(next_dirty(&index));
	put(4096, pages[6]);
	index = 0;
	ck_assert_ptr_null(next_dirty(&index));
	erase_all();
}
END_TEST

START_TEST(tags_survive_the_growth_of_the_tree)
{
	uint64_t index = 0;

	for (size_t i = 0; i < 2; i++) {
		pages[i] = arena_alloc(arena(), fx.mapping, i ? UINT64_MAX : 7);
		page_unlock(pages[i]);
	}
	put(7, pages[0]);
	cl_mutex_lock(&table()->lock);
	page_table_tag(table(), 7, PAGE_TAG_DIRTY);
	cl_mutex_unlock(&table()->lock);
	put(UINT64_MAX, pages[1]);
	ck_assert_ptr_eq(next_dirty(&index), pages[0]);
	ck_assert_uint_eq(index, 7);
	index++;
	ck_assert_ptr_null(next_dirty(&index));
	erase(7);
	erase(UINT64_MAX);
	arena_unpin(arena(), pages[0]);
	arena_unpin(arena(), pages[1]);
}
END_TEST

START_TEST(a_replaced_page_is_the_one_found_and_keeps_the_tags)
{
	struct cl_page *copy;
	uint64_t index = 0;

	put_all();
	copy = arena_alloc(arena(), fx.mapping, 64);
	page_unlock(copy);
	cl_mutex_lock(&table()->lock);
	page_table_tag(table(), 64, PAGE_TAG_DIRTY);
	page_table_replace(table(), 64, copy);
	cl_mutex_unlock(&table()->lock);
	ck_assert_ptr_eq(find(64), copy);
	ck_assert_ptr_eq(next_dirty(&index), copy);
	erase(64);
	arena_unpin(arena(), copy);
	erase_all();
}
END_TEST

/* ------------------------------------------------- pages in, out, and looked up */

START_TEST(a_removed_page_keeps_its_index)
{
	struct cl_page *page;

	fixture_touch(&fx, page_range(9, 10));
	page = page_table_lookup(table(), 9);
	ck_assert_ptr_nonnull(page);
	ck_assert_int_eq(gated_invalidate(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(page_index(page), 9);
	ck_assert_ptr_null(page_mapping(page));
	ck_assert(page_test(page, PAGE_REMOVED));
	ck_assert_ptr_null(find(9));
	arena_unpin(arena(), page);
}
END_TEST

START_TEST(a_moved_page_is_not_found_at_its_old_index)
{
	const struct cl_range_op collapse = {
		.kind = CL_COLLAPSE, .offset = 0, .len = PAGES(4)};
	struct cl_gate_entry entry;
	struct cl_page *page;

	/* Somebody has looked it up and not locked it yet when the operation comes. */
	fixture_touch(&fx, page_range(0, 16));
	page = page_table_lookup(table(), 9);
	gated_enter(fx.mapping, &entry, CL_GATE_EXCLUSIVE, whole_file);
	ck_assert_uint_eq(rekey(fx.mapping, &collapse), 12);
	cl_gate_leave(fx.mapping, &entry);

	/* It is back in the same mapping, and still not what was asked for (I3). */
	page_lock(page, &waits);
	ck_assert_ptr_eq(page_mapping(page), fx.mapping);
	ck_assert(!page_cache_is(page, fx.mapping, 9));
	ck_assert(page_cache_is(page, fx.mapping, 5));
	page_unlock(page);
	ck_assert_ptr_eq(find(5), page);
	ck_assert_ptr_ne(find(9), page);
	arena_unpin(arena(), page);
}
END_TEST

START_TEST(a_removed_page_is_not_trusted)
{
	struct cl_page *page;

	fixture_touch(&fx, page_range(9, 10));
	page = page_table_lookup(table(), 9);
	page_lock(page, &waits);
	ck_assert(page_cache_is(page, fx.mapping, 9));
	ck_assert(!page_cache_is(page, fx.mapping, 10));
	page_unlock(page);
	ck_assert_int_eq(gated_invalidate(fx.mapping, whole_file), 0);
	page_lock(page, &waits);
	ck_assert(!page_cache_is(page, fx.mapping, 9));
	page_unlock(page);
	arena_unpin(arena(), page);
}
END_TEST

#define RACERS	6
#define INDEXES 40 /* few, and spread over the tree, so that nodes come and go */
#define ROUNDS	30000

static uint64_t spread(unsigned long n)
{
	static const unsigned shifts[] = {0, 6, 13, 29, 51};

	return (uint64_t)(n % 8) << shifts[n / 8 % 5];
}

/* Add or remove the page at an index, as fills and invalidations do. */
static void add_or_remove(uint64_t index)
{
	struct cl_page *page;
	const int found = page_cache_get(fx.mapping, index, &page);

	ASSERT(found >= 0);
	if (found == PAGE_FOUND_NEW) {
		page_set(page, PAGE_UPTODATE);
	} else {
		page_lock(page, &waits);
		if (page_cache_is(page, fx.mapping, index))
			page_cache_remove(page);
	}
	page_unlock(page);
	arena_unpin(arena(), page);
}

static _Thread_local volatile sig_atomic_t in_lookup;

static void look_up(uint64_t index)
{
	in_lookup = 1;

	struct cl_page *page = page_table_lookup(table(), index);

	in_lookup = 0;
	if (!page)
		return;
	/* Pinned, so it can have been removed, but not recycled (I4). */
	ASSERT(page_index(page) == index);
	ASSERT(page_pins(page) > 0);
	if (page_trylock(page)) {
		if (!page_test(page, PAGE_REMOVED))
			ASSERT(page_cache_is(page, fx.mapping, index));
		page_unlock(page);
	}
	arena_unpin(arena(), page);
}

/* Members below this change the table, the others look pages up until those are done.
 */
#define CHANGERS 2

static _Atomic unsigned changes;

static bool changing(void)
{
	return atomic_load(&changes) < CHANGERS * ROUNDS;
}

static void race(struct member *member)
{
	unsigned long dice = member->number + 3;

	for (int i = 0; member->number < CHANGERS && i < ROUNDS; i++) {
		add_or_remove(spread(random_next(&dice) % INDEXES));
		atomic_fetch_add(&changes, 1);
	}
	while (changing())
		look_up(spread(random_next(&dice) % INDEXES));
}

/* The window between finding a page and pinning it is a few instructions wide. A signal
 * lands in it now and then, and gives the others time to recycle the page; not without
 * end, since it may also land where the lookup has a lock. */
static void dawdle(int signal)
{
	const struct timespec moment = {0, 1000};
	const unsigned until = atomic_load(&changes) + 3 * INDEXES;

	(void)signal;
	for (int i = 0; i < 20 && in_lookup && atomic_load(&changes) < until; i++)
		nanosleep(&moment, NULL);
}

static void interrupt_while_they_race(struct team *team)
{
	const struct sigaction action = {.sa_handler = dawdle, .sa_flags = SA_RESTART};

	ck_assert_int_eq(sigaction(SIGUSR2, &action, NULL), 0);
	while (changing()) {
		for (unsigned i = CHANGERS; i < team->size; i++)
			pthread_kill(team->members[i].thread, SIGUSR2);
		sched_yield();
	}
}

START_TEST(lookups_race_with_changes_and_find_what_they_asked_for)
{
	struct team team;
	uint64_t index = 0, walked = 0;

	team_start(&team, RACERS, race, NULL);
	interrupt_while_they_race(&team);
	team_join(&team);
	for (; next(&index); index++)
		walked++;
	ck_assert_uint_eq(walked, cl_mapping_pages(fx.mapping));
	ck_assert_uint_eq(walked, fixture_stats(&fx).pages_used);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("page_table", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_index_finds_its_page);
	tcase_add_test(tc, an_index_beside_it_finds_nothing);
	tcase_add_test(tc, an_empty_table_finds_nothing_anywhere);
	tcase_add_test(tc, an_index_has_one_page);
	tcase_add_test(tc, a_walk_comes_by_every_page_in_order);
	tcase_add_test(tc, a_walk_begins_anywhere);
	tcase_add_test(tc, a_walk_past_the_last_page_ends);
	tcase_add_test(tc, a_walk_goes_downwards_as_well);
	tcase_add_test(tc, a_walk_before_the_first_page_ends);
	tcase_add_test(tc, a_tagged_walk_sees_tagged_pages_only);
	tcase_add_test(tc, tags_are_taken_off_one_by_one);
	tcase_add_test(tc, a_tag_goes_with_its_page);
	tcase_add_test(tc, tags_survive_the_growth_of_the_tree);
	tcase_add_test(tc, a_replaced_page_is_the_one_found_and_keeps_the_tags);
	tcase_add_test(tc, a_removed_page_keeps_its_index);
	tcase_add_test(tc, a_removed_page_is_not_trusted);
	tcase_add_test(tc, a_moved_page_is_not_found_at_its_old_index);
	tcase_add_test(tc, lookups_race_with_changes_and_find_what_they_asked_for);
	return suite_run(suite);
}
