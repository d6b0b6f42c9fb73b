/* SPDX-License-Identifier: MIT */
/* Condition variables on the monotonic clock. */

#include "cond.h"

#include <time.h>

#include "test_point.h"

#define NS_PER_S 1000000000u

uint64_t cl_now_ns(void)
{
	struct timespec now;

#ifdef FOLDFS_TEST_POINTS
	if (cl_test_scheduler())
		return cl_test_scheduler()->now_ns();
#endif
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void cl_cond_init(struct cl_cond *cond)
{
	pthread_condattr_t attr;

	*cond = (struct cl_cond){0};
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&cond->cond, &attr);
	pthread_condattr_destroy(&attr);
}

void cl_cond_destroy(struct cl_cond *cond)
{
	pthread_cond_destroy(&cond->cond);
}

void cl_cond_broadcast(struct cl_cond *cond)
{
#ifdef FOLDFS_TEST_POINTS
	cond->broadcasts++;
#endif
	pthread_cond_broadcast(&cond->cond);
}

#ifdef FOLDFS_TEST_POINTS

struct scheduled_wait {
	const struct cl_cond *cond;
	unsigned seen;
};

static bool has_changed(const void *arg)
{
	const struct scheduled_wait *wait = arg;

	return wait->cond->broadcasts != wait->seen;
}

/** @return whether there is a scheduler, which has waited */
static bool wait_scheduled(struct cl_cond *cond, struct cl_mutex *mutex,
			   uint64_t deadline_ns)
{
	const struct scheduled_wait wait = {cond, cond->broadcasts};

	if (!cl_test_scheduler())
		return false;
	pthread_mutex_unlock(&mutex->mutex);
	cl_test_scheduler()->wait("cond", has_changed, &wait, deadline_ns);
	pthread_mutex_lock(&mutex->mutex);
	return true;
}

#else
#define wait_scheduled(cond, mutex, deadline_ns) false
#endif

void cl_cond_wait(struct cl_cond *cond, struct cl_mutex *mutex)
{
	if (!wait_scheduled(cond, mutex, UINT64_MAX))
		pthread_cond_wait(&cond->cond, &mutex->mutex);
}

void cl_cond_wait_until(struct cl_cond *cond, struct cl_mutex *mutex,
			uint64_t deadline_ns)
{
	const struct timespec deadline = {(time_t)(deadline_ns / NS_PER_S),
					  (long)(deadline_ns % NS_PER_S)};

	if (!wait_scheduled(cond, mutex, deadline_ns))
		pthread_cond_timedwait(&cond->cond, &mutex->mutex, &deadline);
}
