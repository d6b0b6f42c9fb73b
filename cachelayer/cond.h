/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_COND_H
#define CACHELAYER_COND_H

/*
 * Condition variables on the monotonic clock, and that clock. A scheduler of the tests
 * (test_point.h) does their waiting, and has the time.
 */

#include "lock_rank.h"

struct cl_cond {
	pthread_cond_t cond;
#ifdef FOLDFS_TEST_POINTS
	unsigned broadcasts; /* guarded by the mutex that it is used with */
#endif
};

/** CLOCK_MONOTONIC. */
uint64_t cl_now_ns(void);

/**
 * How long it was at `now_ns` since `since_ns`. Nothing if that was only later: another
 * thread may have noted the time after we looked at the clock.
 */
static inline uint64_t cl_elapsed_ns(uint64_t since_ns, uint64_t now_ns)
{
	return now_ns > since_ns ? now_ns - since_ns : 0;
}

void cl_cond_init(struct cl_cond *cond);
void cl_cond_destroy(struct cl_cond *cond);
/** The mutex that the waiters use is held. */
void cl_cond_broadcast(struct cl_cond *cond);
/** Both return early now and then; the caller looks again. */
void cl_cond_wait(struct cl_cond *cond, struct cl_mutex *mutex);
void cl_cond_wait_until(struct cl_cond *cond, struct cl_mutex *mutex,
			uint64_t deadline_ns);

#endif
