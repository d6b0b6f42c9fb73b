/* SPDX-License-Identifier: MIT */
/*
 * Changing the layout: what a size and an invalidation do to the pages.
 */

#include <signal.h>
#include <string.h>

#include "config.h"
#include "fixture.h"

static struct fixture fx;

#define FILE_PAGES 16

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
}

static void teardown(void)
{
	fixture_close(&fx);
}

START_TEST(a_shrink_drops_the_pages_past_the_new_end)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fixture_truncate(&fx, PAGES(5));
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(5));
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 5);
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, 5);
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(a_shrink_zeroes_the_rest_of_the_page_it_cuts)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fixture_truncate(&fx, PAGES(5) + 100);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 6);
	fixture_truncate(&fx, PAGES(FILE_PAGES));
	assert_reads_pattern(&fx, (struct cl_range){0, PAGES(5) + 100}, FIXTURE_SEED);
	assert_reads_zeros(&fx, (struct cl_range){PAGES(5) + 100, PAGES(FILE_PAGES)});
	assert_cache_is_store(&fx);
}
END_TEST

START_TEST(the_page_that_a_shrink_cuts_need_not_be_read_again)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));

	const uint64_t reads = fake_store_counters(fx.store, FAKE_READ).calls;

	fixture_truncate(&fx, PAGES(5) + 100);
	assert_reads_pattern(&fx, (struct cl_range){0, PAGES(5) + 100}, FIXTURE_SEED);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_READ).calls, reads);
}
END_TEST

START_TEST(a_growth_shows_zeros)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fixture_truncate(&fx, PAGES(FILE_PAGES) + 5000);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES) + 5000);
	assert_reads_pattern(&fx, page_range(0, FILE_PAGES), FIXTURE_SEED);
	assert_reads_zeros(
		&fx, (struct cl_range){PAGES(FILE_PAGES), PAGES(FILE_PAGES) + 5000});
}
END_TEST

START_TEST(growing_to_less_than_there_is_changes_nothing)
{
	struct cl_gate_entry entry;

	gated_enter(fx.mapping, &entry, CL_GATE_WRITE, whole_file);
	cl_mapping_grow(fx.mapping, PAGES(3));
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(FILE_PAGES));
	cl_mapping_grow(fx.mapping, PAGES(20));
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(20));
	cl_gate_leave(fx.mapping, &entry);
}
END_TEST

START_TEST(to_nothing_and_back)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fixture_truncate(&fx, 0);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 0);
	fixture_truncate(&fx, PAGES(FILE_PAGES));
	assert_reads_zeros(&fx, page_range(0, FILE_PAGES));
}
END_TEST

START_TEST(invalidation_drops_the_range_and_nothing_else)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fake_store_fill(fx.store, page_range(0, FILE_PAGES), 2);
	ck_assert_int_eq(gated_invalidate(fx.mapping, page_range(4, 8)), 0);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), FILE_PAGES - 4);
	assert_reads_pattern(&fx, page_range(0, 4), FIXTURE_SEED);
	assert_reads_pattern(&fx, page_range(4, 8), 2);
	assert_reads_pattern(&fx, page_range(8, FILE_PAGES), FIXTURE_SEED);
}
END_TEST

START_TEST(a_page_covered_in_part_is_dropped_too)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fake_store_fill(fx.store, page_range(0, FILE_PAGES), 2);
	ck_assert_int_eq(gated_invalidate(fx.mapping, (struct cl_range){PAGES(4) + 5,
									PAGES(8) + 5}),
			 0);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), FILE_PAGES - 5);
	assert_reads_pattern(&fx, page_range(4, 9), 2);
}
END_TEST

START_TEST(invalidation_to_the_end_of_file)
{
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	ck_assert_int_eq(gated_invalidate(fx.mapping, whole_file), 0);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 0);
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, 0);
}
END_TEST

START_TEST(a_removed_pages_frame_stays_with_the_reader_who_holds_it)
{
	struct cl_gate_entry entry;
	char want[PAGES(2)];

	/* The reader of pages 0 and 1 is in; the exclusive takes others. A reader may
	 * also have let go of its entry too early: its bytes stand still all the same.
	 */
	gated_enter(fx.mapping, &entry, CL_GATE_FILL, page_range(0, 2));
	ck_assert_int_eq(cl_read_begin(fx.mapping, 0, PAGES(2), &fx.read), 0);
	cl_gate_leave(fx.mapping, &entry);
	ck_assert_int_eq(gated_invalidate(fx.mapping, whole_file), 0);

	struct cl_read saved = fx.read;

	ck_assert_int_eq(cl_read_init(fx.cache, &fx.read), 0);
	fake_store_fill(fx.store, page_range(0, FILE_PAGES), 2);
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	fake_store_pattern(want, sizeof(want), 0, FIXTURE_SEED);
	for (int i = 0, at = 0; i < saved.iovcnt; i++) {
		ck_assert_mem_eq(saved.iov[i].iov_base, want + at,
				 saved.iov[i].iov_len);
		at += (int)saved.iov[i].iov_len;
	}
	cl_read_end(&saved);
	cl_read_fini(&saved);
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, FILE_PAGES);
}
END_TEST

/* ------------------------------------------------ what the gate entry is good for */

static void fill_slowly(struct member *member)
{
	const bool *gate_left_out = member->arg;
	struct cl_gate_entry entry;
	struct cl_read read;

	ck_assert_int_eq(cl_read_init(fx.cache, &read), 0);
	if (!*gate_left_out)
		gated_enter(fx.mapping, &entry, CL_GATE_FILL, page_range(8, 9));
	ck_assert_int_eq(cl_read_begin(fx.mapping, PAGES(8), PAGES(1), &read), 0);
	cl_read_end(&read);
	if (!*gate_left_out)
		cl_gate_leave(fx.mapping, &entry);
	cl_read_fini(&read);
}

static void truncate_twice(struct member *member)
{
	(void)member;
	fixture_truncate(&fx, PAGES(4));
	fixture_truncate(&fx, PAGES(FILE_PAGES));
}

/* A fill has read the old bytes; before it is done the file shrinks, and grows again.
 */
static void shrink_beside_a_fill(bool gate_left_out)
{
	struct team filling, truncating;

	fake_store_hold(fx.store, FAKE_READ_ENDS);
	team_start(&filling, 1, fill_slowly, &gate_left_out);
	fake_store_await_held(fx.store, FAKE_READ_ENDS, 1);
	team_start(&truncating, 1, truncate_twice, NULL);
	team_await_asleep(&truncating);
	fake_store_release(fx.store, FAKE_READ_ENDS);
	team_join(&filling);
	team_join(&truncating);
}

START_TEST(a_shrink_waits_for_the_fill_it_would_outrun)
{
	shrink_beside_a_fill(false);
	assert_reads_zeros(&fx, page_range(4, FILE_PAGES));
	assert_cache_is_store(&fx);
}
END_TEST

static void write_slowly(struct member *member)
{
	const bool *gate_left_out = member->arg;
	static const char bytes[CL_PAGE_SIZE] = "written";
	struct cl_gate_entry entry;

	if (!*gate_left_out)
		gated_enter(fx.mapping, &entry, CL_GATE_WRITE, page_range(8, 9));
	ck_assert_int_eq(cl_write(fx.mapping, bytes, sizeof(bytes), PAGES(8)),
			 sizeof(bytes));
	if (!*gate_left_out)
		cl_gate_leave(fx.mapping, &entry);
}

static void shrink(struct member *member)
{
	(void)member;
	fixture_truncate(&fx, PAGES(4));
}

/* A write has reached the store; before it is done the file shrinks. */
static void shrink_beside_a_write(bool gate_left_out)
{
	struct team writing, truncating;

	fake_store_hold(fx.store, FAKE_WRITE_ENDS);
	team_start(&writing, 1, write_slowly, &gate_left_out);
	fake_store_await_held(fx.store, FAKE_WRITE_ENDS, 1);
	team_start(&truncating, 1, shrink, NULL);
	team_await_asleep(&truncating);
	fake_store_release(fx.store, FAKE_WRITE_ENDS);
	team_join(&writing);
	team_join(&truncating);
}

START_TEST(a_shrink_waits_for_the_write_it_would_outrun)
{
	shrink_beside_a_write(false);
	ck_assert_uint_eq(cl_mapping_size(fx.mapping), PAGES(4));
	assert_cache_is_store(&fx);
}
END_TEST

#ifndef CL_DEBUG_LOCKS /* there, the missing entry is found before anything happens */
START_TEST(twin_without_its_gate_entry_a_write_leaves_a_wrong_size)
{
	shrink_beside_a_write(true);
	ck_assert_uint_ne(cl_mapping_size(fx.mapping), fake_store_size(fx.store));
}
END_TEST
#else
START_TEST(twin_without_its_gate_entry_a_write_is_refused_in_debug_builds)
{
	shrink_beside_a_write(true);
}
END_TEST

START_TEST(twin_without_its_gate_entry_a_fill_is_refused_in_debug_builds)
{
	shrink_beside_a_fill(true);
}
END_TEST
#endif

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("layout", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_shrink_drops_the_pages_past_the_new_end);
	tcase_add_test(tc, a_shrink_zeroes_the_rest_of_the_page_it_cuts);
	tcase_add_test(tc, the_page_that_a_shrink_cuts_need_not_be_read_again);
	tcase_add_test(tc, a_growth_shows_zeros);
	tcase_add_test(tc, growing_to_less_than_there_is_changes_nothing);
	tcase_add_test(tc, to_nothing_and_back);
	tcase_add_test(tc, invalidation_drops_the_range_and_nothing_else);
	tcase_add_test(tc, a_page_covered_in_part_is_dropped_too);
	tcase_add_test(tc, invalidation_to_the_end_of_file);
	tcase_add_test(tc, a_removed_pages_frame_stays_with_the_reader_who_holds_it);
	tcase_add_test(tc, a_shrink_waits_for_the_fill_it_would_outrun);
	tcase_add_test(tc, a_shrink_waits_for_the_write_it_would_outrun);
#ifndef CL_DEBUG_LOCKS
	tcase_add_test(tc, twin_without_its_gate_entry_a_write_leaves_a_wrong_size);
#else
	tcase_add_test_raise_signal(
		tc, twin_without_its_gate_entry_a_write_is_refused_in_debug_builds,
		SIGABRT);
	tcase_add_test_raise_signal(
		tc, twin_without_its_gate_entry_a_fill_is_refused_in_debug_builds,
		SIGABRT);
#endif
	return suite_run(suite);
}
