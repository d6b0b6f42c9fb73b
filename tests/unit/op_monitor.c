/* SPDX-License-Identifier: MIT */
/*
 * The monitor of range operations and its clock. It looks at it once for a round, and
 * has no lock while it tells the owner of something: meanwhile others begin.
 */

#include <sched.h>
#include <stdlib.h>

#include "cachelayer/range_op.h"
#include "fake_upper.h"
#include "fixture.h"

#define FILE_PAGES 100u

static struct cl_cache *cache;
static struct fake_store *store;
static struct cl_mapping *mapping;
static struct fake_upper *upper;
static struct team ops[2];
static int statuses[2];

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
/* Guarded by mutex. */
static struct cl_event events[MAX_EVENTS];
static unsigned nevents;

static int change_nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void run_punch(struct member *member)
{
	const struct cl_range_op op = {CL_PUNCH, 0, PAGES(FILE_PAGES), 0};

	*(int *)member->arg = cl_range_op_run(mapping, &op, &fake_upper_ops, upper,
					      INT64_MAX, change_nothing, NULL, NULL);
}

static void note_event(void *arg, const struct cl_event *event)
{
	(void)arg;
	pthread_mutex_lock(&mutex);
	if (nevents < MAX_EVENTS)
		events[nevents++] = *event;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
}

/* The owner takes his time: when he comes back, a second operation has begun. */
static void begin_another(void *arg, const struct cl_event *event)
{
	struct cl_running_op running[2];

	pthread_mutex_lock(&mutex);
	const bool first = nevents == 0;

	pthread_mutex_unlock(&mutex);
	if (first)
		team_start(&ops[1], 1, run_punch, &statuses[1]);
	while (first && cl_cache_running_ops(cache, running, 2) < 2)
		sched_yield();
	note_event(arg, event);
}

static void setup(void)
{
	struct cl_cache_config config = fixture_config();

	config.slow_ms = 1;
	config.on_event = begin_another;
	ck_assert_int_eq(cl_cache_create(&config, &cache), 0);
	store = fake_store_new(PAGES(FILE_PAGES));
	ck_assert_int_eq(cl_mapping_create(cache, &fake_store_ops, store,
					   PAGES(FILE_PAGES), &mapping),
			 0);
	upper = malloc(sizeof(*upper));
	ck_assert_ptr_nonnull(upper);
	fake_upper_init(upper, mapping, PAGES(FILE_PAGES));
	nevents = 0;
}

static void teardown(void)
{
	fake_upper_fini(upper);
	free(upper);
	cl_mapping_free(mapping);
	cl_cache_free(cache);
	fake_store_free(store);
}

static void await_events(unsigned count)
{
	pthread_mutex_lock(&mutex);
	while (nevents < count)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

/* The second one's start is later than the look at the clock: nothing, not 584 years.
 */
START_TEST(an_operation_that_began_after_the_look_at_the_clock_is_not_old)
{
	fake_upper_load(upper, 50);
	fake_upper_hold_invalidations(upper, 1);
	team_start(&ops[0], 1, run_punch, &statuses[0]);
	await_events(3); /* the first's notification, both operations */
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_lt(events[i].age_ns, (uint64_t)NEVER_MS * 1000000);
	fake_upper_hold_invalidations(upper, 0);
	for (unsigned i = 0; i < 2; i++) {
		team_join(&ops[i]);
		ck_assert_int_eq(statuses[i], 0);
	}
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("op_monitor", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc,
		       an_operation_that_began_after_the_look_at_the_clock_is_not_old);
	return suite_run(suite);
}
