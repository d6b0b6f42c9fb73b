/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_REQUEST_HOLD_H
#define FUSEFS_REQUEST_HOLD_H

/*
 * Where a test makes requests stand still, below a real kernel, and the daemon's rules
 * of the fence that it can leave out (the library's are in test_point.h). All of it
 * exists only in builds with -DFOLDFS_TEST_POINTS.
 *
 * FOLDFS_HOLD=taken:FILE,marked:FILE names places. The first thread that comes to one
 * creates FILE there, and goes on when somebody has removed it; with `=2` after the
 * place the second. With `=0` everybody waits there as long as FILE exists, which is
 * then for the test to create.
 *
 * FOLDFS_BREAK=fence_taken leaves a rule out.
 */

#include <stdbool.h>

/* In no order: several threads pass them. */
#define REQUEST_HOLDS(X)                                                               \
	X(looking)   /* a thread is about to look for a request */                     \
	X(taken)     /* it has taken a writeback, which has not come to the gate */    \
	X(answering) /* the store has a writeback, which is not answered yet */        \
	X(left)	     /* it is answered, and has left the gate */                       \
	X(asking)    /* the fence is about to send its marker */                       \
	X(marked)    /* a thread has taken the marker, and has not told of it */       \
	X(awaiting)  /* the fence waits for what is taken and not known */             \
	X(places)    /* or for one of the kernel's places for background requests */

#ifdef FOLDFS_TEST_POINTS

enum request_hold {
#define REQUEST_HOLD_ENUM(name) REQUEST_HOLD_##name,
	REQUEST_HOLDS(REQUEST_HOLD_ENUM)
#undef REQUEST_HOLD_ENUM
		REQUEST_HOLD_COUNT,
};

/** The caller has come to a place, and waits there if the environment says so. */
void request_hold(enum request_hold place);
/** Whether the environment leaves this rule out. */
bool request_rule_broken(const char *rule);

#define REQUEST_HOLD(place)  request_hold(REQUEST_HOLD_##place)
#define REQUEST_BROKEN(rule) request_rule_broken(#rule)

#else
#define REQUEST_HOLD(place)  ((void)0)
#define REQUEST_BROKEN(rule) false
#endif

#endif
