/* SPDX-License-Identifier: MIT */
/*
 * Hashes over clean pages: bytes that somebody changed in memory are not handed on as
 * the file's.
 */

#include <errno.h>
#include <string.h>

#include "fixture.h"

static struct fixture fx;

#define FILE_PAGES 16

static void open_verified(bool writeback)
{
	struct cl_cache_config config = fixture_config();

	config.verify = true;
	config.writeback = writeback;
	fixture_open(&fx, config, PAGES(FILE_PAGES));
}

static void setup(void)
{
	open_verified(false);
}

static void teardown(void)
{
	fixture_close(&fx);
}

/* What bad memory does: a byte of a cached page flips. */
static void corrupt(uint64_t page)
{
	struct cl_gate_entry entry;

	gated_enter(fx.mapping, &entry, CL_GATE_FILL, page_range(page, page + 1));
	ck_assert_int_eq(cl_read_begin(fx.mapping, PAGES(page), PAGES(1), &fx.read), 0);
	((unsigned char *)fx.read.iov[0].iov_base)[1000] ^= 0x10;
	cl_read_end(&fx.read);
	cl_gate_leave(fx.mapping, &entry);
}

static ssize_t read_page(uint64_t page)
{
	char buf[CL_PAGE_SIZE];

	return gated_read(fx.mapping, &fx.read, buf, sizeof(buf), PAGES(page));
}

START_TEST(a_corrupted_page_is_an_error_and_an_event)
{
	corrupt(5);
	ck_assert_int_eq(read_page(5), -EIO);

	const struct cl_event event = fixture_event(&fx, CL_EVENT_HASH_MISMATCH);

	ck_assert_ptr_eq(event.store, fx.store);
	ck_assert_uint_eq(event.page, 5);
	ck_assert_uint_eq(fixture_stats(&fx).hash_mismatches, 1);
}
END_TEST

START_TEST(pages_beside_a_corrupted_one_are_fine)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	corrupt(5);
	assert_reads_pattern(&fx, page_range(0, 5), FIXTURE_SEED);
	assert_reads_pattern(&fx, page_range(6, FILE_PAGES), FIXTURE_SEED);
	ck_assert_uint_eq(fixture_events(&fx, CL_EVENT_HASH_MISMATCH), 0);
}
END_TEST

START_TEST(corruption_is_found_before_reclaim_drops_it)
{
	fixture_truncate(&fx, PAGES(3 * FIXTURE_PAGES));
	corrupt(5);
	for (uint64_t page = 16; page < 3 * FIXTURE_PAGES; page += 16)
		fixture_touch(&fx, page_range(page, page + 16));
	ck_assert_uint_eq(fixture_event(&fx, CL_EVENT_HASH_MISMATCH).page, 5);
}
END_TEST

START_TEST(sound_pages_pass_whatever_becomes_of_them)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fixture_write_pattern(&fx, (struct cl_range){100, 20000}, 2);
	assert_reads_pattern(&fx, (struct cl_range){100, 20000}, 2);
	fixture_truncate(&fx, PAGES(8) + 100);
	assert_cache_is_store(&fx);
	fixture_truncate(&fx, PAGES(12));
	assert_cache_is_store(&fx);
	fixture_write_pattern(&fx, (struct cl_range){PAGES(13), PAGES(14) + 5}, 2);
	assert_cache_is_store(&fx);
	ck_assert_int_eq(gated_invalidate(fx.mapping, whole_file), 0);
	assert_cache_is_store(&fx);
	ck_assert_uint_eq(fixture_stats(&fx).hash_mismatches, 0);
}
END_TEST

START_TEST(a_copy_made_under_a_reader_passes)
{
	struct cl_gate_entry entry;

	gated_enter(fx.mapping, &entry, CL_GATE_FILL, page_range(0, 1));
	ck_assert_int_eq(cl_read_begin(fx.mapping, 0, PAGES(1), &fx.read), 0);
	fixture_write_pattern(&fx, (struct cl_range){100, 200}, 2);
	cl_read_end(&fx.read);
	cl_gate_leave(fx.mapping, &entry);
	ck_assert_uint_eq(fixture_stats(&fx).copied_on_write, 1);
	assert_cache_is_store(&fx);
	ck_assert_uint_eq(fixture_stats(&fx).hash_mismatches, 0);
}
END_TEST

START_TEST(written_back_pages_pass)
{
	fixture_close(&fx);
	open_verified(true);
	fixture_write_pattern(&fx, (struct cl_range){100, 20000}, 2);
	assert_reads_pattern(&fx, (struct cl_range){100, 20000}, 2);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	assert_cache_is_store(&fx);
	fixture_truncate(&fx, PAGES(2) + 1);
	assert_cache_is_store(&fx);
	ck_assert_uint_eq(fixture_stats(&fx).hash_mismatches, 0);
}
END_TEST

START_TEST(a_page_corrupted_after_its_writeback_is_found)
{
	fixture_close(&fx);
	open_verified(true);
	fixture_write_pattern(&fx, page_range(3, 4), 2);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	corrupt(3);
	ck_assert_int_eq(read_page(3), -EIO);
}
END_TEST

/* Nothing but what the file has, whether or not it comes at all. */
static void assert_never_wrong(struct cl_range range, unsigned seed)
{
	char buf[FIXTURE_MAX_REQUEST], want[FIXTURE_MAX_REQUEST];
	const size_t len = range.end - range.start;
	const ssize_t n = gated_read(fx.mapping, &fx.read, buf, len, range.start);

	if (n == -EIO)
		return;
	ck_assert_int_eq(n, (ssize_t)len);
	fake_store_pattern(want, len, range.start, seed);
	ck_assert_msg(!memcmp(buf, want, len), "corrupted bytes were handed on");
}

START_TEST(a_write_beside_corrupted_bytes_does_not_bless_them)
{
	const struct cl_range written = {PAGES(5) + 10, PAGES(5) + 20};
	const struct cl_range corrupted = {PAGES(5) + 20, PAGES(6)};

	fixture_close(&fx);
	open_verified(_i);
	corrupt(5);
	fixture_write_pattern(&fx, written, 2);
	ck_assert_uint_eq(fixture_event(&fx, CL_EVENT_HASH_MISMATCH).page, 5);
	assert_never_wrong(corrupted, FIXTURE_SEED);
	ck_assert_int_eq(gated_writeback(fx.mapping, whole_file), 0);
	assert_store_pattern(&fx, corrupted, FIXTURE_SEED);
	assert_store_pattern(&fx, written, 2);
}
END_TEST

START_TEST(a_truncation_beside_corrupted_bytes_does_not_bless_them)
{
	corrupt(5);
	fixture_truncate(&fx, PAGES(5) + 2000);
	assert_never_wrong((struct cl_range){PAGES(5), PAGES(5) + 2000}, FIXTURE_SEED);
	ck_assert_uint_eq(fixture_event(&fx, CL_EVENT_HASH_MISMATCH).page, 5);
}
END_TEST

START_TEST(twin_without_verify_the_corrupted_byte_is_handed_on)
{
	char buf[CL_PAGE_SIZE];

	fixture_close(&fx);
	fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
	corrupt(5);
	fixture_read(&fx, buf, sizeof(buf), PAGES(5));
	ck_assert_uint_ne((uint8_t)buf[1000],
			  fake_store_byte(FIXTURE_SEED, PAGES(5) + 1000));
	ck_assert_uint_eq(fixture_events(&fx, CL_EVENT_HASH_MISMATCH), 0);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("verify", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_corrupted_page_is_an_error_and_an_event);
	tcase_add_test(tc, pages_beside_a_corrupted_one_are_fine);
	tcase_add_test(tc, corruption_is_found_before_reclaim_drops_it);
	tcase_add_test(tc, sound_pages_pass_whatever_becomes_of_them);
	tcase_add_test(tc, a_copy_made_under_a_reader_passes);
	tcase_add_test(tc, written_back_pages_pass);
	tcase_add_test(tc, a_page_corrupted_after_its_writeback_is_found);
	tcase_add_loop_test(tc, a_write_beside_corrupted_bytes_does_not_bless_them, 0,
			    2);
	tcase_add_test(tc, a_truncation_beside_corrupted_bytes_does_not_bless_them);
	tcase_add_test(tc, twin_without_verify_the_corrupted_byte_is_handed_on);
	return suite_run(suite);
}
