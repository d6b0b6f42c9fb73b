/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_RUNNABLE_H
#define FUSEFS_RUNNABLE_H

/*
 * Whether more threads of this machine want to run than it has processors for: then
 * whoever runs without need takes the time of somebody who has something to do.
 */

#include <stdbool.h>

struct runnable;

/** @return 0 or a negative errno */
int runnable_create(struct runnable **ret_runnable);
/** NULL is fine. */
void runnable_free(struct runnable *runnable);

/** For a caller who is running himself. True if there is one processor only, or if the
 *  kernel does not tell. From any thread; looks at most once a millisecond, which takes
 *  some 2 µs. */
bool runnable_too_many(struct runnable *runnable);

#endif
