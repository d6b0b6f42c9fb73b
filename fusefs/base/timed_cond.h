/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_TIMED_COND_H
#define FUSEFS_TIMED_COND_H

/* Conditions that are waited for a bounded time, which no change of the clock moves. */

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/** A condition whose deadlines are of CLOCK_MONOTONIC; pthread_cond_destroy() is owed. */
static inline void timed_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/** @param ns  from now on, nanoseconds
 *  @return for pthread_cond_timedwait() */
static inline struct timespec deadline_after(uint64_t ns)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	ns += (uint64_t)deadline.tv_nsec;
	deadline.tv_sec += (time_t)(ns / 1000000000);
	deadline.tv_nsec = (long)(ns % 1000000000);
	return deadline;
}

#endif
