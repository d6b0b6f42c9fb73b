/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SERVING_H
#define FUSEFS_SERVING_H

/*
 * The threads that take requests from the kernel and have libfuse handle them.
 *
 * Most of what a small request costs is waking somebody up. So requests that come close
 * together are served by one thread, which looks for the next one for a moment before
 * it goes to sleep; others wait in reserve and step in when it is held up.
 */

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 14)
#include <fuse_lowlevel.h>
#include <stdint.h>

struct serving;

/**
 * @param session      not mounted yet, or mounted; must stay until serving_free()
 * @param threads_max  how many requests may be under way in these threads, at least 1
 * @param poll_ns_max  for how long to look for the next request before sleeping;
 *                     nanoseconds, 0: sleep at once
 * @param pipe_bytes   most data in a request, bytes, for serving_expect_long(); 0: none
 *                     is ever taken into a pipe
 * @return 0 or a negative errno
 */
int serving_create(struct fuse_session *session, unsigned threads_max,
		   unsigned poll_ns_max, size_t pipe_bytes,
		   struct serving **ret_serving);
/** NULL is fine. serving_run() has returned or was never called. */
void serving_free(struct serving *serving);

/** Serve, on this thread and others, until the session has ended (it was unmounted or
 *  aborted) or serving_stop(). The session is mounted. Returns when every request that
 *  was begun has been left by its thread. Once only.
 *  @return 0 or a negative errno: no memory, or what reading requests failed with */
int serving_run(struct serving *serving);

/** Make serving_run() return, now or as soon as it begins. From any thread, any number
 * of times, also after it has returned; does not wait. */
void serving_stop(struct serving *serving);

/**
 * The calling thread is about to wait for something slow, the store's disk for
 * instance: another one is to look for requests meanwhile. Nothing if it is not a
 * serving thread, or has said so for this request. It is a matter of speed alone: a
 * thread that is held up unannounced is replaced after a moment, too.
 */
void serving_will_wait(void);

/**
 * The writeback that the calling thread serves has entered the gate, granted or parked:
 * whoever looks there sees it from now on. Whatever else a thread serves is known from
 * the beginning, and what was not said here is known when it has been served. Nothing
 * if the caller is not a serving thread.
 */
void serving_request_known(void);

/**
 * Wait until every request that any thread has taken from the kernel by now is known;
 * see serving_request_known(). For the fence (fence.c).
 * @param until_ns  when to give up, CLOCK_MONOTONIC
 * @return 0 or -ETIMEDOUT
 * Required: the caller is no serving thread (R1). Locks taken: serving's.
 */
int serving_await_known(struct serving *serving, uint64_t until_ns);

/**
 * Requests that the kernel counts as background (readahead, writeback, release) and that
 * threads have taken so far: at least; some are counted that are none. A request is in it
 * when it is known. Locks taken: serving's.
 */
uint64_t serving_background_taken(struct serving *serving);

/** How many threads there are: each has one request at most. Locks taken: serving's. */
unsigned serving_threads(struct serving *serving);

/**
 * The request that the calling thread serves was one that is best taken into a pipe,
 * and the next is likely to be like it: so it is, if there can be a pipe
 * (request_pipe.h). Nothing if it is not a serving thread.
 */
void serving_expect_long(void);

#endif
