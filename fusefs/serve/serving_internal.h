/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SERVING_INTERNAL_H
#define FUSEFS_SERVING_INTERNAL_H

/*
 * What the files of serving share: serving.c has the threads, duty.c says which of them
 * look for requests, admission.c what may begin, next_request.c does the looking,
 * poll_window.h says for how long and client_place.h where; in_hand.c knows which
 * requests nobody else can see yet.
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
struct waiting_reads;

/** In server.state, which is odd while the thread serves a request: it has been
 *  relieved from duty meanwhile. */
#define SERVER_RELIEVED (UINT64_C(1) << 63)

/** For so long under way, a request is held up: by the store, that is. */
#define HELD_UP_NS UINT64_C(100000000)

/** What of a request says whether it may begin. */
struct terms {
	uint32_t account; /* whose share: a uid */
	uint32_t pages;	  /* that it may pin; 0: it is no READ or WRITE */
	uint64_t nodeid;
	uint64_t device; /* 0: not known */
	bool changes;	 /* the store, or waits for it to be changed */
};

/** One thread. */
struct server {
	struct serving *serving;
	/* Counts: odd while it serves. SERVER_RELIEVED is set with the lock held. */
	_Atomic uint64_t state;
	/* See in_hand.c. */
	_Atomic uint64_t in_hand;
	_Atomic uint64_t background_taken;
	pthread_cond_t called;
	/* Of its request, atomic since others look at them, who need not be right about
	 * one that has just begun. */
	struct {
		_Atomic uint32_t account, pages;
		_Atomic uint64_t nodeid, device;
		_Atomic bool changes;
	} terms;

	/* Guarded by the lock. */
	pthread_t thread;
	struct cds_list_head node;	/* of all */
	struct cds_list_head idle_node; /* of the reserve, while in it */
	bool on_duty;
	bool held_up;
	bool is_main;	       /* who has called serving_run(), and stays */
	uint64_t state_seen;   /* by the deputy's last tick */
	uint64_t seen_ns;      /* when it saw that for the first time */
	struct queued *queued; /* its own: what it has taken from the queue */

	/* Its own. */
	struct fuse_buf buf;	  /* the request, in memory */
	struct fuse_buf piped;	  /* or in the pipe */
	struct fuse_buf *request; /* which of the two; NULL before the first */
	struct request_pipe pipe;
	struct poll_window window;
	struct client_place client;
	uint64_t taken; /* the request: serving_request_taken() */
	struct {
		uint64_t nodeid, offset, len;
	} writeback;	     /* what it brings, if in_hand says that it may be one */
	uint32_t client_pid; /* of the last request in memory; 0: nobody's */
	bool expects_none;   /* the queue was empty when this was last looked at */
	bool expects_long;   /* see serving_expect_long() */
	bool has_no_pipe;    /* it could not be had */
	bool has_buffer;     /* libfuse has found memory for buf */
};

struct serving {
	/* Set once. */
	struct serving_config config;
	int stop_fd; /* an eventfd: wakes the one who sleeps */
	struct runnable *runnable;
	struct waiting_reads *reads; /* in the queue; used with the lock held */

	/* Atomic. */
	_Atomic bool ended;
	_Atomic unsigned on_duty;   /* how many; changed under the lock */
	_Atomic bool found_none;    /* somebody found the queue empty since the last
				       tick */
	_Atomic bool asleep;	    /* the one on duty has gone to sleep */
	_Atomic bool deputy_asleep; /* no ticks */
	_Atomic unsigned buffers;   /* servers that have one */
	_Atomic uint64_t looks;	    /* numbers for server.in_hand */
	_Atomic bool crowded;	    /* somebody is held up or queued; changed under the
				       lock */

	pthread_mutex_t lock;
	/* Guarded by it. */
	struct cds_list_head servers, reserve; /* the reserve: last in, first out */
	struct server *deputy;
	unsigned quiet_ticks;
	bool unsettled; /* somebody serves, and may turn out to be held up */
	unsigned threads;
	unsigned held_up;	     /* servers */
	struct cds_list_head queue;  /* requests that wait as data, by arrival */
	size_t queued, queued_bytes; /* how many, and how large */
	uint64_t looked_ns;	     /* when the deputy last looked there */
	struct serving_hurry *hurries;
	uint64_t left_background_taken; /* by servers that have left */
	bool have_left;			/* a server, whose thread is to be joined: */
	pthread_t left;
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

enum duty {
	DUTY_LOOK,  /* on duty: look for requests */
	DUTY_QUEUE, /* off duty: something in the queue may begin */
	DUTY_LEAVE, /* there are more threads than are needed */
	DUTY_ENDED,
};

/** In the reserve until there is something to do. Required: lock, which is given up
 *  meanwhile. */
enum duty duty_wait(struct server *me);

/** The caller, off duty, begins to serve a request that was queued. Required: lock.
 *  @return for duty_finish() */
uint64_t duty_begin_off(struct server *me);

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

/** The one that it took has been served: known now, if it was not before. */
void in_hand_served(struct server *me);

/** Its hand is empty: there was no request, or the one that it took is known. */
void in_hand_empty(struct server *me);

/** So much of a request tells what kind it is, bytes. */
#define IN_HAND_HEAD (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in))

/* ----------------------------------------------------------------- admission.c */

/** A request has been received: note what it is.
 *  @param request  its first bytes
 *  @param len      how many: IN_HAND_HEAD, unless the request is shorter; 0: unknown */
void admission_note(struct server *me, const void *request, size_t len);

/**
 * The caller has a request, in memory, and somebody is held up: may it begin?
 * Locks taken: lock.
 * @return true: it has begun, duty_finish() is owed; false: it was queued or answered
 */
bool admission_begin(struct server *me, uint64_t *ret_state);

/** Whether something in the queue may begin; not looked at all the time. Required:
 * lock.
 *  @param now  by serving_now_ns() */
bool admission_has_ready(struct serving *serving, uint64_t now);

/**
 * Take the first in the queue that may begin, into me->request. The caller is off duty.
 * Locks taken: lock.
 * @return whether there was one: it has begun, and duty_finish() and admission_done()
 * are owed
 */
bool admission_next(struct server *me, uint64_t *ret_state);
/** Free what admission_next() has taken. */
void admission_done(struct server *me);

/** Say in `crowded` whether anybody is held up or queued. Required: lock. */
void admission_update(struct serving *serving);

/** Free what is queued. */
void admission_fini(struct serving *serving);

/* -------------------------------------------------------------- next_request.c */

/** The next request, into me->request. Required: the caller is on duty.
 *  @return its bytes; 0 if all has ended; -EAGAIN, -ENOMEM: the caller is off duty */
int next_request(struct server *me);

#endif
