/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_TEST_POINT_H
#define CACHELAYER_TEST_POINT_H

/*
 * What tests can switch off, and where they can make a range operation stand still
 * (after PostgreSQL's injection points). Both exist only in builds with
 * -DFOLDFS_TEST_POINTS; elsewhere a rule is never broken, and the compiler drops the
 * rest.
 *
 * FOLDFS_BREAK=second_unmap,gate leaves these rules of the protocol out, to show that
 * the tests notice.
 *
 * FOLDFS_PAUSE=changed:FILE makes the first operation that comes to the step `changed`
 * create FILE there, and go on when somebody has removed it.
 */

#include <stdbool.h>

#define CL_RULES(X)                                                                    \
	X(second_unmap) /* step 3: the chase */                                        \
	X(gate)		/* step 2, and so that nothing is resident at step 4 */        \
	X(index)	/* I3: a page found is trusted only if its index is right */   \
	X(adoption)	/* step 6: READs past a new end wait until it is known */      \
	X(rescue)	/* step 3: a READ that a notification waits for is answered */

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
/** Waits here if the environment says so. No lock is held. */
void cl_test_step(enum cl_step step);

#define CL_BROKEN(rule) cl_test_broken(CL_RULE_##rule)
#define CL_STEP(step)	cl_test_step(CL_STEP_##step)

#else
#define CL_BROKEN(rule) false
#define CL_STEP(step)	((void)0)
#endif

#endif
