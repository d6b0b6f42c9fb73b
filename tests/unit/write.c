/* SPDX-License-Identifier: MIT */
/*
 * Writing through: when cl_write() returns, the store has the bytes, and the cache
 * shows what the store has, whatever went wrong on the way.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static struct fixture fx;

#define FILE_PAGES 40

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
}

static void teardown(void)
{
	fixture_close(&fx);
}

static ssize_t write_pattern(struct cl_range range, unsigned seed)
{
	char buf[FIXTURE_MAX_REQUEST];
	const size_t len = range.end - range.start;

	fake_store_pattern(buf, len, range.start, seed);
	return gated_write(fx.mapping, buf, len, range.start);
}

/* ------------------------------------------------------------------ the bytes */

START_TEST(bytes_are_in_the_store_when_write_returns)
{
	const struct cl_range range = {5000, 5000 + 30000};

	ck_assert_int_eq(write_pattern(range, 2), 30000);
	assert_store_pattern(&fx, range, 2);
	assert_store_pattern(&fx, (struct cl_range){0, 5000}, FIXTURE_SEED);
	assert_store_pattern(&fx, (struct cl_range){35000, PAGES(FILE_PAGES)},
			     FIXTURE_SEED);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 0);
}
END_TEST

START_TEST(only_the_bytes_written_go_to_the_store)
{
	/* Others may have written the rest of the page behind our back. */
	fixture_touch(&fx, page_range(0, 2));
	fake_store_fill(fx.store, (struct cl_range){0, 100}, 3);
	ck_assert_int_eq(write_pattern((struct cl_range){100, 200}, 2), 100);
	assert_store_pattern(&fx, (struct cl_range){0, 100}, 3);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_WRITE).bytes, 100);
}
END_TEST

START_TEST(cached_pages_show_what_was_written)
{
	const struct cl_range range = {5000, 5000 + 30000};

	fixture_touch(&fx, page_range(0, FILE_PAGES));

	const uint64_t reads = fake_store_counters(fx.store, FAKE_READ).calls;

	ck_assert_int_eq(write_pattern(range, 2), 30000);
	assert_reads_pattern(&fx, range, 2);
	assert_reads_pattern(&fx, (struct cl_range){0, 5000}, FIXTURE_SEED);
	assert_reads_pattern(&fx, (struct cl_range){35000, PAGES(FILE_PAGES)},
			     FIXTURE_SEED);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_READ).calls, reads);
}
END_TEST

START_TEST(a_write_of_absent_pages_leaves_no_stale_one)
{
	const struct cl_range range = {5000, 5000 + 30000};

	ck_assert_int_eq(write_pattern(range, 2), 30000);
	assert_reads_pattern(&fx, range, 2);
	assert_reads_pattern(&fx, (struct cl_range){0, 5000}, FIXTURE_SEED);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_write_where_some_pages_are_cached_updates_those)
{
	fixture_touch(&fx, page_range(1, 2));
	fixture_touch(&fx, page_range(5, 7));
	ck_assert_int_eq(write_pattern((struct cl_range){10, PAGES(8) + 10}, 2),
			 PAGES(8));
	assert_reads_pattern(&fx, (struct cl_range){10, PAGES(8) + 10}, 2);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_write_is_one_call_of_the_store)
{
	fixture_touch(&fx, page_range(0, 8));
	ck_assert_int_eq(write_pattern((struct cl_range){10, 10 + PAGES(15)}, 2),
			 PAGES(15));
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_WRITE).calls, 1);
}
END_TEST

START_TEST(a_write_past_the_end_extends_the_file)
{
	const struct cl_range range = {PAGES(FILE_PAGES) + 5000,
				       PAGES(FILE_PAGES) + 9000};

	fixture_touch(&fx, page_range(0, FILE_PAGES));
	ck_assert_int_eq(write_pattern(range, 2), 4000);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), range.end);
	ck_assert_uint_eq(fake_store_size(fx.store), range.end);
	assert_reads_pattern(&fx, range, 2);
	assert_reads_zeros(&fx, (struct cl_range){PAGES(FILE_PAGES), range.start});
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(an_append_to_a_cached_last_page_is_seen_in_it)
{
	fixture_truncate(&fx, PAGES(2) + 100);
	fixture_touch(&fx, (struct cl_range){0, PAGES(2) + 100});
	ck_assert_int_eq(
		write_pattern((struct cl_range){PAGES(2) + 100, PAGES(2) + 300}, 2),
		200);
	assert_reads_pattern(&fx, (struct cl_range){PAGES(2) + 100, PAGES(2) + 300}, 2);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_gap_behind_a_cached_last_page_shows_zeros)
{
	fixture_truncate(&fx, PAGES(2) + 100);
	fixture_touch(&fx, (struct cl_range){0, PAGES(2) + 100});
	ck_assert_int_eq(
		write_pattern((struct cl_range){PAGES(2) + 200, PAGES(2) + 300}, 2),
		100);
	assert_reads_zeros(&fx, (struct cl_range){PAGES(2) + 100, PAGES(2) + 200});
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(requests_that_cannot_be_are_refused)
{
	static char buf[FIXTURE_MAX_REQUEST + 1];

	ck_assert_int_eq(gated_write(fx.mapping, buf, sizeof(buf), 0), -EINVAL);
	ck_assert_int_eq(gated_write(fx.mapping, buf, 0, 0), -EINVAL);
	ck_assert_int_eq(gated_write(fx.mapping, buf, 100, INT64_MAX - 50), -EFBIG);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_WRITE).calls, 0);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES));
}
END_TEST

/* ---------------------------------------------------------------- things go wrong */

/* How much of the range is cached before: all, none, or every other page. */
enum cached { CACHED_ALL, CACHED_NONE, CACHED_SOME, CACHED_CASES };

static void have_cached(enum cached cached, struct cl_range range)
{
	if (cached == CACHED_NONE)
		return;
	if (cached == CACHED_ALL) {
		fixture_touch(&fx, range);
		return;
	}
	for (uint64_t at = range.start; at < range.end; at += 2 * CL_PAGE_SIZE)
		fixture_touch(&fx, (struct cl_range){at, at + 1});
}

START_TEST(on_a_full_disk_what_was_taken_is_counted_and_shown)
{
	have_cached((enum cached)_i, page_range(0, 8));
	fake_store_fail(fx.store, fake_enospc_after(10000));
	ck_assert_int_eq(write_pattern((struct cl_range){100, PAGES(6)}, 2), 10000);
	assert_reads_pattern(&fx, (struct cl_range){100, 10100}, 2);
	assert_reads_pattern(&fx, (struct cl_range){10100, PAGES(8)}, FIXTURE_SEED);
	ck_assert_int_eq(write_pattern((struct cl_range){PAGES(3), PAGES(4)}, 2),
			 -ENOSPC);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_full_disk_ends_the_file_where_the_bytes_end)
{
	fake_store_fail(fx.store, fake_enospc_after(10000));
	ck_assert_int_eq(write_pattern(page_range(FILE_PAGES, FILE_PAGES + 4), 2),
			 10000);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES) + 10000);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_short_write_is_counted_and_shown)
{
	have_cached((enum cached)_i, page_range(0, 8));
	fake_store_fail(fx.store, fake_short_once(FAKE_WRITE, 5000));

	const ssize_t n = write_pattern((struct cl_range){100, PAGES(6)}, 2);

	/* The library may try again for the rest, or say that it was short. */
	ck_assert(n == 5000 || n == (ssize_t)PAGES(6) - 100);
	assert_reads_pattern(&fx, (struct cl_range){100, 100 + (uint64_t)n}, 2);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_failed_write_shows_what_the_store_has)
{
	have_cached((enum cached)_i, page_range(0, 8));
	fake_store_fail(fx.store, fake_eio_once(FAKE_WRITE));
	ck_assert_int_eq(write_pattern((struct cl_range){100, PAGES(6)}, 2), -EIO);
	assert_reads_pattern(&fx, page_range(0, 8), FIXTURE_SEED);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_torn_write_shows_what_the_store_has)
{
	have_cached((enum cached)_i, page_range(0, 8));
	fake_store_fail(fx.store, fake_torn_write_once());
	ck_assert_int_eq(write_pattern((struct cl_range){100, PAGES(6)}, 2), -EIO);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_failed_write_is_an_error_of_the_next_fsync_of_each_open_file)
{
	cl_errseq_t one = cl_errseq_sample(fx.mapping), two = one;

	fake_store_fail(fx.store, fake_eio_once(FAKE_WRITE));
	ck_assert_int_eq(write_pattern(page_range(0, 1), 2), -EIO);
	ck_assert_int_eq(cl_errseq_check_and_advance(fx.mapping, &one), -EIO);
	ck_assert_int_eq(cl_errseq_check_and_advance(fx.mapping, &one), 0);
	ck_assert_int_eq(cl_errseq_check_and_advance(fx.mapping, &two), -EIO);
	ck_assert_int_eq(cl_errseq_check_and_advance(fx.mapping, &two), 0);
}
END_TEST

START_TEST(a_write_into_an_unreadable_page_succeeds)
{
	/* Nothing has to be read to write through. */
	fake_store_fail(fx.store, fake_eio_for_ever(FAKE_READ));
	ck_assert_int_eq(write_pattern((struct cl_range){100, 200}, 2), 100);
	fake_store_mend(fx.store);
	assert_cache_is_store(&fx);
	assert_store_pattern(&fx, (struct cl_range){100, 200}, 2);
}
END_TEST

/* ------------------------------------------------------------- readers and writers */

START_TEST(a_write_under_a_readers_pin_does_not_change_the_readers_bytes)
{
	struct cl_gate_entry entry;
	char want[PAGES(2)];

	gated_enter(fx.mapping, &entry, CL_GATE_FILL, page_range(0, 2));
	ck_assert_int_eq(cl_read_begin(fx.mapping, 0, PAGES(2), &fx.read), 0);
	ck_assert_int_eq(write_pattern((struct cl_range){100, PAGES(2) - 100}, 2),
			 PAGES(2) - 200);

	fake_store_pattern(want, sizeof(want), 0, FIXTURE_SEED);
	for (int i = 0, at = 0; i < fx.read.iovcnt; i++) {
		ck_assert_mem_eq(fx.read.iov[i].iov_base, want + at,
				 fx.read.iov[i].iov_len);
		at += (int)fx.read.iov[i].iov_len;
	}
	cl_read_end(&fx.read);
	cl_gate_leave(fx.mapping, &entry);

	ck_assert_uint_eq(fixture_stats(&fx).copied_on_write, 2);
	assert_reads_pattern(&fx, (struct cl_range){100, PAGES(2) - 100}, 2);
	assert_cache_is_store(&fx);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), FILE_PAGES);
}
END_TEST

START_TEST(a_page_that_nobody_reads_is_changed_in_place)
{
	fixture_touch(&fx, page_range(0, 2));
	ck_assert_int_eq(write_pattern(page_range(0, 2), 2), PAGES(2));
	ck_assert_uint_eq(fixture_stats(&fx).copied_on_write, 0);
}
END_TEST

static void write_a_page(struct member *member)
{
	ck_assert_int_eq(write_pattern(page_range(0, 1), 2 + member->number), PAGES(1));
}

static void read_the_page(struct member *member)
{
	struct cl_read read;
	char buf[PAGES(1)], before[PAGES(1)], after[PAGES(1)];

	(void)member;
	ck_assert_int_eq(cl_read_init(fx.cache, &read), 0);
	ck_assert_int_eq(gated_read(fx.mapping, &read, buf, sizeof(buf), 0),
			 sizeof(buf));
	cl_read_fini(&read);
	fake_store_pattern(before, sizeof(before), 0, FIXTURE_SEED);
	fake_store_pattern(after, sizeof(after), 0, 2);
	ck_assert_msg(!memcmp(buf, before, sizeof(buf)) ||
			      !memcmp(buf, after, sizeof(buf)),
		      "a mixture of before and after");
}

START_TEST(a_read_beside_a_write_of_one_page_sees_before_or_after)
{
	struct team writer, readers;

	if (_i == 0)
		fixture_touch(&fx, page_range(0, 1));
	fake_store_hold(fx.store, _i < 2 ? FAKE_WRITE_BEGINS : FAKE_WRITE_ENDS);
	team_start(&writer, 1, write_a_page, NULL);
	fake_store_await_held(fx.store, _i < 2 ? FAKE_WRITE_BEGINS : FAKE_WRITE_ENDS,
			      1);
	team_start(&readers, 4, read_the_page, NULL);
	team_await_asleep(&readers);
	fake_store_release(fx.store, _i < 2 ? FAKE_WRITE_BEGINS : FAKE_WRITE_ENDS);
	team_join(&readers);
	team_join(&writer);
	assert_reads_pattern(&fx, page_range(0, 1), 2);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_write_beside_the_fill_of_its_page_is_not_lost)
{
	struct team reader, writer;

	/* The fill has the old bytes in hand when the write comes. */
	fake_store_hold(fx.store, FAKE_READ_ENDS);
	team_start(&reader, 1, read_the_page, NULL);
	fake_store_await_held(fx.store, FAKE_READ_ENDS, 1);
	team_start(&writer, 1, write_a_page, NULL);
	team_await_asleep(&writer);
	fake_store_release(fx.store, FAKE_READ_ENDS);
	team_join(&reader);
	team_join(&writer);
	assert_reads_pattern(&fx, page_range(0, 1), 2);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_fill_beside_the_write_of_its_absent_page_is_not_stale)
{
	struct team reader, writer;

	/* The write is on its way, the page is absent, and a reader wants it. */
	fake_store_hold(fx.store, FAKE_WRITE_BEGINS);
	team_start(&writer, 1, write_a_page, NULL);
	fake_store_await_held(fx.store, FAKE_WRITE_BEGINS, 1);
	team_start(&reader, 1, read_the_page, NULL);
	team_await_asleep(&reader);
	fake_store_release(fx.store, FAKE_WRITE_BEGINS);
	team_join(&writer);
	team_join(&reader);
	assert_reads_pattern(&fx, page_range(0, 1), 2);
	assert_cache_is_store(&fx);
}
END_TEST

static void write_at_random(struct member *member)
{
	unsigned long dice = member->number + 11;
	struct cl_read read;
	char buf[FIXTURE_MAX_REQUEST];

	ck_assert_int_eq(cl_read_init(fx.cache, &read), 0);
	for (int i = 0; i < 400; i++) {
		const uint64_t start = random_next(&dice) % PAGES(8);
		const uint64_t end = start + 1 + random_next(&dice) % PAGES(4);
		const unsigned what = random_next(&dice) % 4;

		if (what == 0)
			gated_read(fx.mapping, &read, buf, end - start, start);
		else if (what == 1)
			gated_invalidate(fx.mapping, (struct cl_range){start, end});
		else
			ASSERT(write_pattern((struct cl_range){start, end},
					     member->number * 1000u + (unsigned)i) ==
			       (ssize_t)(end - start));
	}
	cl_read_fini(&read);
}

START_TEST(writers_to_overlapping_ranges_leave_the_cache_as_the_store)
{
	struct team team;

	team_start(&team, 6, write_at_random, NULL);
	team_join(&team);
	assert_cache_is_store(&fx);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("write", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bytes_are_in_the_store_when_write_returns);
	tcase_add_test(tc, only_the_bytes_written_go_to_the_store);
	tcase_add_test(tc, cached_pages_show_what_was_written);
	tcase_add_test(tc, a_write_of_absent_pages_leaves_no_stale_one);
	tcase_add_test(tc, a_write_where_some_pages_are_cached_updates_those);
	tcase_add_test(tc, a_write_is_one_call_of_the_store);
	tcase_add_test(tc, a_write_past_the_end_extends_the_file);
	tcase_add_test(tc, an_append_to_a_cached_last_page_is_seen_in_it);
	tcase_add_test(tc, a_gap_behind_a_cached_last_page_shows_zeros);
	tcase_add_test(tc, requests_that_cannot_be_are_refused);
	tcase_add_loop_test(tc, on_a_full_disk_what_was_taken_is_counted_and_shown, 0,
			    CACHED_CASES);
	tcase_add_test(tc, a_full_disk_ends_the_file_where_the_bytes_end);
	tcase_add_loop_test(tc, a_short_write_is_counted_and_shown, 0, CACHED_CASES);
	tcase_add_loop_test(tc, a_failed_write_shows_what_the_store_has, 0,
			    CACHED_CASES);
	tcase_add_loop_test(tc, a_torn_write_shows_what_the_store_has, 0, CACHED_CASES);
	tcase_add_test(tc,
		       a_failed_write_is_an_error_of_the_next_fsync_of_each_open_file);
	tcase_add_test(tc, a_write_into_an_unreadable_page_succeeds);
	tcase_add_test(tc,
		       a_write_under_a_readers_pin_does_not_change_the_readers_bytes);
	tcase_add_test(tc, a_page_that_nobody_reads_is_changed_in_place);
	tcase_add_loop_test(tc, a_read_beside_a_write_of_one_page_sees_before_or_after,
			    0, 3);
	tcase_add_test(tc, a_write_beside_the_fill_of_its_page_is_not_lost);
	tcase_add_test(tc, a_fill_beside_the_write_of_its_absent_page_is_not_stale);
	tcase_add_test(tc, writers_to_overlapping_ranges_leave_the_cache_as_the_store);
	return suite_run(suite);
}
