/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_WAIT_CLASS_H
#define CACHELAYER_WAIT_CLASS_H

/*
 * A class of waiters: how often its members may be overtaken, and how long they have
 * waited. One for each enum cl_wait of a cache.
 *
 * Only who really goes to sleep takes time stamps, so the record costs nothing where
 * nobody waits, and is always on.
 */

#include <stdatomic.h>

#include "cachelayer/cache.h"

struct wait_class {
	/* Set once. */
	uint32_t unfairness; /* see struct cl_cache_config */
	uint32_t kind;	     /* enum cl_wait, for traces */

	/* Atomic, each for itself. */
	_Atomic uint64_t buckets[CL_WAIT_BUCKETS];
	_Atomic uint64_t total_ns;
	_Atomic uint64_t longest_ns;
	_Atomic uint64_t overtaken;
	_Atomic uint64_t handed_over;
};

/** Somebody waited from `since_ns` (cl_now_ns()) until now. */
void wait_class_add(struct wait_class *waits, uint64_t since_ns);

void wait_class_get(const struct wait_class *waits, struct cl_wait_stats *ret_stats);

#endif
