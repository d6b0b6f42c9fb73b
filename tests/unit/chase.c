/* SPDX-License-Identifier: MIT */
/*
 * How the upper cache is brought to let go: few notifications where it has clean pages,
 * and bulk flushes where it would send dirty ones down one at a time.
 *
 * The upper cache here has no threads: it writes back from inside the notification, as
 * the kernel does, and what is dirtied "meanwhile" is dirtied between two calls.
 */

#include <stdlib.h>
#include <string.h>

#include "cachelayer/range_op.h"
#include "fixture.h"

#define FILE_PAGES 1000u
#define CUT_PAGES  10u
#define BULK_PAGES (FIXTURE_MAX_REQUEST / CL_PAGE_SIZE)

enum folio { ABSENT, CLEAN, DIRTY };

static struct fixture fx;
static struct cl_range_op_report report;

static struct {
	enum folio folios[FILE_PAGES];
	uint64_t first_flushed; /* page */
	unsigned page_writes, bulk_writes;
	/* So many flushes are in vain: a program dirties the pages again at once. */
	unsigned dirtied_again;
	uint64_t size;
} upper;

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
	memset(&upper, 0, sizeof(upper));
	upper.first_flushed = UINT64_MAX;
}

static void teardown(void)
{
	fixture_close(&fx);
}

/* -------------------------------------------------------------- the upper cache */

static void enter(struct cl_gate_entry *entry, struct cl_range range, bool caches)
{
	*entry = (struct cl_gate_entry){
		.range = range,
		.kind = caches ? CL_GATE_FILL : CL_GATE_WRITE,
		.caches = caches,
		.writes_back = !caches,
	};
	ASSERT(cl_gate_try_enter(fx.mapping, entry));
}

/** Pages of the file come in, with whatever the store has. */
static void cache_pages(uint64_t first, uint64_t end, enum folio state)
{
	struct cl_gate_entry entry;

	enter(&entry, page_range(first, end), true);
	cl_gate_leave(fx.mapping, &entry);
	for (uint64_t page = first; page < end; page++)
		upper.folios[page] = state;
}

/** What a program has stored in its mapping: the pattern of another seed. */
static void write_back(uint64_t first, uint64_t end)
{
	const size_t len = PAGES(end - first);
	uint8_t bytes[FIXTURE_MAX_REQUEST];
	struct cl_gate_entry entry;

	fake_store_pattern(bytes, len, PAGES(first), FIXTURE_SEED + 1);
	enter(&entry, page_range(first, end), false);
	ASSERT(cl_write(fx.mapping, bytes, len, PAGES(first)) == (ssize_t)len);
	cl_gate_leave(fx.mapping, &entry);
}

static uint64_t end_page(struct cl_range range)
{
	const uint64_t end = range.end >> CL_PAGE_SHIFT;

	return end < FILE_PAGES ? end : FILE_PAGES;
}

/* sync_file_range(2) */
static void flush(void *arg, struct cl_range range)
{
	const uint64_t end = end_page(range);

	(void)arg;
	if (upper.first_flushed > range.start >> CL_PAGE_SHIFT)
		upper.first_flushed = range.start >> CL_PAGE_SHIFT;
	for (uint64_t page = range.start >> CL_PAGE_SHIFT, next; page < end;
	     page = next) {
		next = page + 1;
		if (upper.folios[page] != DIRTY)
			continue;
		while (next < end && next < page + BULK_PAGES &&
		       upper.folios[next] == DIRTY)
			next++;
		write_back(page, next);
		upper.bulk_writes++;
		for (uint64_t i = page; i < next; i++)
			upper.folios[i] = upper.dirtied_again ? DIRTY : CLEAN;
	}
	if (upper.dirtied_again > 0)
		upper.dirtied_again--;
}

/* invalidate_inode_pages2_range() */
static int invalidate(void *arg, struct cl_range range)
{
	(void)arg;
	for (uint64_t page = range.start >> CL_PAGE_SHIFT; page < end_page(range);
	     page++) {
		if (upper.folios[page] == DIRTY) {
			write_back(page, page + 1);
			upper.page_writes++;
		}
		upper.folios[page] = ABSENT;
	}
	return 0;
}

static void forget_attributes(void *arg)
{
	(void)arg;
}

static int adopt_size(void *arg, uint64_t size)
{
	(void)arg;
	upper.size = size;
	return 0;
}

static const struct cl_upper_ops flushing_ops = {
	.flush = flush,
	.invalidate = invalidate,
	.forget_attributes = forget_attributes,
	.adopt_size = adopt_size,
};

static const struct cl_upper_ops plain_ops = {
	.invalidate = invalidate,
	.forget_attributes = forget_attributes,
	.adopt_size = adopt_size,
};

/* ------------------------------------------------------------------ the operation */

static int cut_store(void *arg)
{
	const struct cl_range_op *op = arg;
	const uint64_t end = op->offset + op->len, size = fake_store_size(fx.store);
	uint8_t *bytes = malloc(size);

	ASSERT(bytes != NULL);
	/* All of it has left the upper cache by now (I2). */
	for (uint64_t page = op->offset >> CL_PAGE_SHIFT; page < FILE_PAGES; page++)
		ASSERT(upper.folios[page] == ABSENT);
	fake_store_peek(fx.store, bytes, size, 0);
	memmove(bytes + op->offset, bytes + end, size - end);
	fake_store_resize(fx.store, size - op->len);
	fake_store_poke(fx.store, bytes, size - op->len, 0);
	free(bytes);
	return 0;
}

static void collapse(const struct cl_upper_ops *ops, uint64_t page)
{
	struct cl_range_op op = {CL_COLLAPSE, PAGES(page), PAGES(CUT_PAGES), 0};

	ck_assert_int_eq(cl_range_op_run(fx.mapping, &op, ops, &upper, INT64_MAX,
					 cut_store, &op, &report),
			 0);
	ck_assert_uint_eq(upper.size, PAGES(FILE_PAGES - CUT_PAGES));
	assert_cache_is_store(&fx);
}

/** Whether the pages that were stored to are where they belong after the collapse. */
static void assert_stored(uint64_t first, uint64_t end)
{
	uint8_t expected[CL_PAGE_SIZE], bytes[CL_PAGE_SIZE];

	for (uint64_t page = first; page < end; page++) {
		fake_store_pattern(expected, sizeof(expected), PAGES(page + CUT_PAGES),
				   FIXTURE_SEED + 1);
		fake_store_peek(fx.store, bytes, sizeof(bytes), PAGES(page));
		ASSERT(memcmp(bytes, expected, sizeof(bytes)) == 0);
	}
}

START_TEST(clean_pages_go_in_few_notifications)
{
	cache_pages(0, FILE_PAGES, CLEAN);
	collapse(&flushing_ops, 0);
	/* The slower the machine, the shorter the windows; but never so short. */
	ck_assert_uint_le(report.notifications, FILE_PAGES / 16 + 1);
	ck_assert_uint_eq(report.flushes, 0);
	ck_assert_uint_eq(report.rounds, 0);
}
END_TEST

START_TEST(what_is_not_resident_is_not_notified)
{
	cache_pages(0, 100, CLEAN);
	collapse(&flushing_ops, 200);
	ck_assert_uint_eq(report.notifications, 0);
	ck_assert_int_eq(upper.folios[99], CLEAN);
}
END_TEST

START_TEST(a_few_dirty_pages_leave_one_at_a_time)
{
	cache_pages(0, FILE_PAGES, CLEAN);
	cache_pages(100, 105, DIRTY);
	collapse(&flushing_ops, 0);
	ck_assert_uint_eq(report.flushes, 0);
	ck_assert_uint_eq(upper.page_writes, 5);
	assert_stored(90, 95);
}
END_TEST

START_TEST(many_dirty_pages_are_asked_for_in_bulk)
{
	cache_pages(0, FILE_PAGES, DIRTY);
	collapse(&flushing_ops, 0);
	ck_assert_uint_eq(report.flushes, 1);
	ck_assert_uint_le(upper.page_writes, 64);
	ck_assert_uint_ge(upper.bulk_writes, (FILE_PAGES - 64) / BULK_PAGES);
	assert_stored(0, FILE_PAGES - CUT_PAGES);
}
END_TEST

START_TEST(only_what_the_operation_affects_is_flushed)
{
	cache_pages(0, FILE_PAGES, DIRTY);
	collapse(&flushing_ops, 500);
	ck_assert_uint_ge(upper.first_flushed, 500);
	ck_assert_int_eq(upper.folios[499], DIRTY);
	assert_stored(500, FILE_PAGES - CUT_PAGES);
}
END_TEST

/* Somebody dirties pages faster than they are written. With the gate closed he cannot.
 */
START_TEST(who_dirties_pages_again_is_shut_out_first)
{
	cache_pages(0, FILE_PAGES, DIRTY);
	upper.dirtied_again = 1;
	collapse(&flushing_ops, 0);
	ck_assert_uint_eq(report.flushes, 2);
	ck_assert_uint_ge(report.rounds, 1);
	ck_assert_uint_le(upper.page_writes, 64 + 64 + 16);
	assert_stored(0, FILE_PAGES - CUT_PAGES);
}
END_TEST

START_TEST(an_upper_cache_need_not_know_how_to_flush)
{
	cache_pages(0, FILE_PAGES, DIRTY);
	collapse(&plain_ops, 0);
	ck_assert_uint_eq(upper.page_writes, FILE_PAGES);
	assert_stored(0, FILE_PAGES - CUT_PAGES);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("chase", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, clean_pages_go_in_few_notifications);
	tcase_add_test(tc, what_is_not_resident_is_not_notified);
	tcase_add_test(tc, a_few_dirty_pages_leave_one_at_a_time);
	tcase_add_test(tc, many_dirty_pages_are_asked_for_in_bulk);
	tcase_add_test(tc, only_what_the_operation_affects_is_flushed);
	tcase_add_test(tc, who_dirties_pages_again_is_shut_out_first);
	tcase_add_test(tc, an_upper_cache_need_not_know_how_to_flush);
	return suite_run(suite);
}
