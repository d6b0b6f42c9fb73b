/* SPDX-License-Identifier: MIT */
/* Ending: who has asked for it, and when. */

#include "ending.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* For long range operations to be done after the first signal. */
#define GRACE_MS 2000

static _Atomic uint64_t asked_ms; /* when a signal came first; 0: none */
static _Atomic bool insisted;	  /* and another one */

sigset_t ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	return set;
}

/* Never 0. */
static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

void ending_ask(void)
{
	atomic_store(&asked_ms, now_ms());
}

void ending_insist(void)
{
	atomic_store(&insisted, true);
}

/* Before there is a thread that takes it, a signal waits. */
static bool any_is_pending(void)
{
	const sigset_t set = ending_signals();
	sigset_t pending;

	if (sigpending(&pending) < 0)
		return false;
	for (int signal = 1; signal < NSIG; signal++)
		if (sigismember(&set, signal) == 1 &&
		    sigismember(&pending, signal) == 1)
			return true;
	return false;
}

bool ending_is_asked_for(void)
{
	return atomic_load(&asked_ms) != 0 || any_is_pending();
}

bool ending_is_overdue(void)
{
	const uint64_t asked = atomic_load(&asked_ms);

	return asked != 0 && (atomic_load(&insisted) || now_ms() - asked >= GRACE_MS);
}
