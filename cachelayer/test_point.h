/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_TEST_POINT_H
#define CACHELAYER_TEST_POINT_H

/*
 * What tests can switch off, where they can make a range operation stand still, and
 * where a scheduler of theirs can let another thread run (after PostgreSQL's injection
 * points). All of it exists only in builds with -DFOLDFS_TEST_POINTS; elsewhere a rule
 * is never broken, and the compiler drops the rest.
 *
 * FOLDFS_BREAK=second_unmap,gate leaves these rules of the protocol out, to show that
 * the tests notice.
 *
 * FOLDFS_PAUSE=changed:FILE makes the first operation that comes to the step `changed`
 * create FILE there, and go on when somebody has removed it.
 *
 * A deterministic scheduler (tests/support/scheduler.h) runs one thread at a time. It
 * hears of each point that a thread passes, and does all the waiting, so it knows who
 * could run. A point stands where no mutex is held; page locks may be. So a mutex is
 * never contended under it.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CL_RULES(X)                                                                    \
	X(second_unmap) /* step 3: the chase */                                        \
	X(gate)		/* step 2, and so that nothing is resident at step 4 */        \
	X(index)	/* I3: a page found is trusted only if its index is right */   \
	X(adoption)	/* step 6: READs past a new end wait until it is known */      \
	X(rescue)	/* step 3: a READ that a notification waits for is answered */ \
	/* The fence, fence.c: all of it, and each of its rules. */                    \
	X(fence)	   /* none, as if the upper cache had no temporary copies */   \
	X(fence_note)	   /* F1: what has come is noted only after F2 */              \
	X(fence_marker)	   /* F2: nobody asks for what has been sent */                \
	X(fence_exclusive) /* F3: F4 looks before EXCLUSIVE is granted */              \
	X(fence_again)	   /* F4: it does not matter what has come */                  \
	/* Those of cl_upper_ops.fence(): the owner's part of F2. */                   \
	X(fence_taken)	/* a request that a thread has taken counts as known */        \
	X(fence_queue)	/* nobody asks whether WRITEs wait for others to end */        \
	X(fence_answer) /* a writeback leaves the gate, then it is answered */         \
	X(fence_drain)	/* a file has become shorter behind the owner's back */

/* In the order in which an operation passes them. */
#define CL_STEPS(X)                                                                    \
	X(begun)   /* nothing has happened yet */                                      \
	X(struck)  /* a range has left the resident set; its notification comes */     \
	X(closing) /* step 1 is over */                                                \
	X(closed)  /* READs of the range are parked */                                 \
	X(empty)   /* EXCLUSIVE, nothing resident, nothing changed */                  \
	X(changed) /* the store has changed, the page cache has not */                 \
	X(rekeyed) /* now both have */                                                 \
	X(opened)  /* READs are served again, save past a new end */                   \
	X(adopted) /* the upper cache knows the size */

#ifdef FOLDFS_TEST_POINTS

enum cl_rule {
#define CL_RULE_ENUM(name) CL_RULE_##name,
	CL_RULES(CL_RULE_ENUM)
#undef CL_RULE_ENUM
		CL_RULE_COUNT,
};

enum cl_step {
#define CL_STEP_ENUM(name) CL_STEP_##name,
	CL_STEPS(CL_STEP_ENUM)
#undef CL_STEP_ENUM
		CL_STEP_COUNT,
};

/** Whether the environment, as it was when this was first called, breaks a rule. A name
 *  there that is no rule's ends the process: a twin must not pass for a typing error.
 */
bool cl_test_broken(enum cl_rule rule);
/** Waits here if the environment says so; a point, too. No lock is held. */
void cl_test_step(enum cl_step step);

/** What a scheduler provides. `arg` and `ready` are used while the caller waits. */
struct cl_test_scheduler {
	/** The thread has come to a point. */
	void (*point)(const char *name);
	/**
	 * Return when ready(arg), or when the clock has come to deadline_ns.
	 * @param what  a constant string, for people
	 */
	void (*wait)(const char *what, bool (*ready)(const void *arg), const void *arg,
		     uint64_t deadline_ns);
	uint64_t (*now_ns)(void);
	/** As pthread_create() and pthread_join(). */
	int (*start)(pthread_t *thread, void *(*run)(void *arg), void *arg);
	void (*join)(pthread_t thread);
};

/** Put a scheduler behind the points, or NULL; while nobody is in the library. */
void cl_test_schedule(const struct cl_test_scheduler *scheduler);
/** The scheduler, or NULL. */
const struct cl_test_scheduler *cl_test_scheduler(void);
void cl_test_point(const char *name);
/** Wait under the scheduler; without one return at once. */
void cl_test_await(const char *what, bool (*ready)(const void *arg), const void *arg);

#define CL_BROKEN(rule)		   cl_test_broken(CL_RULE_##rule)
#define CL_STEP(step)		   cl_test_step(CL_STEP_##step)
#define CL_POINT(name)		   cl_test_point(#name)
/** Where a thread is about to wait for something in its own way. */
#define CL_AWAIT(what, ready, arg) cl_test_await(what, ready, arg)
/** A size, and what it is where a scheduler simulates a kernel whose files are small.
 */
#define CL_SCALED(value, small)	   (cl_test_scheduler() ? (small) : (value))

#else
#define CL_BROKEN(rule)		   false
#define CL_STEP(step)		   ((void)0)
#define CL_POINT(name)		   ((void)0)
#define CL_AWAIT(what, ready, arg) ((void)0)
#define CL_SCALED(value, small)	   (value)
#endif

/*
 * The calls that a scheduler takes over; without one they are pthread's own.
 */

static inline int cl_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
#ifdef FOLDFS_TEST_POINTS
	if (cl_test_scheduler())
		return cl_test_scheduler()->start(thread, run, arg);
#endif
	return pthread_create(thread, NULL, run, arg);
}

static inline void cl_thread_join(pthread_t thread)
{
#ifdef FOLDFS_TEST_POINTS
	if (cl_test_scheduler()) {
		cl_test_scheduler()->join(thread);
		return;
	}
#endif
	pthread_join(thread, NULL);
}

#endif
