/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OWN_THREADS_H
#define FUSEFS_OWN_THREADS_H

/*
 * What the threads of this process are at, as the kernel tells it: /proc/self/task. Who
 * waits for a processor looks like somebody who is held up to everything else.
 */

#include <stdbool.h>
#include <sys/types.h>

/** @return proc(5)'s letter: R runs or could, S sleeps, D waits for something that no
 *  signal ends; '?' if there is no such thread */
char own_thread_state(pid_t tid);

/** Whether any thread but the caller runs or could. */
bool own_threads_any_runnable(void);

#endif
