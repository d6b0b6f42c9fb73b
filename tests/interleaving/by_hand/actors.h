/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTERLEAVING_BY_HAND_ACTORS_H
#define TESTS_INTERLEAVING_BY_HAND_ACTORS_H

/*
 * Actors: threads of which one moves at a time, and only as far as the test says.
 *
 * They stand behind the points of cachelayer/test_point.h. An actor that goes to sleep
 * inside the library stays asleep until the test tells it to go on, even if it has been
 * woken long ago; time passes only when the test says so.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum actor_state {
	ACTOR_IDLE,   /* its call has returned */
	ACTOR_HALTED, /* at the point that it was told to stop at */
	ACTOR_ASLEEP, /* inside the library, woken or not */
	ACTOR_MOVES,
	ACTOR_GONE,
};

struct actor {
	pthread_t thread;
	int (*call)(void *arg);
	void *arg;
	int result; /* of the last call */

	enum actor_state state;
	const char *halt_at; /* a point's name; for one time */
	bool (*ready)(const void *arg);
	const void *ready_arg;
	uint64_t deadline_ns;
};

/** Put the scheduler behind the points; time is 0. */
void actors_begin(void);
void actors_end(void);
/** Let the time be this. */
void actors_clock(uint64_t now_ns);

void actor_start(struct actor *actor);
/** It must be idle. */
void actor_end(struct actor *actor);

/** Have it call something. @return where it has come to */
enum actor_state actor_call(struct actor *actor, int (*call)(void *arg), void *arg);
/** The same, stopping at a point; fails the test if it does not come by. */
void actor_call_until(struct actor *actor, int (*call)(void *arg), void *arg,
		      const char *point);
/** Let it go on from a point, or from its sleep. In the second case somebody must have
 *  woken it, or its time be up: fails the test if not. @return where it has come to */
enum actor_state actor_go_on(struct actor *actor);
void actor_go_on_until(struct actor *actor, const char *point);
/** Whether it sleeps and nobody has woken it, and its time is not up. */
bool actor_sleeps(struct actor *actor);

#endif
