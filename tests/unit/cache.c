/* SPDX-License-Identifier: MIT */
/*
 * The cache as a whole: what it takes, and that it lets go of everything.
 */

#include <errno.h>

#include "fixture.h"

static int create(struct cl_cache_config config)
{
	struct cl_cache *const untouched = (struct cl_cache *)1;
	struct cl_cache *cache = untouched;
	const int ret = cl_cache_create(&config, &cache);

	if (ret == 0)
		cl_cache_free(cache);
	else
		ck_assert_ptr_eq(cache, untouched);
	return ret;
}

START_TEST(a_cache_too_small_is_refused)
{
	struct cl_cache_config config = fixture_config();

	ck_assert_int_eq(create(config), 0);
	config.size_bytes = CL_CACHE_SIZE_MIN - 1;
	config.max_requests = 1;
	ck_assert_int_eq(create(config), -EINVAL);
}
END_TEST

START_TEST(requests_may_reach_half_of_the_arena)
{
	struct cl_cache_config config = fixture_config();

	/* 16 pages and two, seven times, twice: 252 of 256. */
	config.max_requests = 7;
	ck_assert_int_eq(create(config), 0);
	config.max_requests = 8;
	ck_assert_int_eq(create(config), -EINVAL);
}
END_TEST

START_TEST(requests_of_no_size_or_number_are_refused)
{
	struct cl_cache_config config = fixture_config();

	config.max_requests = 0;
	ck_assert_int_eq(create(config), -EINVAL);
	config = fixture_config();
	config.max_request_bytes = 0;
	ck_assert_int_eq(create(config), -EINVAL);
}
END_TEST

START_TEST(the_largest_request_offered_is_taken_and_its_double_is_not)
{
	static const size_t sizes[] = {CL_CACHE_SIZE_MIN, 8 << 20, 256 << 20};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct cl_cache_config config = fixture_config();

		config.size_bytes = sizes[i];
		config.max_requests = 10;
		config.max_request_bytes = cl_cache_max_request(sizes[i], 10);
		ck_assert_uint_ge(config.max_request_bytes, CL_PAGE_SIZE);
		ck_assert_uint_eq(
			config.max_request_bytes & (config.max_request_bytes - 1), 0);
		ck_assert_int_eq(create(config), 0);
		config.max_request_bytes *= 2;
		ck_assert_int_eq(create(config), -EINVAL);
	}
	ck_assert_uint_eq(cl_cache_max_request(CL_CACHE_SIZE_MIN, 1000), 0);
}
END_TEST

START_TEST(freeing_nothing_is_fine)
{
	struct cl_read read = {0};

	cl_cache_free(NULL);
	cl_mapping_free(NULL);
	cl_read_fini(&read);
}
END_TEST

START_TEST(a_freed_mapping_gives_its_pages_back)
{
	struct fixture fx;

	fixture_open(&fx, fixture_config(), PAGES(64));
	fixture_touch(&fx, page_range(0, 64));
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, 64);
	cl_mapping_free(fx.mapping);
	fx.mapping = NULL;
	ck_assert_uint_eq(fixture_stats(&fx).pages_used, 0);
	fixture_close(&fx);
}
END_TEST

START_TEST(a_cache_knows_its_kind)
{
	struct fixture fx;

	fixture_open(&fx, fixture_config(), 0);
	ck_assert(!cl_cache_is_writeback(fx.cache));
	fixture_close(&fx);
	fixture_open(&fx, fixture_writeback_config(), 0);
	ck_assert(cl_cache_is_writeback(fx.cache));
	fixture_close(&fx);
}
END_TEST

START_TEST(the_overhead_of_a_page_is_small)
{
	ck_assert_uint_gt(cl_cache_overhead_per_page(), 0);
	ck_assert_uint_le(cl_cache_overhead_per_page(), CL_PAGE_SIZE / 32);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("cache", &tc);

	tcase_add_test(tc, a_cache_too_small_is_refused);
	tcase_add_test(tc, requests_may_reach_half_of_the_arena);
	tcase_add_test(tc, requests_of_no_size_or_number_are_refused);
	tcase_add_test(tc, the_largest_request_offered_is_taken_and_its_double_is_not);
	tcase_add_test(tc, freeing_nothing_is_fine);
	tcase_add_test(tc, a_freed_mapping_gives_its_pages_back);
	tcase_add_test(tc, a_cache_knows_its_kind);
	tcase_add_test(tc, the_overhead_of_a_page_is_small);
	return suite_run(suite);
}
