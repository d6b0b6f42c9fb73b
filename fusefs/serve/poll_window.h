/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_POLL_WINDOW_H
#define FUSEFS_POLL_WINDOW_H

/*
 * For how long to look for the next request before sleeping.
 *
 * A sleeping thread has to be woken by the kernel, which takes longer than serving a
 * cached page. So who finds the queue empty looks again for a while. The while follows
 * what happens: it grows after a sleep that was over soon, and is nothing after a long
 * one (after the kernel's halt polling, virt/kvm/kvm_main.c, grow_halt_poll_ns()); so
 * an idle mount uses no time at all. One for each thread; not synchronised.
 */

#include <stdint.h>

/** The first step of looking before sleeping, nanoseconds. */
#define POLL_WINDOW_NS_MIN 5000

struct poll_window {
	uint64_t ns_max; /* set once; 0: never look */
	uint64_t ns;	 /* look for so long; 0: not at all */
};

/** A sleep for a request is over. @param slept_ns  how long it was */
static inline void poll_window_slept(struct poll_window *window, uint64_t slept_ns)
{
	if (slept_ns > 2 * window->ns_max)
		window->ns = 0;
	else if (window->ns == 0)
		window->ns = POLL_WINDOW_NS_MIN;
	else
		window->ns *= 2;
	if (window->ns > window->ns_max)
		window->ns = window->ns_max;
}

#endif
