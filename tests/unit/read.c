/* SPDX-License-Identifier: MIT */
/*
 * Reading: which bytes come back, how the store is asked for them, and what a reader
 * holds on to.
 */

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "fixture.h"
#include "mapping_internal.h"

static struct fixture fx;

/* Not a multiple of the page: the last page is cut in the middle. */
#define FILE_SIZE (PAGES(40) + 1234)

static void setup(void)
{
	fixture_open(&fx, fixture_config(), FILE_SIZE);
}

static void teardown(void)
{
	fixture_close(&fx);
}

static uint64_t store_reads(void)
{
	return fake_store_counters(fx.store, FAKE_READ).calls;
}

/* ------------------------------------------------------------------ the bytes */

START_TEST(bytes_are_those_of_the_store)
{
	assert_reads_pattern(&fx, (struct cl_range){0, FILE_SIZE}, FIXTURE_SEED);
	/* And once more, from the cache. */
	assert_reads_pattern(&fx, (struct cl_range){0, FILE_SIZE}, FIXTURE_SEED);
}
END_TEST

START_TEST(offsets_and_lengths_need_no_alignment)
{
	static const struct cl_range ranges[] = {
		{0, 1},
		{1, 2},
		{4095, 4096},
		{4095, 4097},
		{4096, 4097},
		{5000, 5001},
		{100, 20000},
		{PAGES(3) - 1, PAGES(5) + 1},
		{PAGES(7) + 1, PAGES(7) + 1 + FIXTURE_MAX_REQUEST},
		{FILE_SIZE - 1, FILE_SIZE},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		assert_reads_pattern(&fx, ranges[i], FIXTURE_SEED);
}
END_TEST

START_TEST(a_read_ends_at_the_end_of_file)
{
	char buf[PAGES(2)], want[1234];

	ck_assert_int_eq(gated_read(fx.mapping, &fx.read, buf, sizeof(buf), PAGES(40)),
			 1234);
	fake_store_pattern(want, sizeof(want), PAGES(40), FIXTURE_SEED);
	ck_assert_mem_eq(buf, want, sizeof(want));
}
END_TEST

START_TEST(past_the_end_there_are_no_bytes_and_no_read_of_the_store)
{
	static const uint64_t offsets[] = {FILE_SIZE, FILE_SIZE + 1, PAGES(41),
					   PAGES(1000), INT64_MAX - 100};
	char buf[100];

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		ck_assert_int_eq(
			gated_read(fx.mapping, &fx.read, buf, sizeof(buf), offsets[i]),
			0);
	ck_assert_uint_eq(store_reads(), 0);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 0);
}
END_TEST

START_TEST(a_sparse_file_of_8_tib_reads_at_its_far_end)
{
	const uint64_t size = (uint64_t)8 << 40;
	const struct cl_range last = {size - 5000, size};

	fixture_truncate(&fx, size);
	fake_store_fill(fx.store, last, 7);
	assert_reads_pattern(&fx, last, 7);
	assert_reads_zeros(&fx, (struct cl_range){size - 20000, size - 5000});
}
END_TEST

START_TEST(a_request_larger_than_agreed_is_refused)
{
	struct cl_gate_entry entry;

	gated_enter(fx.mapping, &entry, CL_GATE_FILL, whole_file);
	ck_assert_int_eq(
		cl_read_begin(fx.mapping, 0, FIXTURE_MAX_REQUEST + 1, &fx.read),
		-EINVAL);
	cl_gate_leave(fx.mapping, &entry);
	ck_assert_uint_eq(store_reads(), 0);
}
END_TEST

START_TEST(what_is_cached_is_known_by_range)
{
	ck_assert(!cl_mapping_caches(fx.mapping, whole_file));
	fixture_touch(&fx, page_range(4, 6));
	ck_assert(cl_mapping_caches(fx.mapping, whole_file));
	ck_assert(cl_mapping_caches(fx.mapping, page_range(5, 9)));
	ck_assert(cl_mapping_caches(fx.mapping, page_range(0, 5)));
	ck_assert(!cl_mapping_caches(fx.mapping, page_range(0, 4)));
	ck_assert(!cl_mapping_caches(fx.mapping, page_range(6, 40)));
	/* A byte of a page stands for it. */
	ck_assert(cl_mapping_caches(fx.mapping,
				    (struct cl_range){PAGES(6) - 1, PAGES(6) + 1}));
	ck_assert(cl_mapping_caches(fx.mapping, (struct cl_range){0, PAGES(4) + 1}));
}
END_TEST

/* ------------------------------------------------------- how the store is asked */

START_TEST(contiguous_absent_pages_are_one_vectored_read)
{
	fixture_touch(&fx, page_range(0, 16));
	ck_assert_uint_eq(store_reads(), 1);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_READ).bytes, PAGES(16));
}
END_TEST

START_TEST(a_cached_page_splits_the_read_in_two)
{
	fixture_touch(&fx, page_range(4, 5));
	fixture_touch(&fx, page_range(0, 16));
	ck_assert_uint_eq(store_reads(), 1 + 2);
	ck_assert_uint_eq(fake_store_counters(fx.store, FAKE_READ).bytes, PAGES(16));
	assert_reads_pattern(&fx, page_range(0, 16), FIXTURE_SEED);
}
END_TEST

START_TEST(cached_pages_are_not_read_again)
{
	fixture_touch(&fx, page_range(0, 16));
	fixture_touch(&fx, page_range(0, 16));
	fixture_touch(&fx, page_range(3, 9));
	ck_assert_uint_eq(store_reads(), 1);
	ck_assert_uint_eq(fixture_stats(&fx).misses, 16);
	ck_assert_uint_eq(fixture_stats(&fx).hits, 16 + 6);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 16);
}
END_TEST

START_TEST(a_prefetch_fills_and_the_read_behind_it_asks_nobody)
{
	gated_prefetch(fx.mapping, page_range(0, 16));
	ck_assert_uint_eq(store_reads(), 1);
	assert_reads_pattern(&fx, page_range(0, 16), FIXTURE_SEED);
	ck_assert_uint_eq(store_reads(), 1);
}
END_TEST

START_TEST(a_prefetch_stops_at_the_end_of_file)
{
	gated_prefetch(fx.mapping, page_range(38, 50));
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 3);
	assert_reads_pattern(&fx, (struct cl_range){PAGES(38), FILE_SIZE},
			     FIXTURE_SEED);
	ck_assert_uint_eq(fixture_events(&fx, CL_EVENT_SHORT_STORE), 0);
}
END_TEST

START_TEST(a_prefetch_stops_at_an_error)
{
	fake_store_fail(fx.store, fake_eio_for_ever(FAKE_READ));
	fixture_truncate(&fx, PAGES(1000));
	gated_prefetch(fx.mapping, whole_file);
	ck_assert_uint_eq(store_reads(), 1);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 0);
}
END_TEST

START_TEST(a_prefetch_that_fails_leaves_the_error_to_whoever_wants_the_page)
{
	fake_store_fail(fx.store, fake_eio_once(FAKE_READ));
	gated_prefetch(fx.mapping, page_range(0, 16));
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 0);
	assert_reads_pattern(&fx, page_range(0, 16), FIXTURE_SEED);
}
END_TEST

/* ----------------------------------------------------------- what a reader holds */

START_TEST(iovecs_of_adjacent_frames_are_merged)
{
	struct cl_gate_entry entry;

	/* Some disorder, so that neighbours in the file are strangers in memory. */
	for (uint64_t page = 1; page < 16; page += 3)
		fixture_touch(&fx, page_range(page, page + 1));
	gated_enter(fx.mapping, &entry, CL_GATE_FILL, whole_file);
	ck_assert_int_eq(cl_read_begin(fx.mapping, 10, PAGES(16) - 20, &fx.read), 0);
	ck_assert_uint_eq(fx.read.bytes, PAGES(16) - 20);
	for (int i = 1; i < fx.read.iovcnt; i++) {
		const struct iovec *before = &fx.read.iov[i - 1];

		ck_assert_ptr_ne((char *)before->iov_base + before->iov_len,
				 fx.read.iov[i].iov_base);
	}
	cl_read_end(&fx.read);

	/* Pages that came in one after the other lie so, too. */
	ck_assert_int_eq(cl_read_begin(fx.mapping, PAGES(16), PAGES(16), &fx.read), 0);
	ck_assert_int_eq(fx.read.iovcnt, 1);
	ck_assert_uint_eq(fx.read.iov[0].iov_len, PAGES(16));
	cl_read_end(&fx.read);
	cl_gate_leave(fx.mapping, &entry);
}
END_TEST

START_TEST(the_sum_of_the_iovecs_is_what_was_read)
{
	struct cl_gate_entry entry;

	gated_enter(fx.mapping, &entry, CL_GATE_FILL, whole_file);
	ck_assert_int_eq(cl_read_begin(fx.mapping, PAGES(38) + 5, PAGES(10), &fx.read),
			 0);

	size_t bytes = 0;

	for (int i = 0; i < fx.read.iovcnt; i++)
		bytes += fx.read.iov[i].iov_len;
	ck_assert_uint_eq(bytes, FILE_SIZE - PAGES(38) - 5);
	ck_assert_uint_eq(fx.read.bytes, bytes);
	cl_read_end(&fx.read);
	cl_gate_leave(fx.mapping, &entry);
}
END_TEST

/* -------------------------------------------------------------- many readers */

#define READERS 6

struct readers {
	uint64_t page;
	unsigned pages;
	_Atomic int status[READERS];
};

static void read_a_page(struct member *member)
{
	struct readers *readers = member->arg;
	const struct cl_range range =
		page_range(readers->page, readers->page + readers->pages);
	char buf[FIXTURE_MAX_REQUEST], want[FIXTURE_MAX_REQUEST];
	const size_t len = range.end - range.start;
	struct cl_read read;
	ssize_t n;

	ck_assert_int_eq(cl_read_init(fx.cache, &read), 0);
	n = gated_read(fx.mapping, &read, buf, len, range.start);
	cl_read_fini(&read);
	atomic_store(&readers->status[member->number], (int)n);
	if (n < 0)
		return;
	ck_assert_int_eq(n, (ssize_t)len);
	fake_store_pattern(want, len, range.start, FIXTURE_SEED);
	ck_assert_mem_eq(buf, want, len);
}

/* Start readers of the same pages, and let the store answer when all of them wait. */
static void let_readers_meet(struct readers *readers)
{
	struct team team;

	fake_store_hold(fx.store, FAKE_READ_BEGINS);
	team_start(&team, READERS, read_a_page, readers);
	fake_store_await_held(fx.store, FAKE_READ_BEGINS, 1);
	team_await_asleep(&team);
	fake_store_release(fx.store, FAKE_READ_BEGINS);
	team_join(&team);
}

START_TEST(many_threads_that_want_one_absent_page_cause_one_read)
{
	struct readers readers = {.page = 3, .pages = 1};

	let_readers_meet(&readers);
	ck_assert_uint_eq(store_reads(), 1);
}
END_TEST

START_TEST(many_threads_that_want_the_same_run_cause_one_read)
{
	struct readers readers = {.page = 3, .pages = 16};

	let_readers_meet(&readers);
	ck_assert_uint_eq(store_reads(), 1);
}
END_TEST

/* Until so many readers have found the page that is being filled, and pinned it. */
static void await_readers(uint64_t index, unsigned readers)
{
	struct cl_page *page = page_table_lookup(&fx.mapping->table, index);

	ASSERT(page);
	/* The table's pin, and ours. */
	while (page_pins(page) < readers + 2)
		sched_yield();
	arena_unpin(&fx.cache->arena, page);
}

START_TEST(a_failed_fill_gives_each_waiter_the_error)
{
	struct readers readers = {.page = 3, .pages = 1};
	struct team team;

	fake_store_fail(fx.store, fake_eio_once(FAKE_READ));
	fake_store_hold(fx.store, FAKE_READ_BEGINS);
	team_start(&team, READERS, read_a_page, &readers);
	fake_store_await_held(fx.store, FAKE_READ_BEGINS, 1);
	await_readers(3, READERS);
	fake_store_release(fx.store, FAKE_READ_BEGINS);
	team_join(&team);
	for (unsigned i = 0; i < READERS; i++)
		ck_assert_int_eq(readers.status[i], -EIO);
	ck_assert_uint_eq(store_reads(), 1);
}
END_TEST

START_TEST(a_failed_fill_leaves_no_page_behind)
{
	char buf[PAGES(4)];

	fake_store_fail(fx.store, fake_eio_once(FAKE_READ));
	ck_assert_int_eq(gated_read(fx.mapping, &fx.read, buf, sizeof(buf), 0), -EIO);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 0);
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, 0);
	assert_reads_pattern(&fx, page_range(0, 4), FIXTURE_SEED);
}
END_TEST

START_TEST(a_failed_fill_keeps_the_pages_that_were_there)
{
	char buf[PAGES(4)];

	fixture_touch(&fx, page_range(0, 2));
	fake_store_fail(fx.store, fake_eio_for_ever(FAKE_READ));
	ck_assert_int_eq(gated_read(fx.mapping, &fx.read, buf, sizeof(buf), 0), -EIO);
	assert_reads_pattern(&fx, page_range(0, 2), FIXTURE_SEED);
	ck_assert_uint_eq(cl_mapping_pages(fx.mapping), 2);
}
END_TEST

/* --------------------------------------------------- a store that ends too early */

START_TEST(a_store_that_ends_early_is_padded_with_zeros_and_reported)
{
	fake_store_resize(fx.store, PAGES(2) + 100);
	assert_reads_pattern(&fx, (struct cl_range){PAGES(1), PAGES(2) + 100},
			     FIXTURE_SEED);
	assert_reads_zeros(&fx, (struct cl_range){PAGES(2) + 100, PAGES(4)});

	const struct cl_event event = fixture_event(&fx, CL_EVENT_SHORT_STORE);

	ck_assert_ptr_eq(event.store, fx.store);
	ck_assert_uint_eq(event.page, 2);
}
END_TEST

START_TEST(a_file_that_ends_where_it_should_is_not_reported)
{
	assert_reads_pattern(&fx, (struct cl_range){PAGES(38), FILE_SIZE},
			     FIXTURE_SEED);
	ck_assert_uint_eq(fixture_events(&fx, CL_EVENT_SHORT_STORE), 0);
}
END_TEST

static void read_the_last_page(struct member *member)
{
	struct cl_read read;
	char buf[PAGES(1)];

	(void)member;
	ck_assert_int_eq(cl_read_init(fx.cache, &read), 0);
	ck_assert_int_eq(gated_read(fx.mapping, &read, buf, sizeof(buf), PAGES(40)),
			 1234);
	cl_read_fini(&read);
}

/* Let the call that stands at one point go on to the other. */
static void go_on(enum fake_point from, enum fake_point to)
{
	fake_store_hold(fx.store, to);
	fake_store_release(fx.store, from);
	fake_store_await_held(fx.store, to, 1);
}

START_TEST(a_file_that_grows_during_a_fill_is_not_reported)
{
	struct team team;

	/* The fill gets what there is, asks for the rest, and hears that it is none. */
	fake_store_hold(fx.store, FAKE_READ_BEGINS);
	team_start(&team, 1, read_the_last_page, NULL);
	fake_store_await_held(fx.store, FAKE_READ_BEGINS, 1);
	go_on(FAKE_READ_BEGINS, FAKE_READ_ENDS);
	go_on(FAKE_READ_ENDS, FAKE_READ_BEGINS);
	go_on(FAKE_READ_BEGINS, FAKE_READ_ENDS);
	fixture_write_pattern(&fx, page_range(41, 42), 2);
	fake_store_release(fx.store, FAKE_READ_ENDS);
	team_join(&team);
	ck_assert_uint_eq(fixture_events(&fx, CL_EVENT_SHORT_STORE), 0);
	assert_cache_is_store(&fx);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("read", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, bytes_are_those_of_the_store);
	tcase_add_test(tc, offsets_and_lengths_need_no_alignment);
	tcase_add_test(tc, a_read_ends_at_the_end_of_file);
	tcase_add_test(tc, past_the_end_there_are_no_bytes_and_no_read_of_the_store);
	tcase_add_test(tc, a_sparse_file_of_8_tib_reads_at_its_far_end);
	tcase_add_test(tc, a_request_larger_than_agreed_is_refused);
	tcase_add_test(tc, what_is_cached_is_known_by_range);
	tcase_add_test(tc, contiguous_absent_pages_are_one_vectored_read);
	tcase_add_test(tc, a_cached_page_splits_the_read_in_two);
	tcase_add_test(tc, cached_pages_are_not_read_again);
	tcase_add_test(tc, a_prefetch_fills_and_the_read_behind_it_asks_nobody);
	tcase_add_test(tc, a_prefetch_stops_at_the_end_of_file);
	tcase_add_test(tc, a_prefetch_stops_at_an_error);
	tcase_add_test(
		tc, a_prefetch_that_fails_leaves_the_error_to_whoever_wants_the_page);
	tcase_add_test(tc, iovecs_of_adjacent_frames_are_merged);
	tcase_add_test(tc, the_sum_of_the_iovecs_is_what_was_read);
	tcase_add_test(tc, many_threads_that_want_one_absent_page_cause_one_read);
	tcase_add_test(tc, many_threads_that_want_the_same_run_cause_one_read);
	tcase_add_test(tc, a_failed_fill_gives_each_waiter_the_error);
	tcase_add_test(tc, a_failed_fill_leaves_no_page_behind);
	tcase_add_test(tc, a_failed_fill_keeps_the_pages_that_were_there);
	tcase_add_test(tc, a_store_that_ends_early_is_padded_with_zeros_and_reported);
	tcase_add_test(tc, a_file_that_ends_where_it_should_is_not_reported);
	tcase_add_test(tc, a_file_that_grows_during_a_fill_is_not_reported);
	return suite_run(suite);
}
