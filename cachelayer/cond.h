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

void cl_cond_init(struct cl_cond *cond);
void cl_cond_destroy(struct cl_cond *cond);
/** The mutex that the waiters use is held. */
void cl_cond_broadcast(struct cl_cond *cond);
/** Both return early now and then; the caller looks again. */
void cl_cond_wait(struct cl_cond *cond, struct cl_mutex *mutex);
void cl_cond_wait_until(struct cl_cond *cond, struct cl_mutex *mutex,
			uint64_t deadline_ns);

#endif
