/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTERLEAVING_HISTORY_H
#define TESTS_INTERLEAVING_HISTORY_H

/*
 * What programs did, and what they saw, against a flat file: is there an order, true to
 * what happened before what, in which a file without any cache answers the same and
 * ends the same? (Herlihy and Wing, "Linearizability", 1990; Wing and Gong's search.)
 * So nothing stale was seen, and no store is lost or doubled.
 *
 * Truncation is weaker, as it is on every file system: while it runs, what lies past
 * the new end may be there or not, page by page. The same holds for the end of the file
 * while it moves: SIGBUS there may come early or late.
 */

#include "flat_file.h"

#define HISTORY_OPS 64u

enum history_kind {
	HISTORY_LOAD,  /* of one cell; result: its value, or -1 for SIGBUS */
	HISTORY_STORE, /* of some cells; result: 0, or -1 */
	HISTORY_WRITE, /* the same; makes the file longer if need be */
	HISTORY_RANGE_OP,
	HISTORY_RESIZE, /* to `ncells` */
	HISTORY_CUT,	/* the same, if the file is longer */
};

struct history_op {
	enum history_kind kind;
	const char *what; /* for people */
	unsigned page, cell, ncells;
	uint8_t value;
	struct cl_range_op op;
	int result;
	uint64_t begun, ended; /* moments */
};

struct history {
	struct flat_file initial, final;
	unsigned nops;
	struct history_op ops[HISTORY_OPS];
};

void history_init(struct history *history, unsigned npages);
void history_add(struct history *history, const struct history_op *op);

/** @return whether there is such an order */
bool history_explains(const struct history *history);

#endif
