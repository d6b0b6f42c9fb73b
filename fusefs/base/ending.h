/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_ENDING_H
#define FUSEFS_ENDING_H

/*
 * Whether we have been told to end, for whoever is at something long. shutdown.h acts on
 * it.
 */

#include <signal.h>
#include <stdbool.h>

/** The signals that tell us. They are blocked in all threads. */
sigset_t ending_signals(void);

/** One of them has come: the first, or another one, after which nothing has time any
 *  more. */
void ending_ask(void);
void ending_insist(void);

/** Whether a signal has asked us to end: also while it only waits, before there is a
 *  thread that takes it. Any thread. */
bool ending_is_asked_for(void);

/** Whether the time is over that what is under way then has to come to its end. Any
 *  thread. */
bool ending_is_overdue(void);

#endif
