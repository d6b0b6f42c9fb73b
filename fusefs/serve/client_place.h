/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_CLIENT_PLACE_H
#define FUSEFS_CLIENT_PLACE_H

/*
 * Serving a program on the processor where it runs.
 *
 * A program that waits for each of its requests and the thread that serves it take
 * turns: never do both have something to do. On one processor that is two switches. On
 * two, each turn ends with an idle processor that has to be woken, which takes longer
 * than serving, in a virtual machine ten times as long. So a thread that has had to
 * wait for the same program's next request many times in a row, each time for a moment,
 * goes where that program runs. It is moved and not bound: the scheduler may take it
 * away again at any time, and if it does so each time, we ask less often.
 */

#include <stdbool.h>
#include <stdint.h>

/** Waits in a row, each over after so long at most, until the thread is moved. */
#define CLIENT_PLACE_WAITS	 8
#define CLIENT_PLACE_WAIT_NS_MAX 300000

/** Between two looks at where the program is: nanoseconds, doubled while they do not
 *  help. */
#define CLIENT_PLACE_PAUSE_NS_MIN 1000000
#define CLIENT_PLACE_PAUSE_NS_MAX 8000000

/** One for each serving thread; all zero to begin with. Not synchronised. */
struct client_place {
	uint32_t tid; /* of the client: its thread, as the request's header has it */
	unsigned waits;
	uint64_t waited_ns; /* when it last had to wait for a request */
	uint64_t pause_ns;
	uint64_t not_before_ns;
};

/**
 * The thread has found the queue empty after it had served a request.
 * @param tid     whose request that was; 0 if the kernel does not tell
 * @param now_ns  CLOCK_MONOTONIC
 * @return whether to client_place_follow() that thread now
 */
bool client_place_waits(struct client_place *place, uint32_t tid, uint64_t now_ns);

/** The next request was there at once. */
static inline void client_place_is_good(struct client_place *place)
{
	place->waits = 0;
}

/** Go to the processor on which that thread has last run, if the caller may run there.
 *  Some 20 µs. @return whether the caller was moved */
bool client_place_follow(uint32_t tid);

#endif
