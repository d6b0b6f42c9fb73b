/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SERVING_INTERNAL_H
#define FUSEFS_SERVING_INTERNAL_H

/*
 * What the files of serving share: serving.c has the threads, duty.c says which of them
 * look for requests, next_request.c does the looking, poll_window.h says for how long
 * and client_place.h where; in_hand.c knows which requests nobody else can see yet.
 */

#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <urcu/list.h>

#include "client_place.h"
#include "poll_window.h"
#include "request_pipe.h"
#include "serving.h"

struct runnable;

/** In server.state, which is odd while the thread serves a request: it has been
 *  relieved from duty meanwhile. */
#define SERVER_RELIEVED (UINT64_C(1) << 63)

/** One thread. */
struct server {
	struct serving *serving;
	/* Counts: odd while it serves. SERVER_RELIEVED is set with the lock held. */
	_Atomic uint64_t state;
	/* See in_hand.c. */
	_Atomic uint64_t in_hand;
	_Atomic uint64_t background_taken;
	pthread_cond_t called;

	/* Guarded by the lock. */
	pthread_t thread;
	struct cds_list_head node;	/* of all */
	struct cds_list_head idle_node; /* of the reserve, while in it */
	bool on_duty;
	uint64_t state_seen; /* by the deputy's last tick */

	/* Its own. */
	struct fuse_buf buf;	  /* the request, in memory */
	struct fuse_buf piped;	  /* or in the pipe */
	struct fuse_buf *request; /* which of the two; NULL before the first */
	struct request_pipe pipe;
	struct poll_window window;
	struct client_place client;
	uint32_t client_pid; /* of the last request in memory; 0: nobody's */
	bool expects_none;   /* the queue was empty when this was last looked at */
	bool expects_long;   /* see serving_expect_long() */
	bool has_no_pipe;    /* it could not be had */
	bool has_buffer;     /* libfuse has found memory for buf */
};

struct serving {
	/* Set once. */
	struct fuse_session *session;
	unsigned threads_max, poll_ns_max;
	size_t pipe_bytes;
	int stop_fd; /* an eventfd: wakes the one who sleeps */
	struct runnable *runnable;

	/* Atomic. */
	_Atomic bool ended;
	_Atomic unsigned on_duty;   /* how many; changed under the lock */
	_Atomic bool found_none;    /* somebody found the queue empty since the last
				       tick */
	_Atomic bool asleep;	    /* the one on duty has gone to sleep */
	_Atomic bool deputy_asleep; /* no ticks */
	_Atomic unsigned buffers;   /* servers that have one */
	_Atomic uint64_t looks;	    /* numbers for server.in_hand */

	pthread_mutex_t lock;
	/* Guarded by it. */
	struct cds_list_head servers, reserve; /* the reserve: last in, first out */
	struct server *deputy;
	unsigned quiet_ticks;
	unsigned threads;
	int status; /* why it has ended: 0 or a negative errno */
};

static inline uint64_t serving_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline bool serving_has_ended(const struct serving *serving)
{
	return atomic_load_explicit(&serving->ended, memory_order_acquire);
}

/* ------------------------------------------------------------------- serving.c */

/** A thread more. Required: lock. @return 0 or a negative errno */
int serving_add_server(struct serving *serving);

/** All has ended: everybody who waits or sleeps comes back. Any number of times.
 *  @param status  0, or the negative errno that serving_run() is to return; the first
 *                 one counts
 *  Locks taken: lock. */
void serving_end(struct serving *serving, int status);

/* ---------------------------------------------------------------------- duty.c */

/** In the reserve until there is duty. Required: lock, which is given up meanwhile.
 *  @return false when all has ended, otherwise the caller is on duty */
bool duty_wait(struct server *me);

/** The caller begins to serve a request: from now on it can be relieved.
 *  @return for duty_finish() */
uint64_t duty_begin(struct server *me);

/** The caller has served it. Locks taken: lock, if it was relieved.
 *  @return whether it is on duty: it was not relieved, or nobody else is */
bool duty_finish(struct server *me, uint64_t state);

/** The queue is empty. @return whether the caller has gone off duty, as others are on
 * it. Locks taken: lock. */
bool duty_leave_to_others(struct server *me);

/** The caller cannot take a request, for want of memory; somebody who has a buffer can.
 *  Sleeps for a moment, so that they are first. Locks taken: lock.
 *  @return whether the caller has gone off duty: there is somebody */
bool duty_pass_on(struct server *me);

/** The caller has slept, which it said in `asleep`: ticks go on. Locks taken: lock. */
void duty_slept(struct serving *serving);

/** The calling thread, if it is one of serving's: set while it runs. */
void duty_set_current(struct server *me);
/** It, or NULL. */
struct server *duty_current(void);

/* ------------------------------------------------------------------- in_hand.c */

/** The caller is about to look for a request: what it takes is in its hand. */
void in_hand_look(struct server *me);

/**
 * It has taken one. If it is no writeback, it is known by that.
 * @param request  its first bytes
 * @param len      how many: IN_HAND_HEAD, unless the request is shorter
 */
void in_hand_took(struct server *me, const void *request, size_t len);

/** Its hand is empty: there was no request, or the one that it took is known. */
void in_hand_empty(struct server *me);

/** So much of a request tells what kind it is, bytes. */
#define IN_HAND_HEAD (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

/* -------------------------------------------------------------- next_request.c */

/** The next request, into me->request. Required: the caller is on duty.
 *  @return its bytes; 0 if all has ended; -EAGAIN, -ENOMEM: the caller is off duty */
int next_request(struct server *me);

#endif
