/* SPDX-License-Identifier: MIT */
/*
 * Revalidation: somebody changed the store's file. Pages that are still right stay;
 * what is reported as changed is exactly the rest.
 */

#include <errno.h>
#include <string.h>

#include "fixture.h"

static struct fixture fx;

#define FILE_PAGES 200 /* more than are compared in one go */

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
}

static void teardown(void)
{
	fixture_close(&fx);
}

/* The ranges reported by the last revalidate(), as they came. */
static struct cl_range reported[64];
static size_t nreported;

static void note_changed(void *arg, struct cl_range range)
{
	ck_assert_ptr_eq(arg, &fx);
	ck_assert_uint_lt(nreported, sizeof(reported) / sizeof(reported[0]));
	reported[nreported++] = range;
}

static int revalidate(uint64_t size)
{
	struct cl_gate_entry entry;

	nreported = 0;
	gated_enter(fx.mapping, &entry, CL_GATE_EXCLUSIVE, whole_file);

	const int ret = cl_revalidate(fx.mapping, size, note_changed, &fx);

	cl_gate_leave(fx.mapping, &entry);
	return ret;
}

static bool is_reported(uint64_t page)
{
	for (size_t i = 0; i < nreported; i++)
		if (cl_range_overlaps(reported[i], page_range(page, page + 1)))
			return true;
	return false;
}

/* Whole pages, ascending, and none of them touching the next: maximal. */
static void assert_ranges_are_maximal(void)
{
	for (size_t i = 0; i < nreported; i++) {
		const struct cl_range r = reported[i];

		ck_assert_uint_lt(r.start, r.end);
		ck_assert_uint_eq(r.start % CL_PAGE_SIZE, 0);
		ck_assert(r.end == CL_RANGE_EOF || r.end % CL_PAGE_SIZE == 0);
		if (i > 0)
			ck_assert_uint_gt(r.start, reported[i - 1].end);
	}
}

/* Of the first `end` pages, exactly those in changed[] (end with a number past them).
 */
static void assert_reported(const uint64_t *changed, uint64_t end)
{
	assert_ranges_are_maximal();
	for (uint64_t page = 0; page < end; page++) {
		const bool want = page == *changed;

		if (is_reported(page) != want)
			ck_abort_msg("page %llu is %sreported",
				     (unsigned long long)page, want ? "not " : "");
		changed += want;
	}
}

static void change_page(uint64_t page)
{
	fake_store_fill(fx.store, page_range(page, page + 1), 2);
}

START_TEST(equal_pages_stay_and_are_not_reported)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), 0);
	assert_reported((uint64_t[]){FILE_PAGES}, FILE_PAGES);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), FILE_PAGES);
}
END_TEST

START_TEST(changed_pages_are_dropped_and_reported)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	change_page(0);
	change_page(63);
	change_page(64);
	change_page(65);
	change_page(130);
	change_page(FILE_PAGES - 1);
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), 0);
	assert_reported((uint64_t[]){0, 63, 64, 65, 130, FILE_PAGES - 1, FILE_PAGES},
			FILE_PAGES);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), FILE_PAGES - 6);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(one_byte_makes_a_page_a_changed_one)
{
	const char byte = 0;

	fixture_touch(&fx, page_range(0, 8));
	fake_store_poke(fx.store, &byte, 1, PAGES(6) - 1);
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), 0);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 7);
	ck_assert(is_reported(5));
	assert_reported((uint64_t[]){5, 8}, 8);
}
END_TEST

/* Dropped here, changed, and cached again as it is now: the upper cache may have had the
 * old one all the time. Once it has asked for the page it has the same. */
START_TEST(what_was_fetched_ahead_is_reported_until_it_is_read)
{
	fixture_touch(&fx, page_range(0, 2));
	gated_prefetch(fx.mapping, page_range(2, 6));
	fixture_touch(&fx, page_range(3, 4));
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), 0);
	assert_reported((uint64_t[]){2, 4, 5, 6}, 6);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 6);
}
END_TEST

START_TEST(what_a_direct_read_brought_in_is_reported)
{
	fixture_touch(&fx, page_range(0, 1));
	fx.read.aside = true;
	fixture_touch(&fx, page_range(0, 4));
	fx.read.aside = false;
	fixture_touch(&fx, page_range(3, 4));
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), 0);
	assert_reported((uint64_t[]){1, 2, 4}, 4);
}
END_TEST

START_TEST(what_a_partial_write_brought_in_is_reported)
{
	fixture_close(&fx);
	fixture_open(&fx, fixture_writeback_config(), PAGES(FILE_PAGES));
	fixture_write(&fx, "new", 3, PAGES(1) + 10);
	fixture_write_pattern(&fx, page_range(2, 3), 2);
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), 0);
	assert_reported((uint64_t[]){0, 1, 3}, 3);
}
END_TEST

START_TEST(absent_pages_count_as_changed)
{
	/* The upper cache may have what the page cache has dropped since. */
	fixture_touch(&fx, page_range(0, 2));
	fixture_touch(&fx, page_range(3, 4));
	fixture_touch(&fx, page_range(6, 8));
	change_page(3);
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), 0);
	assert_reported((uint64_t[]){2, 3, 4, 5, 8}, 8);
	for (uint64_t page = 8; page < FILE_PAGES; page++)
		ASSERT(is_reported(page));
	ck_assert_uint_eq(nreported, 2);
}
END_TEST

START_TEST(of_an_empty_cache_everything_is_reported)
{
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), 0);
	ck_assert_uint_eq(nreported, 1);
	ck_assert_uint_eq(reported[0].start, 0);
	ck_assert_uint_ge(reported[0].end, PAGES(FILE_PAGES));
}
END_TEST

START_TEST(a_growth_is_taken_and_reported)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fake_store_fill(fx.store, page_range(FILE_PAGES, FILE_PAGES + 4), FIXTURE_SEED);
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES + 4)), 0);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES + 4));
	for (uint64_t page = 0; page < FILE_PAGES + 4; page++)
		ASSERT(is_reported(page) == (page >= FILE_PAGES));
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_growth_inside_the_last_page_changes_that_page)
{
	fixture_truncate(&fx, PAGES(4) + 100);
	fixture_touch(&fx, (struct cl_range){0, PAGES(4) + 100});
	fake_store_fill(fx.store, (struct cl_range){PAGES(4) + 100, PAGES(4) + 200}, 2);
	ck_assert_int_eq(revalidate(PAGES(4) + 200), 0);
	assert_reported((uint64_t[]){4, 5}, 5);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_shrink_is_taken_and_reported)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fake_store_resize(fx.store, PAGES(4));
	ck_assert_int_eq(revalidate(PAGES(4)), 0);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(4));
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 4);
	for (uint64_t page = 0; page < FILE_PAGES; page++)
		ASSERT(is_reported(page) == (page >= 4));
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_shrink_inside_a_page_changes_that_page)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fake_store_resize(fx.store, PAGES(4) + 100);
	ck_assert_int_eq(revalidate(PAGES(4) + 100), 0);
	ck_assert(!is_reported(3));
	ck_assert(is_reported(4));
	assert_cache_is_store(&fx);
	fixture_truncate(&fx, PAGES(6));
	assert_reads_zeros(&fx, (struct cl_range){PAGES(4) + 100, PAGES(6)});
}
END_TEST

START_TEST(an_error_drops_everything_and_reports_the_whole_file)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	change_page(150);
	fake_store_fail(fx.store, fake_eio_in(FAKE_READ, page_range(100, 101)));
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), -EIO);
	fake_store_mend(fx.store);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 0);
	ck_assert_uint_eq(reported[nreported - 1].start, 0);
	ck_assert_uint_ge(reported[nreported - 1].end, PAGES(FILE_PAGES));
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(dirty_pages_are_newer_than_anything)
{
	fixture_close(&fx);
	fixture_open(&fx, fixture_writeback_config(), PAGES(FILE_PAGES));
	fixture_touch(&fx, page_range(0, 8));
	fixture_write_pattern(&fx, page_range(2, 4), 3);
	fake_store_fill(fx.store, page_range(0, 8), 2);
	ck_assert_int_eq(revalidate(PAGES(FILE_PAGES)), 0);
	ck_assert_uint_eq(cl_mapping_dirty_pages(fx.mapping), 2);
	assert_reads_pattern(&fx, page_range(0, 2), 2);
	assert_reads_pattern(&fx, page_range(2, 4), 3);
	assert_reads_pattern(&fx, page_range(4, 8), 2);
}
END_TEST

START_TEST(dirty_pages_past_the_stores_end_are_not_lost)
{
	fixture_close(&fx);
	fixture_open(&fx, fixture_writeback_config(), PAGES(16));
	fixture_write_pattern(&fx, page_range(10, 12), 3);
	fake_store_resize(fx.store, PAGES(4));
	ck_assert_int_eq(revalidate(PAGES(4)), 0);
	ck_assert_uint_ge(cl_mapping_size(fx.mapping), PAGES(12));
	assert_reads_pattern(&fx, page_range(10, 12), 3);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	assert_store_pattern(&fx, page_range(10, 12), 3);
}
END_TEST

START_TEST(twin_without_revalidation_the_old_bytes_stay)
{
	fixture_touch(&fx, page_range(0, 8));
	change_page(3);
	assert_reads_pattern(&fx, page_range(3, 4), FIXTURE_SEED);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("revalidate", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, equal_pages_stay_and_are_not_reported);
	tcase_add_test(tc, changed_pages_are_dropped_and_reported);
	tcase_add_test(tc, one_byte_makes_a_page_a_changed_one);
	tcase_add_test(tc, what_was_fetched_ahead_is_reported_until_it_is_read);
	tcase_add_test(tc, what_a_direct_read_brought_in_is_reported);
	tcase_add_test(tc, what_a_partial_write_brought_in_is_reported);
	tcase_add_test(tc, absent_pages_count_as_changed);
	tcase_add_test(tc, of_an_empty_cache_everything_is_reported);
	tcase_add_test(tc, a_growth_is_taken_and_reported);
	tcase_add_test(tc, a_growth_inside_the_last_page_changes_that_page);
	tcase_add_test(tc, a_shrink_is_taken_and_reported);
	tcase_add_test(tc, a_shrink_inside_a_page_changes_that_page);
	tcase_add_test(tc, an_error_drops_everything_and_reports_the_whole_file);
	tcase_add_test(tc, dirty_pages_are_newer_than_anything);
	tcase_add_test(tc, dirty_pages_past_the_stores_end_are_not_lost);
	tcase_add_test(tc, twin_without_revalidation_the_old_bytes_stay);
	return suite_run(suite);
}
