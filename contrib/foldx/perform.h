/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_PERFORM_H
#define FOLDX_PERFORM_H

/*
 * What one of the processes does: operations as system calls, loads and stores.
 */

#include "team.h"

struct worker {
	struct board *board;
	struct limits limits;
	uint64_t mapping_bytes;
	int fd; /* -1: none */
	uint8_t *mappings[8];
	uint8_t *scratch; /* limits.size bytes */
	uint64_t random;
};

/** @return 0 or a negative errno. It is for the life of the process. */
int worker_init(struct worker *worker, struct board *board,
		const struct limits *limits);

/** Do what the station says, and leave the outcome there. */
void worker_obey(struct worker *worker, struct station *station);

/** One operation. @param data room for what is read, worker->mapping_bytes */
void perform(struct worker *worker, const struct operation *op,
	     struct outcome *ret_outcome, uint8_t *data);

/** Likewise, a moment after the others have begun, so that they meet both states. */
void perform_step(struct worker *worker, struct station *station);

/** station->accesses, until what they run together with is over. */
void perform_together(struct worker *worker, struct station *station);

/* ----------------------------------------------------- the file, in file_handling.c */

int worker_create(struct worker *worker);
int worker_open(struct worker *worker);
int worker_remove(struct worker *worker);
int worker_reopen(struct worker *worker);
int worker_rename(struct worker *worker, bool replace);
int worker_unlink(struct worker *worker);

#endif
