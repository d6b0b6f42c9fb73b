/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_THREADS_H
#define TESTS_SUPPORT_THREADS_H

/*
 * Threads of a test: start some, know that they wait, collect them.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TEAM_MAX 32

struct team;

struct member {
	struct team *team;
	unsigned number; /* from 0 */
	void *arg;	 /* as given to team_start() */
	_Atomic pid_t tid;
	_Atomic bool done;
	pthread_t thread;
};

struct team {
	struct member members[TEAM_MAX];
	unsigned size;
	void (*run)(struct member *member);
	pthread_barrier_t start;
};

/** Start `size` threads that run `run`, all at the same moment. */
void team_start(struct team *team, unsigned size, void (*run)(struct member *),
		void *arg);

/** Wait until every member has returned. */
void team_join(struct team *team);

/**
 * Wait until each member either has returned or sleeps in the kernel, and stays so. It
 * only makes a race likely where a test wants one: no test depends on it for its
 * verdict on correct code.
 */
void team_await_asleep(struct team *team);

/** A random number generator for one thread (xorshift64*); the seed must not be 0. */
static inline unsigned long random_next(unsigned long *state)
{
	unsigned long x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return (x * 0x2545f4914f6cdd1du) >> 16;
}

#endif
