/* SPDX-License-Identifier: MIT */
/*
 * Readahead: a sequential reader finds its pages there; a random one causes no reads
 * that nobody asked for.
 */

#include <string.h>

#include "fixture.h"

static struct fixture fx;

#define CACHE_BYTES ((size_t)64 << 20)
#define FILE_BYTES  ((uint64_t)16 << 20)
#define REQUEST	    ((size_t)128 << 10)

static void setup(void)
{
	struct cl_cache_config config = fixture_config();

	config.size_bytes = CACHE_BYTES;
	fixture_open(&fx, config, 0);
	fixture_truncate(&fx, FILE_BYTES);
}

static void teardown(void)
{
	fixture_close(&fx);
}

START_TEST(a_sequential_reader_misses_only_at_the_start)
{
	struct cl_readahead ra = {0};
	static char buf[FIXTURE_MAX_REQUEST];
	struct cl_range range;

	for (uint64_t at = 0; at < FILE_BYTES; at += sizeof(buf)) {
		ck_assert_int_eq(gated_read(fx.mapping, &fx.read, buf, sizeof(buf), at),
				 sizeof(buf));
		if (cl_readahead_next(fx.mapping, &ra, at, sizeof(buf), &range))
			gated_prefetch(fx.mapping, range);
	}
	ck_assert_uint_le(fixture_stats(&fx).misses,
			  FIXTURE_MAX_REQUEST / CL_PAGE_SIZE);
	/* And nothing is read twice. */
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_READ).bytes, FILE_BYTES);
}
END_TEST

START_TEST(ranges_follow_each_other_up_to_the_end_of_file)
{
	struct cl_readahead ra = {0};
	uint64_t asked_to = REQUEST;

	for (uint64_t at = 0; at < FILE_BYTES; at += REQUEST) {
		struct cl_range range;

		if (!cl_readahead_next(fx.mapping, &ra, at, REQUEST, &range))
			continue;
		ck_assert_uint_eq(range.start, asked_to);
		ck_assert_uint_lt(range.start, range.end);
		ck_assert_uint_le(range.end, FILE_BYTES);
		asked_to = range.end;
	}
	ck_assert_uint_eq(asked_to, FILE_BYTES);
}
END_TEST

START_TEST(requests_that_overtake_each_other_a_little_are_sequential)
{
	struct cl_readahead ra = {0};
	uint64_t asked_to = 0;

	/* 1 0 3 2 5 4 …, as the kernel sends them from two threads. */
	for (uint64_t n = 0; n < FILE_BYTES / REQUEST; n++) {
		struct cl_range range;

		if (cl_readahead_next(fx.mapping, &ra, (n ^ 1) * REQUEST, REQUEST,
				      &range))
			asked_to = range.end;
	}
	ck_assert_uint_eq(asked_to, FILE_BYTES);
}
END_TEST

START_TEST(a_random_reader_causes_no_readahead)
{
	struct cl_readahead ra = {.next_offset = 8 << 20};
	unsigned long dice = 9;
	uint64_t last = 8 << 20;

	for (int i = 0; i < 200; i++) {
		struct cl_range range;
		const uint64_t at = random_next(&dice) % (FILE_BYTES - CL_PAGE_SIZE);
		const uint64_t distance = at > last ? at - last : last - at;

		if (distance < ((uint64_t)1 << 20))
			continue;
		ck_assert(
			!cl_readahead_next(fx.mapping, &ra, at, CL_PAGE_SIZE, &range));
		last = at;
	}
}
END_TEST

START_TEST(at_the_end_of_file_there_is_nothing_ahead)
{
	struct cl_readahead ra = {.next_offset = FILE_BYTES - REQUEST};
	struct cl_range range;

	ck_assert(!cl_readahead_next(fx.mapping, &ra, FILE_BYTES - REQUEST, REQUEST,
				     &range));
	ck_assert(!cl_readahead_next(fx.mapping, &ra, FILE_BYTES, REQUEST, &range));
}
END_TEST

START_TEST(a_window_leaves_most_of_a_small_cache_to_others)
{
	struct cl_readahead ra = {0};
	struct cl_range range;

	fixture_close(&fx);
	fixture_open(&fx, fixture_config(), 0);
	fixture_truncate(&fx, FILE_BYTES);
	for (uint64_t at = 0; at < FILE_BYTES; at += REQUEST)
		if (cl_readahead_next(fx.mapping, &ra, at, REQUEST, &range))
			ck_assert_uint_le(range.end - range.start,
					  PAGES(FIXTURE_PAGES) / 16);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("readahead", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_sequential_reader_misses_only_at_the_start);
	tcase_add_test(tc, ranges_follow_each_other_up_to_the_end_of_file);
	tcase_add_test(tc, requests_that_overtake_each_other_a_little_are_sequential);
	tcase_add_test(tc, a_random_reader_causes_no_readahead);
	tcase_add_test(tc, at_the_end_of_file_there_is_nothing_ahead);
	tcase_add_test(tc, a_window_leaves_most_of_a_small_cache_to_others);
	return suite_run(suite);
}
