/* SPDX-License-Identifier: MIT */
/*
 * No memory: each allocation that the library makes in a call fails, in turn. It is an
 * error, or a way round that needs none; never stale bytes, a wait for ever, or a leak.
 *
 * The library is linked into this program, and the linker has its allocations come here
 * (--wrap). Only the thread that asks for it has them fail.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_upper.h"
#include "fixture.h"

#define FILE_PAGES 100u

static _Thread_local unsigned countdown; /* to the allocation that fails; 0: none */
static bool has_failed;

static bool fails(void)
{
	if (countdown == 0 || --countdown > 0)
		return false;
	has_failed = true;
	return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

/* The call's value, its n-th allocation failing. */
#define WITHOUT(n, call)                                                               \
	({                                                                             \
		has_failed = false;                                                    \
		countdown = (n);                                                       \
		__typeof__(call) value_ = (call);                                      \
		countdown = 0;                                                         \
		value_;                                                                \
	})

static struct fixture fx;

START_TEST(a_cache_is_made_or_not_at_all)
{
	const struct cl_cache_config config = fixture_writeback_config();
	unsigned n = 0;
	int status;

	do {
		struct cl_cache *cache = NULL;

		status = WITHOUT(++n, cl_cache_create(&config, &cache));
		ck_assert_int_eq(status, has_failed ? -ENOMEM : 0);
		ck_assert((cache != NULL) == (status == 0));
		cl_cache_free(cache);
	} while (has_failed);
	ck_assert_uint_gt(n, 3);
}
END_TEST

START_TEST(a_mapping_and_a_read_are_made_or_not_at_all)
{
	struct cl_mapping *mapping;
	struct cl_read read;
	unsigned n = 0;
	int status;

	fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
	do {
		status = WITHOUT(++n, cl_mapping_create(fx.cache, &fake_store_ops,
							fx.store, 0, &mapping));
		ck_assert_int_eq(status, has_failed ? -ENOMEM : 0);
	} while (has_failed);
	cl_mapping_free(mapping);
	n = 0;
	do {
		status = WITHOUT(++n, cl_read_init(fx.cache, &read));
		ck_assert_int_eq(status, has_failed ? -ENOMEM : 0);
	} while (has_failed);
	cl_read_fini(&read);
	fixture_close(&fx);
}
END_TEST

/* Everything that was asked for comes, or an error. */
START_TEST(reads_give_the_right_bytes_or_an_error)
{
	static char buf[FIXTURE_MAX_REQUEST];
	unsigned n = 0;
	ssize_t len;

	do {
		fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
		len = WITHOUT(++n,
			      gated_read(fx.mapping, &fx.read, buf, sizeof(buf), 0));
		ck_assert(len == (ssize_t)sizeof(buf) ||
			  (has_failed && len == -ENOMEM));
		assert_cache_is_store(&fx);
		fixture_close(&fx);
	} while (has_failed);
	ck_assert_uint_gt(n, 1);
}
END_TEST

static void write_without_memory(struct cl_cache_config config)
{
	static char buf[FIXTURE_MAX_REQUEST];
	const struct cl_range range = {0, sizeof(buf)};
	unsigned n = 0;
	ssize_t len;

	fake_store_pattern(buf, sizeof(buf), 0, 2);
	do {
		fixture_open(&fx, config, PAGES(FILE_PAGES));
		len = WITHOUT(++n, gated_write(fx.mapping, buf, sizeof(buf), 0));
		ck_assert(len == (ssize_t)sizeof(buf) ||
			  (has_failed && len == -ENOMEM));
		assert_reads_pattern(&fx, range, len < 0 ? FIXTURE_SEED : 2);
		ck_assert_int_eq(gated_writeback(fx.mapping, range), 0);
		assert_cache_is_store(&fx);
		fixture_close(&fx);
	} while (has_failed);
	ck_assert_uint_gt(n, 1);
}

START_TEST(writes_are_done_or_change_nothing)
{
	write_without_memory(fixture_config());
	write_without_memory(fixture_writeback_config());
}
END_TEST

static void note(void *arg, struct cl_range range)
{
	struct cl_range *changed = arg;

	if (changed->end == 0)
		changed->start = range.start;
	changed->end = range.end;
}

/* Without memory to compare in, all that is cached counts as changed. */
START_TEST(a_change_behind_the_cache_is_noticed)
{
	struct cl_gate_entry entry = {.range = {0, CL_RANGE_EOF},
				      .kind = CL_GATE_EXCLUSIVE};
	unsigned n = 0;

	do {
		struct cl_range changed = {0, 0};

		fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
		fixture_touch(&fx, page_range(0, FILE_PAGES));
		fake_store_fill(fx.store, page_range(40, 50), 2);
		cl_gate_enter_wait(fx.mapping, &entry);
		WITHOUT(++n,
			cl_revalidate(fx.mapping, PAGES(FILE_PAGES), note, &changed));
		cl_gate_leave(fx.mapping, &entry);
		ck_assert(changed.start <= PAGES(40) && changed.end >= PAGES(50));
		assert_cache_is_store(&fx);
		fixture_close(&fx);
	} while (has_failed);
	ck_assert_uint_gt(n, 1);
}
END_TEST

/* ---------------------------------------------------------------- range operations */

/* Ten pages from page 10 on are cut out. */
static int collapse_store(void *unused)
{
	const unsigned left = countdown;
	const size_t len = fake_store_size(fx.store) - PAGES(20);
	char *bytes;

	(void)unused;
	countdown = 0; /* the store has memory */
	bytes = malloc(len);
	ASSERT(bytes);
	fake_store_peek(fx.store, bytes, len, PAGES(20));
	fake_store_poke(fx.store, bytes, len, PAGES(10));
	fake_store_resize(fx.store, PAGES(10) + len);
	free(bytes);
	countdown = left;
	return 0;
}

static int collapse(struct fake_upper *upper)
{
	static const struct cl_range_op op = {CL_COLLAPSE, PAGES(10), PAGES(10), 0};
	struct cl_range_op_report report;

	return cl_range_op_run(fx.mapping, &op, &fake_upper_ops, upper, INT64_MAX,
			       collapse_store, NULL, &report);
}

/* Forty pages of zeros are put before page 10: the last ones get places for which the
 * page table has no node yet. */
static int insert_store(void *unused)
{
	const unsigned left = countdown;
	const size_t len = PAGES(FILE_PAGES - 10);
	char *bytes;

	(void)unused;
	countdown = 0;
	bytes = calloc(1, len);
	ASSERT(bytes);
	fake_store_peek(fx.store, bytes, len, PAGES(10));
	fake_store_resize(fx.store, PAGES(FILE_PAGES + 40));
	fake_store_poke(fx.store, bytes, len, PAGES(50));
	memset(bytes, 0, PAGES(40));
	fake_store_poke(fx.store, bytes, PAGES(40), PAGES(10));
	free(bytes);
	countdown = left;
	return 0;
}

static int insert(struct fake_upper *upper)
{
	static const struct cl_range_op op = {CL_INSERT, PAGES(10), PAGES(40), 0};
	struct cl_range_op_report report;

	return cl_range_op_run(fx.mapping, &op, &fake_upper_ops, upper, INT64_MAX,
			       insert_store, NULL, &report);
}

static struct fake_upper *open_with_upper(void)
{
	struct fake_upper *upper = malloc(sizeof(*upper));

	ck_assert_ptr_nonnull(upper);
	fixture_open(&fx, fixture_config(), PAGES(FILE_PAGES));
	fake_upper_init(upper, fx.mapping, PAGES(FILE_PAGES));
	fixture_touch(&fx, page_range(0, FILE_PAGES));
	return upper;
}

/* Neither cache has anything stale. */
static void close_with_upper(struct fake_upper *upper)
{
	uint8_t byte;

	assert_cache_is_store(&fx);
	for (uint64_t page = 0; page < fake_store_size(fx.store) / CL_PAGE_SIZE;
	     page++) {
		fake_store_peek(fx.store, &byte, 1, PAGES(page));
		ck_assert_int_eq(fake_upper_load(upper, page), byte);
	}
	fake_upper_fini(upper);
	free(upper);
	fixture_close(&fx);
}

/* Pages that cannot be given their new index are dropped instead. */
START_TEST(a_range_operation_is_done_all_the_same)
{
	unsigned n = 0;
	bool failed;

	do {
		struct fake_upper *upper = open_with_upper();

		for (uint64_t page = 0; page < FILE_PAGES; page += 7)
			fake_upper_load(upper, page);
		ck_assert_int_eq(WITHOUT(++n, insert(upper)), 0);
		failed = has_failed;
		ck_assert_uint_eq(fake_store_size(fx.store), PAGES(FILE_PAGES + 40));
		close_with_upper(upper);
	} while (failed);
	ck_assert_uint_gt(n, 1);
}
END_TEST

/* A page that the resident set had no room for makes all pages count as resident. The
 * next operation drops them, once, and ends; and the set knows again what is there. */
START_TEST(an_operation_ends_after_the_resident_set_had_no_memory)
{
	struct fake_upper *upper = open_with_upper();
	struct cl_gate_entry entry = {
		.range = page_range(30, 31), .kind = CL_GATE_FILL, .caches = true};
	unsigned invalidations;

	ck_assert(WITHOUT(1, cl_gate_try_enter(fx.mapping, &entry)));
	ck_assert(has_failed);
	cl_gate_leave(fx.mapping, &entry);
	fake_upper_load(upper, 50);
	ck_assert_int_eq(collapse(upper), 0);
	ck_assert_uint_gt(upper->invalidations, 0);
	ck_assert_uint_lt(upper->invalidations, 5);
	invalidations = upper->invalidations;
	ck_assert_int_eq(collapse(upper), 0);
	ck_assert_uint_eq(upper->invalidations, invalidations);
	close_with_upper(upper);
}
END_TEST

int main(void)
{
	TCase *tcase;
	Suite *suite = suite_with("no_memory", &tcase);

	tcase_add_test(tcase, a_cache_is_made_or_not_at_all);
	tcase_add_test(tcase, a_mapping_and_a_read_are_made_or_not_at_all);
	tcase_add_test(tcase, reads_give_the_right_bytes_or_an_error);
	tcase_add_test(tcase, writes_are_done_or_change_nothing);
	tcase_add_test(tcase, a_change_behind_the_cache_is_noticed);
	tcase_add_test(tcase, a_range_operation_is_done_all_the_same);
	tcase_add_test(tcase, an_operation_ends_after_the_resident_set_had_no_memory);
	return suite_run(suite);
}
