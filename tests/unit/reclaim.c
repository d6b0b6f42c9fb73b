/* SPDX-License-Identifier: MIT */
/*
 * Reclaim: the bound holds under any load, the right pages go, and pages that somebody
 * needs stay.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "ghost.h"

static struct fixture fx;

#define FILE_PAGES (8 * FIXTURE_PAGES)

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
}

static void teardown(void)
{
	fixture_close(&fx);
}

static void scan(uint64_t first, uint64_t end)
{
	for (uint64_t page = first; page < end; page += 16)
		fixture_touch(&fx, page_range(page, page + 16));
}

static uint64_t misses_of(uint64_t first, uint64_t end)
{
	const uint64_t before = fixture_stats(&fx).misses;

	for (uint64_t page = first; page < end; page++)
		fixture_touch(&fx, page_range(page, page + 1));
	return fixture_stats(&fx).misses - before;
}

static void assert_within_bound(void)
{
	const struct cl_cache_stats stats = fixture_stats(&fx);

	ASSERT(stats.pages_total == FIXTURE_PAGES);
	ASSERT(stats.pages_used <= stats.pages_total);
}

/* ---------------------------------------------------------------------- the bound */

START_TEST(a_file_larger_than_the_cache_is_read_right)
{
	assert_reads_pattern(&fx, page_range(0, FILE_PAGES), FIXTURE_SEED);
	assert_within_bound();
	ck_assert_uint_le(cl_mapping_pages(fx.mapping), FIXTURE_PAGES);
	ck_assert_uint_ge(fixture_stats(&fx).reclaimed, FILE_PAGES - FIXTURE_PAGES);
}
END_TEST

START_TEST(pages_go_only_when_room_is_needed)
{
	scan(0, FIXTURE_PAGES);
	ck_assert_uint_eq(fixture_stats(&fx).reclaimed, 0);
	ck_assert_uint_eq(misses_of(0, FIXTURE_PAGES), 0);
}
END_TEST

#define MAPPINGS 4

struct files {
	struct fake_store *stores[MAPPINGS];
	struct cl_mapping *mappings[MAPPINGS];
};

static void files_open(struct files *files)
{
	for (unsigned i = 0; i < MAPPINGS; i++) {
		const uint64_t size = PAGES(FIXTURE_PAGES);

		files->stores[i] = fake_store_new(size);
		fake_store_fill(files->stores[i], (struct cl_range){0, size}, 10 + i);
		ck_assert_int_eq(cl_mapping_create(fx.cache, &fake_store_ops,
						   files->stores[i], size,
						   &files->mappings[i]),
				 0);
	}
}

static uint64_t files_pages(const struct files *files)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < MAPPINGS; i++)
		pages += cl_mapping_pages(files->mappings[i]);
	return pages;
}

static void files_close(struct files *files)
{
	for (unsigned i = 0; i < MAPPINGS; i++) {
		cl_mapping_free(files->mappings[i]);
		fake_store_free(files->stores[i]);
	}
}

/* Read and write anywhere, in requests of all sizes, and never hear of a lack of room.
 */
static void load_one(struct member *member)
{
	struct files *files = member->arg;
	unsigned long dice = member->number + 5;
	struct cl_read read;
	char *buf = malloc(FIXTURE_MAX_REQUEST);

	ck_assert_int_eq(cl_read_init(fx.cache, &read), 0);
	for (int i = 0; i < 1500; i++) {
		struct cl_mapping *mapping =
			files->mappings[random_next(&dice) % MAPPINGS];
		const uint64_t offset = random_next(&dice) %
					(PAGES(FIXTURE_PAGES) - FIXTURE_MAX_REQUEST);
		const size_t len = 1 + random_next(&dice) % FIXTURE_MAX_REQUEST;
		const bool writes = random_next(&dice) % 4 == 0;
		const ssize_t n = writes ? gated_write(mapping, buf, len, offset)
					 : gated_read(mapping, &read, buf, len, offset);

		ASSERT(n == (ssize_t)len);
		if (i % 64 == 0)
			assert_within_bound();
	}
	cl_read_fini(&read);
	free(buf);
}

START_TEST(any_load_on_several_files_stays_within_the_bound)
{
	struct cl_cache_config config = fixture_config();
	struct files files;
	struct team team;

	config.writeback = _i;
	config.verify = _i;
	fixture_close(&fx);
	fixture_open(&fx, config, PAGES(1));
	files_open(&files);
	team_start(&team, config.max_requests, load_one, &files);
	team_join(&team);
	assert_within_bound();
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, files_pages(&files));
	files_close(&files);
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, 0);
}
END_TEST

static void prefetch_one(struct member *member)
{
	struct files *files = member->arg;

	gated_prefetch(files->mappings[member->number % MAPPINGS],
		       page_range(128 * (member->number / MAPPINGS),
				  128 * (member->number / MAPPINGS) + 128));
}

static void read_one(struct member *member)
{
	const uint64_t page = 16 * member->number;
	char buf[FIXTURE_MAX_REQUEST];
	struct cl_read read;

	ck_assert_int_eq(cl_read_init(fx.cache, &read), 0);
	ck_assert_int_eq(gated_read(fx.mapping, &read, buf, sizeof(buf), PAGES(page)),
			 (ssize_t)sizeof(buf));
	cl_read_fini(&read);
}

START_TEST(prefetches_do_not_take_the_room_that_reads_need)
{
	struct team prefetching, reading;
	struct files files;

	/* All of them are under way at once, and nothing comes from any store. */
	files_open(&files);
	for (unsigned i = 0; i < MAPPINGS; i++)
		fake_store_hold(files.stores[i], FAKE_READ_BEGINS);
	fake_store_hold(fx.store, FAKE_READ_BEGINS);
	team_start(&prefetching, 2 * MAPPINGS, prefetch_one, &files);
	team_await_asleep(&prefetching);
	team_start(&reading, fixture_config().max_requests, read_one, NULL);
	fake_store_await_held(fx.store, FAKE_READ_BEGINS,
			      fixture_config().max_requests);
	fake_store_release(fx.store, FAKE_READ_BEGINS);
	team_join(&reading);
	for (unsigned i = 0; i < MAPPINGS; i++)
		fake_store_release(files.stores[i], FAKE_READ_BEGINS);
	team_join(&prefetching);
	assert_within_bound();
	files_close(&files);
}
END_TEST

START_TEST(removed_pages_can_be_used_again)
{
	for (int round = 0; round < 20; round++) {
		scan(0, FIXTURE_PAGES);
		ck_assert_int_eq(gated_invalidate(fx.mapping, whole_file), 0);
		ck_assert_uint_eq(fixture_stats(&fx).pages_used, 0);
	}
	ck_assert_uint_eq(fixture_stats(&fx).reclaimed, 0);
}
END_TEST

/* --------------------------------------------------------------------- the policy */

START_TEST(a_scan_does_not_evict_a_hot_set)
{
	const uint64_t hot = FIXTURE_PAGES / 4;

	for (int round = 0; round < 4; round++)
		misses_of(0, hot);
	scan(FIXTURE_PAGES, FILE_PAGES);
	/* Seven times the cache has passed by. FIFO, CLOCK or LRU would have lost all.
	 */
	ck_assert_uint_le(misses_of(0, hot), hot / 10);
}
END_TEST

START_TEST(a_page_used_once_goes_before_one_used_often)
{
	for (int round = 0; round < 4; round++)
		misses_of(100, 101);
	scan(FIXTURE_PAGES, 2 * FIXTURE_PAGES + 64);
	ck_assert_uint_eq(misses_of(100, 101), 0);
	ck_assert_uint_gt(misses_of(FIXTURE_PAGES, FIXTURE_PAGES + 32), 0);
}
END_TEST

START_TEST(a_page_that_comes_back_soon_is_remembered)
{
	scan(0, FIXTURE_PAGES + 64);
	ck_assert_uint_eq(fixture_stats(&fx).ghost_hits, 0);

	/* The first pages of the scan have gone, a moment ago. A few of their ghosts
	 * may have had to make room for others. */
	ck_assert_uint_eq(misses_of(0, 16), 16);

	const uint64_t remembered = fixture_stats(&fx).ghost_hits;

	ck_assert_uint_ge(remembered, 8);
	ck_assert_uint_le(remembered, 16);

	/* Those that were remembered are not taken by the next scan. */
	scan(2 * FIXTURE_PAGES, 4 * FIXTURE_PAGES);
	ck_assert_uint_le(misses_of(0, 16), 16 - remembered);
}
END_TEST

START_TEST(a_page_gone_for_long_is_forgotten)
{
	scan(0, FILE_PAGES);

	const uint64_t before = fixture_stats(&fx).ghost_hits;

	misses_of(0, 16);
	/* Fingerprints may collide, but hardly. */
	ck_assert_uint_le(fixture_stats(&fx).ghost_hits - before, 1);
}
END_TEST

START_TEST(a_ghost_lasts_for_as_many_evictions_as_its_queue_is_long)
{
	const uint64_t high = UINT64_C(1) << 32;
	struct ghost *ghost;

	ck_assert_int_eq(ghost_create(64, &ghost), 0);
	/* Alone in its set of the table: nobody needs its place. */
	ghost_insert(ghost, 7 * high);
	for (uint64_t i = 1; i < 64; i++)
		ghost_insert(ghost, i * high + 1);
	ck_assert(ghost_take(ghost, 7 * high));
	ck_assert(!ghost_take(ghost, 7 * high));

	ghost_insert(ghost, 7 * high);
	for (uint64_t i = 1; i < 66; i++)
		ghost_insert(ghost, i * high + 1);
	ck_assert(!ghost_take(ghost, 7 * high));
	ghost_free(ghost);
}
END_TEST

/* -------------------------------------------------------------- pages that must stay
 */

START_TEST(pinned_pages_are_not_taken)
{
	struct cl_gate_entry entry;
	struct cl_read pinned;
	char want[PAGES(16)];

	ck_assert_int_eq(cl_read_init(fx.cache, &pinned), 0);
	gated_enter(fx.mapping, &entry, CL_GATE_FILL, page_range(0, 16));
	ck_assert_int_eq(cl_read_begin(fx.mapping, 0, PAGES(16), &pinned), 0);
	scan(16, FILE_PAGES);
	fake_store_pattern(want, sizeof(want), 0, FIXTURE_SEED);
	for (int i = 0, at = 0; i < pinned.iovcnt; i++) {
		ck_assert_mem_eq(pinned.iov[i].iov_base, want + at,
				 pinned.iov[i].iov_len);
		at += (int)pinned.iov[i].iov_len;
	}
	ck_assert_uint_eq(misses_of(0, 16), 0);
	ck_assert_uint_gt(fixture_stats(&fx).reclaim_skipped, 0);
	cl_read_end(&pinned);
	cl_gate_leave(fx.mapping, &entry);
	cl_read_fini(&pinned);
}
END_TEST

START_TEST(dirty_pages_are_not_taken)
{
	fixture_close(&fx);
	fixture_open(&fx, fixture_writeback_config(), PAGES(FILE_PAGES));
	fake_store_fail(fx.store, fake_eio_for_ever(FAKE_WRITE));
	fixture_write_pattern(&fx, page_range(0, 16), 2);
	scan(16, FILE_PAGES);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 16);
	assert_reads_pattern(&fx, page_range(0, 16), 2);
	fake_store_mend(fx.store);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	assert_store_pattern(&fx, page_range(0, 16), 2);
}
END_TEST

static void fill_one(struct member *member)
{
	struct cl_read read;
	char buf[CL_PAGE_SIZE], want[CL_PAGE_SIZE];

	(void)member;
	ck_assert_int_eq(cl_read_init(fx.cache, &read), 0);
	ck_assert_int_eq(gated_read(fx.mapping, &read, buf, sizeof(buf), 0),
			 sizeof(buf));
	cl_read_fini(&read);
	fake_store_pattern(want, sizeof(want), 0, FIXTURE_SEED);
	ck_assert_mem_eq(buf, want, sizeof(want));
}

START_TEST(pages_being_filled_are_not_taken)
{
	struct fake_store *store = fake_store_new(PAGES(FILE_PAGES));
	struct cl_mapping *other;
	struct team team;
	char buf[PAGES(16)];

	fake_store_hold(fx.store, FAKE_READ_ENDS);
	team_start(&team, 1, fill_one, NULL);
	fake_store_await_held(fx.store, FAKE_READ_ENDS, 1);
	ck_assert_int_eq(cl_mapping_create(fx.cache, &fake_store_ops, store,
					   PAGES(FILE_PAGES), &other),
			 0);
	for (uint64_t page = 0; page < FILE_PAGES; page += 16)
		ck_assert_int_eq(
			gated_read(other, &fx.read, buf, sizeof(buf), PAGES(page)),
			sizeof(buf));
	fake_store_release(fx.store, FAKE_READ_ENDS);
	team_join(&team);
	cl_mapping_free(other);
	fake_store_free(store);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("reclaim", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_file_larger_than_the_cache_is_read_right);
	tcase_add_test(tc, pages_go_only_when_room_is_needed);
	tcase_add_loop_test(tc, any_load_on_several_files_stays_within_the_bound, 0, 2);
	tcase_add_test(tc, prefetches_do_not_take_the_room_that_reads_need);
	tcase_add_test(tc, removed_pages_can_be_used_again);
	tcase_add_test(tc, a_scan_does_not_evict_a_hot_set);
	tcase_add_test(tc, a_page_used_once_goes_before_one_used_often);
	tcase_add_test(tc, a_page_that_comes_back_soon_is_remembered);
	tcase_add_test(tc, a_page_gone_for_long_is_forgotten);
	tcase_add_test(tc, a_ghost_lasts_for_as_many_evictions_as_its_queue_is_long);
	tcase_add_test(tc, pinned_pages_are_not_taken);
	tcase_add_test(tc, dirty_pages_are_not_taken);
	tcase_add_test(tc, pages_being_filled_are_not_taken);
	return suite_run(suite);
}
