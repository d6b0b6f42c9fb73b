/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTERLEAVING_WORLD_H
#define TESTS_INTERLEAVING_WORLD_H

/*
 * One schedule of a specification: a fresh library, kernel and file; the sessions; what
 * must hold at the end.
 */

#include "history.h"
#include "schedule.h"

/** What one schedule came to, for expectations. */
struct outcome {
	int results[SPEC_SESSIONS][SPEC_STEPS];
	unsigned rescued, parked, shorts, cut, flushed, fenced, made_way;
	bool fenced_again;
};

/**
 * Run a schedule from its beginning to the end of everything.
 * @param wrong  called, and must not return, when something is not as it must be
 */
void world_run(const struct spec *spec, struct schedule *schedule,
	       void (*wrong)(const char *what), struct outcome *ret_outcome);

/** What each task is at, and what programs have seen: for people. */
void world_print(void);

#endif
