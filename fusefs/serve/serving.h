/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SERVING_H
#define FUSEFS_SERVING_H

/*
 * The threads that take requests from the kernel and have libfuse handle them.
 *
 * Most of what a small request costs is waking somebody up. So requests that come close
 * together are served by one thread, which looks for the next one for a moment before
 * it goes to sleep; others wait in reserve and step in when it is held up.
 *
 * The store may hold a request up for as long as it likes. Then there are more threads,
 * and each user, each file system below, and all together have a bound, beyond which
 * requests wait as data (admission.c).
 */

#include <stdbool.h>
#include <stdint.h>

#include "libfuse_compat.h"

struct serving;

/** Whom and what a request is about, as far as its header does not say. */
struct serving_subject {
	uint32_t owner;	 /* of the file: who pays for what nobody has called for */
	uint64_t device; /* of the file system below; 0: not known */
};

struct serving_config {
	struct fuse_session *session; /* not mounted yet, or mounted; must stay until
					 serving_free() */
	unsigned threads_max;	/* how many requests may be under way in these threads,
				   those not counted that are held up; at least 1 */
	unsigned threads_bound; /* and with them; at least threads_max */
	unsigned share;		/* of those, most of one user; half of it for changes */
	unsigned device_share;	/* most of one file system below; half for changes */
	unsigned pages_max;   /* most pages in all READs and WRITEs under way once some
				 are held up; a user's share is a quarter */
	unsigned poll_ns_max; /* for how long to look for the next request before
				 sleeping; nanoseconds, 0: sleep at once */
	size_t pipe_bytes; /* most data in a request, bytes, for serving_expect_long();
			      0: none is ever taken into a pipe */
	unsigned
		readahead_share; /* most of one user's READs that wait as data, as far as
				     they are known to be readahead (waiting_reads.h) */
	/* NULL: nothing is known. It may say nothing, of an inode that is not known any
	 * more. */
	void (*subject)(void *arg, uint64_t nodeid, struct serving_subject *ret);
	/* NULL, or told of a writeback that libfuse has answered itself, with an error:
	 * it had no memory, or did not like the request. On the thread that took it. */
	void (*unserved)(void *arg, uint64_t nodeid, uint64_t offset, uint64_t len);
	/* NULL, or told how many requests wait as data. With serving's lock held. */
	void (*queued)(void *arg, size_t count);
	void *arg;
};

/** @return 0 or a negative errno */
int serving_create(const struct serving_config *config, struct serving **ret_serving);
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

/** Whether requests are held up at the moment: a caller that can leave what may wait
 * for the store to somebody else should. */
bool serving_is_crowded(const struct serving *serving);

/** A nodeid whose requests do not wait as data: a notification is on its way that may
 *  need their answers (R3). Memory is the caller's, in place until serving_calm(). */
struct serving_hurry {
	uint64_t nodeid;
	struct serving_hurry *next;
};
void serving_hurry(struct serving *serving, struct serving_hurry *hurry,
		   uint64_t nodeid);
void serving_calm(struct serving *serving, struct serving_hurry *hurry);

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

/**
 * When the request that the calling thread serves was taken from the kernel: a number that
 * was drawn before. 0 if the caller is no serving thread.
 */
uint64_t serving_request_taken(void);
/** The last number that was drawn: what is taken from now on, by anybody, has a higher
 * one. */
uint64_t serving_taken_by_now(const struct serving *serving);

/** How many requests may be unanswered in these threads' hands and in their queue: a
 *  thread has one at most. Locks taken: serving's. */
size_t serving_requests_max(struct serving *serving);

/**
 * The request that the calling thread serves was one that is best taken into a pipe,
 * and the next is likely to be like it: so it is, if there can be a pipe
 * (request_pipe.h). Nothing if it is not a serving thread.
 */
void serving_expect_long(void);

#endif
