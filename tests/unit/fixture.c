/* SPDX-License-Identifier: MIT */
/*
 * What nearly every unit test stands on.
 */

#include "fixture.h"

#include <stdlib.h>
#include <string.h>

static void record_event(void *arg, const struct cl_event *event)
{
	struct fixture *fx = arg;

	pthread_mutex_lock(&fx->mutex);
	if (fx->nevents < MAX_EVENTS)
		fx->events[fx->nevents] = *event;
	fx->nevents++;
	pthread_cond_broadcast(&fx->changed);
	pthread_mutex_unlock(&fx->mutex);
}

struct cl_cache_config fixture_config(void)
{
	return (struct cl_cache_config){
		.size_bytes = PAGES(FIXTURE_PAGES),
		.max_request_bytes = FIXTURE_MAX_REQUEST,
		.max_requests = 7,
		.writeback_age_ms = NEVER_MS,
		.page_lock_unfairness = CL_PAGE_LOCK_UNFAIRNESS,
	};
}

struct cl_cache_config fixture_writeback_config(void)
{
	struct cl_cache_config config = fixture_config();

	config.writeback = true;
	return config;
}

void fixture_open(struct fixture *fx, struct cl_cache_config config, uint64_t size)
{
	memset(fx, 0, sizeof(*fx));
	pthread_mutex_init(&fx->mutex, NULL);
	pthread_cond_init(&fx->changed, NULL);
	config.on_event = record_event;
	config.on_event_arg = fx;
	ck_assert_int_eq(cl_cache_create(&config, &fx->cache), 0);
	fx->store = fake_store_new(size);
	fake_store_fill(fx->store, (struct cl_range){0, size}, FIXTURE_SEED);
	ck_assert_int_eq(cl_mapping_create(fx->cache, &fake_store_ops, fx->store, size,
					   &fx->mapping),
			 0);
	ck_assert_int_eq(cl_read_init(fx->cache, &fx->read), 0);
}

void fixture_close(struct fixture *fx)
{
	cl_read_fini(&fx->read);
	cl_mapping_free(fx->mapping);
	cl_cache_free(fx->cache);
	fake_store_free(fx->store);
	pthread_cond_destroy(&fx->changed);
	pthread_mutex_destroy(&fx->mutex);
}

struct cl_cache_stats fixture_stats(const struct fixture *fx)
{
	struct cl_cache_stats stats;

	cl_cache_get_stats(fx->cache, &stats);
	return stats;
}

/* The number of events of a kind; with ret_first, the first of them. Mutex held. */
static size_t find_events(const struct fixture *fx, enum cl_event_kind kind,
			  struct cl_event *ret_first)
{
	size_t found = 0;

	for (size_t i = 0; i < fx->nevents && i < MAX_EVENTS; i++) {
		if (fx->events[i].kind != kind)
			continue;
		if (found++ == 0 && ret_first)
			*ret_first = fx->events[i];
	}
	return found;
}

size_t fixture_events(struct fixture *fx, enum cl_event_kind kind)
{
	pthread_mutex_lock(&fx->mutex);

	const size_t found = find_events(fx, kind, NULL);

	pthread_mutex_unlock(&fx->mutex);
	return found;
}

struct cl_event fixture_event(struct fixture *fx, enum cl_event_kind kind)
{
	struct cl_event first;

	pthread_mutex_lock(&fx->mutex);

	const size_t found = find_events(fx, kind, &first);

	pthread_mutex_unlock(&fx->mutex);
	ck_assert_msg(found > 0, "no event of kind %d", (int)kind);
	return first;
}

void fixture_await_event(struct fixture *fx, enum cl_event_kind kind)
{
	pthread_mutex_lock(&fx->mutex);
	while (find_events(fx, kind, NULL) == 0)
		pthread_cond_wait(&fx->changed, &fx->mutex);
	pthread_mutex_unlock(&fx->mutex);
}

void fixture_read(struct fixture *fx, void *buf, size_t len, uint64_t offset)
{
	char *at = buf;

	while (len > 0) {
		const size_t piece =
			len < FIXTURE_MAX_REQUEST ? len : FIXTURE_MAX_REQUEST;

		ASSERT(gated_read(fx->mapping, &fx->read, at, piece, offset) ==
		       (ssize_t)piece);
		at += piece;
		offset += piece;
		len -= piece;
	}
}

void fixture_write(struct fixture *fx, const void *buf, size_t len, uint64_t offset)
{
	const char *at = buf;

	while (len > 0) {
		const size_t piece =
			len < FIXTURE_MAX_REQUEST ? len : FIXTURE_MAX_REQUEST;

		ASSERT(gated_write(fx->mapping, at, piece, offset) == (ssize_t)piece);
		at += piece;
		offset += piece;
		len -= piece;
	}
}

static char *allocate(struct cl_range range)
{
	char *buf = malloc(range.end - range.start + 1);

	ASSERT(buf);
	return buf;
}

void fixture_write_pattern(struct fixture *fx, struct cl_range range, unsigned seed)
{
	const size_t len = range.end - range.start;
	char *buf = allocate(range);

	fake_store_pattern(buf, len, range.start, seed);
	fixture_write(fx, buf, len, range.start);
	free(buf);
}

void fixture_touch(struct fixture *fx, struct cl_range range)
{
	char *buf = allocate(range);

	fixture_read(fx, buf, range.end - range.start, range.start);
	free(buf);
}

/* Like ck_assert_mem_eq(), but says where, and not what kilobytes of it are. */
static void assert_same(const char *what, const char *got, const char *want,
			struct cl_range range)
{
	const size_t len = range.end - range.start;
	size_t i = 0;

	if (memcmp(got, want, len) == 0)
		return;
	while (got[i] == want[i])
		i++;
	ck_abort_msg("%s: byte %llu is %#x, not %#x", what,
		     (unsigned long long)(range.start + i), (uint8_t)got[i],
		     (uint8_t)want[i]);
}

void assert_reads_pattern(struct fixture *fx, struct cl_range range, unsigned seed)
{
	const size_t len = range.end - range.start;
	char *got = allocate(range);
	char *want = allocate(range);

	fixture_read(fx, got, len, range.start);
	fake_store_pattern(want, len, range.start, seed);
	assert_same("cache", got, want, range);
	free(want);
	free(got);
}

void assert_reads_zeros(struct fixture *fx, struct cl_range range)
{
	const size_t len = range.end - range.start;
	char *got = allocate(range);
	char *want = allocate(range);

	fixture_read(fx, got, len, range.start);
	memset(want, 0, len);
	assert_same("cache", got, want, range);
	free(want);
	free(got);
}

void assert_store_pattern(struct fixture *fx, struct cl_range range, unsigned seed)
{
	const size_t len = range.end - range.start;
	char *got = allocate(range);
	char *want = allocate(range);

	fake_store_peek(fx->store, got, len, range.start);
	fake_store_pattern(want, len, range.start, seed);
	assert_same("store", got, want, range);
	free(want);
	free(got);
}

void assert_cache_is_store(struct fixture *fx)
{
	const struct cl_range range = {0, cl_mapping_size(fx->mapping)};
	char *got = allocate(range);
	char *want = allocate(range);

	ck_assert_uint_eq(range.end, fake_store_size(fx->store));
	fixture_read(fx, got, range.end, 0);
	fake_store_peek(fx->store, want, range.end, 0);
	assert_same("cache against store", got, want, range);
	free(want);
	free(got);
}

void fixture_truncate(struct fixture *fx, uint64_t size)
{
	const uint64_t old = cl_mapping_size(fx->mapping);
	struct cl_gate_entry entry;

	gated_enter(fx->mapping, &entry, CL_GATE_EXCLUSIVE,
		    (struct cl_range){old < size ? old : size, CL_RANGE_EOF});
	fake_store_resize(fx->store, size);
	cl_mapping_set_size(fx->mapping, size);
	cl_gate_leave(fx->mapping, &entry);
}

Suite *suite_with(const char *name, TCase **ret_tcase)
{
	Suite *suite = suite_create(name);

	*ret_tcase = tcase_create(name);
	tcase_set_timeout(*ret_tcase, 600);
	suite_add_tcase(suite, *ret_tcase);
	return suite;
}

int suite_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
