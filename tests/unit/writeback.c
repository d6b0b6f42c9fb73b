/* SPDX-License-Identifier: MIT */
/*
 * Writing back: dirty pages are the truth until the store has them, and what the store
 * would not take is told to everybody who has the file open, once.
 */

#include <errno.h>
#include <string.h>

#include "fixture.h"

static struct fixture fx;

#define FILE_PAGES 64

static void setup(void)
{
	fixture_open(&fx, fixture_writeback_config(), PAGES(FILE_PAGES));
}

static void teardown(void)
{
	fixture_close(&fx);
}

static uint64_t store_writes(void)
{
	return fake_store_counters(fx.store, FAKE_WRITE).calls;
}

/* ------------------------------------------------------------------ dirty pages */

START_TEST(a_write_stays_in_the_cache)
{
	const struct cl_range range = {5000, 5000 + 30000};

	fixture_write_pattern(&fx, range, 2);
	ck_assert_uint_eq(store_writes(), 0);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 8);
	ck_assert_uint_eq(fixture_stats(&fx).pages_dirty, 8);
	assert_store_pattern(&fx, range, FIXTURE_SEED);
}
END_TEST

START_TEST(dirty_bytes_come_back_from_reads)
{
	const struct cl_range range = {5000, 5000 + 30000};

	fixture_write_pattern(&fx, range, 2);
	assert_reads_pattern(&fx, range, 2);
	assert_reads_pattern(&fx, (struct cl_range){0, 5000}, FIXTURE_SEED);
	assert_reads_pattern(&fx, (struct cl_range){35000, PAGES(20)}, FIXTURE_SEED);
	ck_assert_uint_eq(store_writes(), 0);
}
END_TEST

START_TEST(a_page_that_is_overwritten_whole_is_not_read_first)
{
	fixture_write_pattern(&fx, page_range(3, 7), 2);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_READ).calls, 0);
	assert_reads_pattern(&fx, page_range(3, 7), 2);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_READ).calls, 0);
}
END_TEST

START_TEST(writeback_brings_everything_to_the_store)
{
	const struct cl_range range = {5000, 5000 + 30000};

	fixture_write_pattern(&fx, range, 2);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 0);
	ck_assert_uint_eq(fixture_stats(&fx).pages_dirty, 0);
	ck_assert_uint_eq(fixture_stats(&fx).pages_writeback, 0);
	assert_store_pattern(&fx, range, 2);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(writeback_of_a_range_leaves_the_rest_dirty)
{
	fixture_write_pattern(&fx, page_range(0, 20), 2);
	ck_assert_int_eq(gated_writeback(fx.mapping, page_range(5, 8)), 0);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 17);
	assert_store_pattern(&fx, page_range(5, 8), 2);
	assert_store_pattern(&fx, page_range(0, 5), FIXTURE_SEED);
	assert_store_pattern(&fx, page_range(8, 20), FIXTURE_SEED);
}
END_TEST

START_TEST(adjacent_dirty_pages_are_one_write)
{
	fixture_write_pattern(&fx, page_range(0, 10), 2);
	fixture_write_pattern(&fx, page_range(12, 20), 2);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(store_writes(), 2);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_WRITE).bytes, PAGES(18));
}
END_TEST

START_TEST(pages_dirtied_in_any_order_are_written_in_the_order_of_the_file)
{
	for (uint64_t i = 0; i < 16; i++) {
		const uint64_t page = i * 7 % 16;

		fixture_write_pattern(&fx, page_range(page, page + 1), 2);
	}
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(store_writes(), 1);
	assert_store_pattern(&fx, page_range(0, 16), 2);
}
END_TEST

START_TEST(clean_pages_are_not_written)
{
	fixture_touch(&fx, page_range(0, 30));
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(store_writes(), 0);
}
END_TEST

START_TEST(a_page_is_written_once_for_many_writes)
{
	for (unsigned seed = 2; seed < 12; seed++)
		fixture_write_pattern(&fx, (struct cl_range){100, 200}, seed);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(store_writes(), 1);
	assert_store_pattern(&fx, (struct cl_range){100, 200}, 11);
}
END_TEST

START_TEST(a_write_that_cannot_read_its_page_goes_through)
{
	fake_store_fail(fx.store, fake_eio_for_ever(FAKE_READ));
	fixture_write_pattern(&fx, (struct cl_range){100, 200}, 2);
	assert_store_pattern(&fx, (struct cl_range){100, 200}, 2);
	fake_store_mend(fx.store);
	assert_cache_is_store(&fx);
}
END_TEST

/* -------------------------------------------------------------------------- size */

START_TEST(a_write_past_the_end_grows_the_file_at_once)
{
	const struct cl_range range = {PAGES(FILE_PAGES) + 5000,
				       PAGES(FILE_PAGES) + 9000};

	fixture_write_pattern(&fx, range, 2);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), range.end);
	ck_assert_uint_eq(fake_store_size(fx.store), PAGES(FILE_PAGES));
	assert_reads_zeros(&fx, (struct cl_range){PAGES(FILE_PAGES), range.start});
	assert_reads_pattern(&fx, range, 2);
	ck_assert_uint_eq(fixture_events(&fx, CL_EVENT_SHORT_STORE), 0);
}
END_TEST

START_TEST(writeback_does_not_write_past_the_end)
{
	const struct cl_range range = {PAGES(FILE_PAGES) + 5000,
				       PAGES(FILE_PAGES) + 9000};

	fixture_write_pattern(&fx, range, 2);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(fake_store_size(fx.store), range.end);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(truncated_dirty_pages_are_not_written)
{
	fixture_write_pattern(&fx, page_range(0, 8), 2);
	fixture_truncate(&fx, PAGES(3) + 100);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 4);
	ck_assert_uint_eq(fixture_stats(&fx).pages_dirty, 4);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(fake_store_size(fx.store), PAGES(3) + 100);
	assert_store_pattern(&fx, (struct cl_range){0, PAGES(3) + 100}, 2);
}
END_TEST

START_TEST(the_tail_that_truncation_cut_from_a_dirty_page_is_zeros_for_good)
{
	fixture_write_pattern(&fx, page_range(0, 4), 2);
	fixture_truncate(&fx, PAGES(3) + 100);
	fixture_truncate(&fx, PAGES(5));
	assert_reads_pattern(&fx, (struct cl_range){0, PAGES(3) + 100}, 2);
	assert_reads_zeros(&fx, (struct cl_range){PAGES(3) + 100, PAGES(5)});
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(invalidation_drops_dirty_pages)
{
	fixture_write_pattern(&fx, page_range(0, 8), 2);
	ck_assert_int_eq(gated_invalidate(fx.mapping, page_range(2, 4)), 0);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 6);
	assert_reads_pattern(&fx, page_range(2, 4), FIXTURE_SEED);
	assert_reads_pattern(&fx, page_range(0, 2), 2);
	ck_assert_uint_eq(store_writes(), 0);
}
END_TEST

START_TEST(invalidation_writes_back_what_it_covers_in_part)
{
	fixture_write_pattern(&fx, page_range(0, 8), 2);
	ck_assert_int_eq(
		gated_invalidate(fx.mapping, (struct cl_range){100, PAGES(3) + 100}),
		0);
	assert_store_pattern(&fx, page_range(0, 1), 2);
	assert_store_pattern(&fx, page_range(1, 3), FIXTURE_SEED);
	assert_store_pattern(&fx, page_range(3, 4), 2);
	assert_reads_pattern(&fx, page_range(0, 1), 2);
	assert_reads_pattern(&fx, page_range(1, 3), FIXTURE_SEED);
	assert_reads_pattern(&fx, page_range(3, 8), 2);
}
END_TEST

START_TEST(an_invalidation_whose_writeback_fails_drops_nothing)
{
	const struct cl_range range = {PAGES(1), PAGES(3) + 100};

	fixture_write_pattern(&fx, page_range(0, 8), 2);
	fake_store_fail(fx.store, fake_eio_once(FAKE_WRITE));
	ck_assert_int_eq(gated_invalidate(fx.mapping, range), -EIO);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 8);
	assert_reads_pattern(&fx, page_range(0, 8), 2);
}
END_TEST

/* ------------------------------------------------------------------------ errors */

START_TEST(a_page_that_failed_stays_dirty_and_readable)
{
	fixture_write_pattern(&fx, page_range(0, 4), 2);
	fake_store_fail(fx.store, fake_eio_once(FAKE_WRITE));
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), -EIO);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 4);
	ck_assert_uint_eq(fixture_stats(&fx).pages_dirty, 4);
	ck_assert_uint_eq(fixture_stats(&fx).pages_writeback, 0);
	assert_reads_pattern(&fx, page_range(0, 4), 2);

	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 0);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(bad_sectors_do_not_keep_other_pages_from_the_store)
{
	fixture_write_pattern(&fx, page_range(0, 4), 2);
	fixture_write_pattern(&fx, page_range(8, 12), 2);
	fixture_write_pattern(&fx, page_range(16, 20), 2);
	fake_store_fail(fx.store, fake_eio_in(FAKE_WRITE, page_range(9, 10)));
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), -EIO);
	assert_store_pattern(&fx, page_range(0, 4), 2);
	assert_store_pattern(&fx, page_range(16, 20), 2);
	assert_reads_pattern(&fx, page_range(8, 12), 2);
}
END_TEST

START_TEST(on_a_full_disk_the_pages_that_fitted_are_clean)
{
	fixture_write_pattern(&fx, page_range(0, 8), 2);
	fake_store_fail(fx.store, fake_enospc_after(PAGES(3) + 100));
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), -ENOSPC);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 5);
	assert_reads_pattern(&fx, page_range(0, 8), 2);
	fake_store_mend(fx.store);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_failure_is_reported_once_to_each_open_file)
{
	cl_errseq_t one = cl_errseq_sample(fx.mapping), two = one;

	fixture_write_pattern(&fx, page_range(0, 4), 2);
	fake_store_fail(fx.store, fake_eio_once(FAKE_WRITE));
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), -EIO);
	ck_assert_int_eq(cl_errseq_check_and_advance(fx.mapping, &one), -EIO);
	ck_assert_int_eq(cl_errseq_check_and_advance(fx.mapping, &one), 0);
	ck_assert_int_eq(cl_errseq_check_and_advance(fx.mapping, &two), -EIO);
	ck_assert_int_eq(cl_errseq_check_and_advance(fx.mapping, &two), 0);
}
END_TEST

START_TEST(a_failure_is_an_event_with_the_pages_it_concerns)
{
	fixture_write_pattern(&fx, page_range(5, 9), 2);
	fake_store_fail(fx.store, fake_eio_once(FAKE_WRITE));
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), -EIO);

	const struct cl_event event = fixture_event(&fx, CL_EVENT_WRITEBACK_FAILED);

	ck_assert_ptr_eq(event.store, fx.store);
	ck_assert_uint_eq(event.page, 5);
	ck_assert_uint_eq(event.npages, 4);
	ck_assert_int_eq(event.error, -EIO);
	ck_assert_uint_eq(fixture_stats(&fx).writeback_errors, 1);
}
END_TEST

START_TEST(freeing_a_mapping_writes_its_dirty_pages)
{
	fixture_write_pattern(&fx, page_range(0, 8), 2);
	cl_mapping_free(fx.mapping);
	fx.mapping = NULL;
	assert_store_pattern(&fx, page_range(0, 8), 2);
	ck_assert_uint_eq(fixture_events(&fx, CL_EVENT_DATA_LOST), 0);
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, 0);
}
END_TEST

START_TEST(data_lost_with_a_mapping_is_reported)
{
	fixture_write_pattern(&fx, page_range(0, 8), 2);
	fake_store_fail(fx.store, fake_eio_for_ever(FAKE_WRITE));
	cl_mapping_free(fx.mapping);
	fx.mapping = NULL;

	const struct cl_event event = fixture_event(&fx, CL_EVENT_DATA_LOST);

	ck_assert_ptr_eq(event.store, fx.store);
	ck_assert_uint_eq(event.npages, 8);
	ck_assert_int_eq(event.error, -EIO);
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, 0);
	ck_assert_uint_eq(fixture_stats(&fx).pages_dirty, 0);
}
END_TEST

/* --------------------------------------------------------- while it is under way */

static void write_back(struct member *member)
{
	(void)member;
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
}

static void overwrite(struct member *member)
{
	(void)member;
	fixture_write_pattern(&fx, page_range(0, 4), 3);
}

START_TEST(pages_under_writeback_can_be_read)
{
	struct team team;

	fixture_write_pattern(&fx, page_range(0, 4), 2);
	fake_store_hold(fx.store, FAKE_WRITE_BEGINS);
	team_start(&team, 1, write_back, NULL);
	fake_store_await_held(fx.store, FAKE_WRITE_BEGINS, 1);
	ck_assert_uint_eq(fixture_stats(&fx).pages_writeback, 4);
	assert_reads_pattern(&fx, page_range(0, 4), 2);
	fake_store_release(fx.store, FAKE_WRITE_BEGINS);
	team_join(&team);
}
END_TEST

START_TEST(a_write_during_writeback_is_not_lost)
{
	struct team flushing, writing;

	fixture_write_pattern(&fx, page_range(0, 4), 2);
	fake_store_hold(fx.store, FAKE_WRITE_ENDS);
	team_start(&flushing, 1, write_back, NULL);
	fake_store_await_held(fx.store, FAKE_WRITE_ENDS, 1);
	team_start(&writing, 1, overwrite, NULL);
	team_await_asleep(&writing);
	fake_store_release(fx.store, FAKE_WRITE_ENDS);
	team_join(&flushing);
	team_join(&writing);
	assert_reads_pattern(&fx, page_range(0, 4), 3);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 4);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	assert_store_pattern(&fx, page_range(0, 4), 3);
}
END_TEST

START_TEST(writeback_waits_for_that_of_others)
{
	struct team first, second;

	/* fsync must not answer while the flusher still has pages on their way. */
	fixture_write_pattern(&fx, page_range(0, 4), 2);
	fake_store_hold(fx.store, FAKE_WRITE_BEGINS);
	team_start(&first, 1, write_back, NULL);
	fake_store_await_held(fx.store, FAKE_WRITE_BEGINS, 1);
	team_start(&second, 1, write_back, NULL);
	team_await_asleep(&second);
	ck_assert(!atomic_load(&second.members[0].done));
	fake_store_release(fx.store, FAKE_WRITE_BEGINS);
	team_join(&second);
	assert_store_pattern(&fx, page_range(0, 4), 2);
	team_join(&first);
	ck_assert_uint_eq(store_writes(), 1);
}
END_TEST

/* ------------------------------------------------------------------- the flusher */

START_TEST(a_page_of_some_age_is_written_back)
{
	struct cl_cache_config config = fixture_writeback_config();

	fixture_close(&fx);
	config.writeback_age_ms = 1;
	fixture_open(&fx, config, PAGES(FILE_PAGES));
	fixture_write_pattern(&fx, page_range(0, 4), 2);
	fake_store_await_calls(fx.store, FAKE_WRITE, 1);
	fixture_write_pattern(&fx, page_range(8, 9), 2);
	fake_store_await_calls(fx.store, FAKE_WRITE, 2);
}
END_TEST

START_TEST(the_flusher_tries_again_after_a_failure)
{
	struct cl_cache_config config = fixture_writeback_config();

	fixture_close(&fx);
	config.writeback_age_ms = 1;
	fixture_open(&fx, config, PAGES(FILE_PAGES));
	fake_store_fail(fx.store, fake_eio_once(FAKE_WRITE));
	fixture_write_pattern(&fx, page_range(0, 4), 2);
	fixture_await_event(&fx, CL_EVENT_WRITEBACK_FAILED);
	fake_store_await_calls(fx.store, FAKE_WRITE, 2);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	assert_store_pattern(&fx, page_range(0, 4), 2);
}
END_TEST

START_TEST(the_flusher_waits_for_no_gate)
{
	struct cl_cache_config config = fixture_writeback_config();
	struct fake_store *store = fake_store_new(PAGES(4));
	struct cl_mapping *other;
	struct cl_gate_entry entry;
	char byte = 7;

	/* A long operation on one file does not keep another from its store. */
	fixture_close(&fx);
	config.writeback_age_ms = 1;
	fixture_open(&fx, config, PAGES(FILE_PAGES));
	ck_assert_int_eq(
		cl_mapping_create(fx.cache, &fake_store_ops, store, PAGES(4), &other),
		0);
	gated_enter(fx.mapping, &entry, CL_GATE_EXCLUSIVE, whole_file);
	ck_assert_int_eq(cl_write(fx.mapping, &byte, 1, 0), 1);
	ck_assert_int_eq(gated_write(other, &byte, 1, 0), 1);
	fake_store_await_calls(store, FAKE_WRITE, 1);
	ck_assert_uint_eq(store_writes(), 0);
	cl_gate_leave(fx.mapping, &entry);
	fake_store_await_calls(fx.store, FAKE_WRITE, 1);
	cl_mapping_free(other);
	fake_store_free(store);
}
END_TEST

START_TEST(pressure_writes_back_before_age_does)
{
	/* More than may be dirty at all; the age is an hour. */
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		fixture_write_pattern(&fx, page_range(page, page + 1), 2);
	fake_store_await_calls(fx.store, FAKE_WRITE, 1);
	assert_reads_pattern(&fx, page_range(0, FILE_PAGES), 2);
}
END_TEST

START_TEST(dirty_pages_are_bounded_when_the_store_takes_none)
{
	fake_store_hold(fx.store, FAKE_WRITE_BEGINS);
	for (uint64_t page = 0; page < FIXTURE_PAGES / 4; page++)
		fixture_write_pattern(&fx, page_range(page, page + 1), 2);
	ck_assert_uint_le(cl_mapping_dirty_pages(fx.mapping), FIXTURE_PAGES / 4);
	fake_store_release(fx.store, FAKE_WRITE_BEGINS);

	/* And now it fails: writes go through, and get the error themselves. */
	fake_store_fail(fx.store, fake_eio_for_ever(FAKE_WRITE));
	for (uint64_t page = 0; page < 2 * FIXTURE_PAGES; page++) {
		char buf[CL_PAGE_SIZE] = {0};
		const ssize_t n =
			gated_write(fx.mapping, buf, sizeof(buf), PAGES(page));

		ck_assert(n == (ssize_t)sizeof(buf) || n == -EIO);
		ck_assert_uint_le(cl_mapping_dirty_pages(fx.mapping),
				  FIXTURE_PAGES / 4);
	}
	fake_store_mend(fx.store);
}
END_TEST

#define WRITERS 7

static void write_unaligned(struct member *member)
{
	char buf[PAGES(15)] = {0};
	const uint64_t start = PAGES(17 * member->number) + 10;
	const ssize_t n = gated_write(fx.mapping, buf, sizeof(buf), start);

	ck_assert(n == (ssize_t)sizeof(buf) || n == -EIO);
}

START_TEST(the_bound_holds_for_writers_that_come_at_once)
{
	struct team team;

	/* Each of them sees few dirty pages when it looks; all have looked before any
	 * of them has made one. */
	fixture_truncate(&fx, PAGES(17 * WRITERS + 1));
	fake_store_fail(fx.store, fake_eio_for_ever(FAKE_WRITE));
	fake_store_hold(fx.store, FAKE_READ_BEGINS);
	team_start(&team, WRITERS, write_unaligned, NULL);
	team_await_asleep(&team);
	fake_store_release(fx.store, FAKE_READ_BEGINS);
	team_join(&team);
	ck_assert_uint_gt(cl_mapping_dirty_pages(fx.mapping), 0);
	ck_assert_uint_le(cl_mapping_dirty_pages(fx.mapping), FIXTURE_PAGES / 4);
	fake_store_mend(fx.store);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("writeback", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_write_stays_in_the_cache);
	tcase_add_test(tc, dirty_bytes_come_back_from_reads);
	tcase_add_test(tc, a_page_that_is_overwritten_whole_is_not_read_first);
	tcase_add_test(tc, writeback_brings_everything_to_the_store);
	tcase_add_test(tc, writeback_of_a_range_leaves_the_rest_dirty);
	tcase_add_test(tc, adjacent_dirty_pages_are_one_write);
	tcase_add_test(tc,
		       pages_dirtied_in_any_order_are_written_in_the_order_of_the_file);
	tcase_add_test(tc, clean_pages_are_not_written);
	tcase_add_test(tc, a_page_is_written_once_for_many_writes);
	tcase_add_test(tc, a_write_that_cannot_read_its_page_goes_through);
	tcase_add_test(tc, a_write_past_the_end_grows_the_file_at_once);
	tcase_add_test(tc, writeback_does_not_write_past_the_end);
	tcase_add_test(tc, truncated_dirty_pages_are_not_written);
	tcase_add_test(
		tc, the_tail_that_truncation_cut_from_a_dirty_page_is_zeros_for_good);
	tcase_add_test(tc, invalidation_drops_dirty_pages);
	tcase_add_test(tc, invalidation_writes_back_what_it_covers_in_part);
	tcase_add_test(tc, an_invalidation_whose_writeback_fails_drops_nothing);
	tcase_add_test(tc, a_page_that_failed_stays_dirty_and_readable);
	tcase_add_test(tc, bad_sectors_do_not_keep_other_pages_from_the_store);
	tcase_add_test(tc, on_a_full_disk_the_pages_that_fitted_are_clean);
	tcase_add_test(tc, a_failure_is_reported_once_to_each_open_file);
	tcase_add_test(tc, a_failure_is_an_event_with_the_pages_it_concerns);
	tcase_add_test(tc, freeing_a_mapping_writes_its_dirty_pages);
	tcase_add_test(tc, data_lost_with_a_mapping_is_reported);
	tcase_add_test(tc, pages_under_writeback_can_be_read);
	tcase_add_test(tc, a_write_during_writeback_is_not_lost);
	tcase_add_test(tc, writeback_waits_for_that_of_others);
	tcase_add_test(tc, a_page_of_some_age_is_written_back);
	tcase_add_test(tc, the_flusher_tries_again_after_a_failure);
	tcase_add_test(tc, the_flusher_waits_for_no_gate);
	tcase_add_test(tc, pressure_writes_back_before_age_does);
	tcase_add_test(tc, dirty_pages_are_bounded_when_the_store_takes_none);
	tcase_add_test(tc, the_bound_holds_for_writers_that_come_at_once);
	return suite_run(suite);
}
