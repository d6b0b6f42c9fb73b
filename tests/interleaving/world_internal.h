/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTERLEAVING_WORLD_INTERNAL_H
#define TESTS_INTERLEAVING_WORLD_INTERNAL_H

/*
 * What world.c and world_step.c share: everything that one schedule runs on.
 */

#include "world.h"

/** A session's own mappings. */
struct mapper {
	struct sim_mapping shared, private;
	struct sim_folio *pinned;
};

struct world {
	const struct spec *spec;
	struct schedule *schedule;
	struct outcome *outcome;
	void (*wrong)(const char *what);

	struct cl_cache *cache;
	struct cl_mapping *mapping;
	struct flat_file store;
	struct sim_kernel kernel;
	struct mapper mappers[SPEC_SESSIONS + 1]; /* the last one is setup's */
	struct history history;
};

/** There is one at a time. */
extern struct world world;

/** Do a step, and put what it has seen or left into the history. @return its result */
int world_step(struct mapper *mapper, const struct step *step);

/** Write back all that is dirty, or prefetch, if the gate lets it. */
int world_gated(const struct step *step);

/** The mapping goes, and the cache with it if it is unmounted. */
int world_forget(bool unmounts);

#endif
