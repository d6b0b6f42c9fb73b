/* SPDX-License-Identifier: MIT */
/*
 * Writing past the cache: the store has the bytes, and the cache has no page that says
 * otherwise, whatever went wrong on the way.
 */

#include <errno.h>
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

/* Bytes of a pattern, some at a time. */
struct pattern {
	unsigned seed;
	size_t piece; /* at most so many in a call */
	unsigned calls;
};

static ssize_t write_piece(void *arg, void *store, size_t len, uint64_t offset)
{
	static char buf[PAGES(FILE_PAGES)];
	struct pattern *pattern = arg;
	struct iovec iov = {buf, len < pattern->piece ? len : pattern->piece};

	pattern->calls++;
	ck_assert_ptr_eq(store, fx.store);
	fake_store_pattern(buf, iov.iov_len, offset, pattern->seed);
	return fake_store_ops.pwritev(store, &iov, 1, offset);
}

static ssize_t write_past(struct cl_range range, struct pattern *pattern)
{
	struct cl_gate_entry entry = {
		.range = range, .kind = CL_GATE_EXCLUSIVE, .caches = true};
	ssize_t ret;

	cl_gate_enter_wait(fx.mapping, &entry);
	ret = cl_write_past(fx.mapping, &(struct cl_source){write_piece, pattern},
			    range.end - range.start, range.start);
	cl_gate_leave(fx.mapping, &entry);
	return ret;
}

static ssize_t write_seed_2(struct cl_range range)
{
	return write_past(range, &(struct pattern){.seed = 2, .piece = SIZE_MAX});
}

START_TEST(bytes_are_in_the_store_and_no_page_is_stale)
{
	const struct cl_range range = {5000, 5000 + 90000};

	fixture_touch(&fx, page_range(0, FILE_PAGES));
	ck_assert_int_eq(write_seed_2(range), 90000);
	assert_store_pattern(&fx, range, 2);
	assert_reads_pattern(&fx, range, 2);
	assert_reads_pattern(&fx, (struct cl_range){0, 5000}, FIXTURE_SEED);
	assert_reads_pattern(&fx, (struct cl_range){95000, PAGES(FILE_PAGES)},
			     FIXTURE_SEED);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(the_pages_of_the_range_go_and_no_others)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	/* Pages 2 to 12, the first and the last in part. */
	ck_assert_int_eq(write_seed_2((struct cl_range){PAGES(2) + 1, PAGES(13) - 1}),
			 PAGES(11) - 2);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), FILE_PAGES - 11);
	fixture_touch(&fx, page_range(0, 2));
	fixture_touch(&fx, page_range(13, FILE_PAGES));
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), FILE_PAGES - 11);
}
END_TEST

START_TEST(absent_pages_stay_absent)
{
	ck_assert_int_eq(write_seed_2(page_range(3, 30)), PAGES(27));
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 0);
}
END_TEST

START_TEST(a_source_is_asked_until_it_has_given_all)
{
	struct pattern pattern = {.seed = 2, .piece = 10000};

	ck_assert_int_eq(write_past((struct cl_range){100, 50100}, &pattern), 50000);
	ck_assert_uint_eq(pattern.calls, 5);
	assert_store_pattern(&fx, (struct cl_range){100, 50100}, 2);
	ck_assert_uint_eq(fixture_stats(&fx).write_bytes, 50000);
}
END_TEST

START_TEST(a_write_past_the_end_extends_the_file)
{
	const struct cl_range range = {PAGES(FILE_PAGES) + 5000,
				       PAGES(FILE_PAGES) + 90000};

	fixture_touch(&fx, page_range(0, FILE_PAGES));
	ck_assert_int_eq(write_seed_2(range), 85000);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), range.end);
	assert_reads_zeros(&fx, (struct cl_range){PAGES(FILE_PAGES), range.start});
	assert_reads_pattern(&fx, range, 2);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(the_upper_cache_is_known_to_have_its_pages)
{
	ck_assert_int_eq(write_seed_2(page_range(3, 30)), PAGES(27));
	ck_assert_uint_eq(cl_mapping_resident_pages(fx.mapping), 27);
}
END_TEST

START_TEST(on_a_full_disk_what_was_taken_is_counted_and_shown)
{
	const cl_errseq_t since = cl_errseq_sample(fx.mapping);

	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fake_store_fail(fx.store, fake_enospc_after(10000));
	ck_assert_int_eq(write_seed_2((struct cl_range){100, PAGES(20)}), 10000);
	assert_reads_pattern(&fx, (struct cl_range){100, 10100}, 2);
	assert_reads_pattern(&fx, (struct cl_range){10100, PAGES(FILE_PAGES)},
			     FIXTURE_SEED);
	ck_assert_int_eq(write_seed_2(page_range(3, 30)), -ENOSPC);
	assert_cache_is_store(&fx);
	ck_assert_int_eq(cl_errseq_check(fx.mapping, since), 0);
}
END_TEST

START_TEST(a_failed_write_shows_what_the_store_has_and_fails_the_next_fsync)
{
	const cl_errseq_t since = cl_errseq_sample(fx.mapping);

	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fake_store_fail(fx.store, fake_torn_write_once());
	ck_assert_int_eq(write_seed_2(page_range(3, 30)), -EIO);
	fake_store_mend(fx.store);
	assert_cache_is_store(&fx);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES));
	ck_assert_int_eq(cl_errseq_check(fx.mapping, since), -EIO);
}
END_TEST

static ssize_t give_nothing(void *arg, void *store, size_t len, uint64_t offset)
{
	(void)arg;
	(void)store;
	(void)len;
	(void)offset;
	return 0;
}

START_TEST(a_source_that_ends_early_is_an_error)
{
	const struct cl_source source = {give_nothing, NULL};
	struct cl_gate_entry entry;

	gated_enter(fx.mapping, &entry, CL_GATE_EXCLUSIVE, page_range(0, 1));
	ck_assert_int_eq(cl_write_past(fx.mapping, &source, 100, 0), -EIO);
	cl_gate_leave(fx.mapping, &entry);
}
END_TEST

START_TEST(requests_that_cannot_be_are_refused)
{
	struct pattern pattern = {.seed = 2, .piece = SIZE_MAX};
	const struct cl_source source = {write_piece, &pattern};

	ck_assert_int_eq(cl_write_past(fx.mapping, &source, 0, 0), -EINVAL);
	ck_assert_int_eq(cl_write_past(fx.mapping, &source, 100, INT64_MAX - 50),
			 -EFBIG);
	ck_assert_uint_eq(pattern.calls, 0);
	fixture_close(&fx);
	/* Dirty pages would come over it later. */
	fixture_open(&fx, fixture_writeback_config(), PAGES(FILE_PAGES));
	ck_assert_int_eq(cl_write_past(fx.mapping, &source, 100, 0), -EINVAL);
	ck_assert_uint_eq(pattern.calls, 0);
}
END_TEST

/* ------------------------------------------------------------------- appending */

/* Somebody behind the mount has made the file so long, with other bytes; ours follow. */
struct pieces {
	uint64_t at;
	unsigned seed;
	size_t len;
};

static ssize_t append_piece(void *arg, void *store, uint64_t *ret_at)
{
	static char buf[PAGES(FILE_PAGES)];
	const struct pieces *pieces = arg;
	struct iovec iov = {buf, pieces->len};

	fake_store_pattern(buf, iov.iov_len, pieces->at, pieces->seed);
	*ret_at = pieces->at;
	return fake_store_ops.pwritev(store, &iov, 1, pieces->at);
}

static ssize_t append(uint64_t from, struct pieces *pieces, uint64_t *ret_at)
{
	struct cl_gate_entry entry = {.range = {from, CL_RANGE_EOF},
				      .kind = CL_GATE_EXCLUSIVE,
				      .caches = true,
				      .cached = {from, from + pieces->len}};
	ssize_t ret;

	cl_gate_enter_wait(fx.mapping, &entry);
	ret = cl_append(fx.mapping, &(struct cl_appender){append_piece, pieces}, from,
			ret_at);
	cl_gate_leave(fx.mapping, &entry);
	return ret;
}

START_TEST(an_append_drops_the_page_with_the_end_and_no_other)
{
	const uint64_t end = PAGES(FILE_PAGES) - 100;
	uint64_t at;

	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fixture_truncate(&fx, end);
	ck_assert_int_eq(append(end, &(struct pieces){end, 2, 500}, &at), 500);
	ck_assert_uint_eq(at, end);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), end + 500);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), FILE_PAGES - 1);
	assert_reads_pattern(&fx, (struct cl_range){end, end + 500}, 2);
	assert_reads_pattern(&fx, (struct cl_range){0, end}, FIXTURE_SEED);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(an_append_that_lands_further_on_is_found_there)
{
	const uint64_t end = PAGES(FILE_PAGES);
	uint64_t at;

	fixture_touch(&fx, page_range(0, FILE_PAGES));
	ck_assert_int_eq(append(end, &(struct pieces){end + 5000, 2, 500}, &at), 500);
	ck_assert_uint_eq(at, end + 5000);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), end + 5500);
	assert_reads_pattern(&fx, (struct cl_range){end + 5000, end + 5500}, 2);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(an_append_that_fails_changes_nothing)
{
	uint64_t at = 17;

	fake_store_fail(fx.store, fake_enospc_after(0));
	ck_assert_int_eq(append(PAGES(FILE_PAGES),
				&(struct pieces){PAGES(FILE_PAGES), 2, 500}, &at),
			 -ENOSPC);
	fake_store_mend(fx.store);
	ck_assert_uint_eq(at, 17);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES));
}
END_TEST

/* Not up to the end of the gate's range, which is the end of all. */
START_TEST(the_upper_cache_is_known_to_have_what_it_appended)
{
	const uint64_t end = PAGES(FILE_PAGES);
	uint64_t at;

	ck_assert(!cl_mapping_is_resident(fx.mapping, page_range(0, FILE_PAGES + 1)));
	ck_assert_int_eq(append(end, &(struct pieces){end, 2, 500}, &at), 500);
	ck_assert_uint_eq(cl_mapping_resident_pages(fx.mapping), 1);
	ck_assert(cl_mapping_is_resident(fx.mapping,
					 page_range(FILE_PAGES, FILE_PAGES + 1)));
	ck_assert(!cl_mapping_is_resident(fx.mapping, page_range(0, FILE_PAGES)));
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("write_past", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bytes_are_in_the_store_and_no_page_is_stale);
	tcase_add_test(tc, the_pages_of_the_range_go_and_no_others);
	tcase_add_test(tc, absent_pages_stay_absent);
	tcase_add_test(tc, a_source_is_asked_until_it_has_given_all);
	tcase_add_test(tc, a_write_past_the_end_extends_the_file);
	tcase_add_test(tc, the_upper_cache_is_known_to_have_its_pages);
	tcase_add_test(tc, on_a_full_disk_what_was_taken_is_counted_and_shown);
	tcase_add_test(
		tc, a_failed_write_shows_what_the_store_has_and_fails_the_next_fsync);
	tcase_add_test(tc, a_source_that_ends_early_is_an_error);
	tcase_add_test(tc, requests_that_cannot_be_are_refused);
	tcase_add_test(tc, an_append_drops_the_page_with_the_end_and_no_other);
	tcase_add_test(tc, an_append_that_lands_further_on_is_found_there);
	tcase_add_test(tc, an_append_that_fails_changes_nothing);
	tcase_add_test(tc, the_upper_cache_is_known_to_have_what_it_appended);
	return suite_run(suite);
}
