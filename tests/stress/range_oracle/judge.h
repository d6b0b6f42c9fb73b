/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_JUDGE_H
#define RANGE_ORACLE_JUDGE_H

/*
 * Was this allowed?
 *
 * Each access is judged by itself, at once: what it met must be what the model has at
 * that index in one of the states that it may have seen, and a counter must not be
 * lower than what was in the accounts when the access began.
 */

#include "oracle.h"

/** An access under way. */
struct look {
	struct oracle *oracle;
	struct worker *worker;
	enum access_kind kind;
	uint32_t index;
	uint64_t begin_ns;
	uint64_t before;	    /* the last state that was complete when it began */
	uint32_t expected;	    /* the identity at the index then */
	uint32_t floor[PAGE_CELLS]; /* and what had been added to it, at least */
};

/** Begin to look at a page: also starts the clock, and lets the watchdog know. */
struct look look_begin(struct oracle *oracle, struct worker *worker,
		       enum access_kind kind, uint32_t index);
/** The access is over: the states that it may have seen. */
struct interval look_end(const struct look *look);

/*
 * Each of these returns true if what was met is allowed. Otherwise it has been
 * reported; or it could not be judged, because so many operations went by that the
 * states are gone, and has been counted as such.
 */

/** One cell. */
bool judge_cell(const struct look *look, struct interval seen, unsigned cell,
		uint64_t value);

/** A page that was read with one system call. */
bool judge_page(const struct look *look, struct interval seen, const uint64_t *page);

/** A SIGBUS. */
bool judge_sigbus(const struct look *look, struct interval seen);

/** A size of the file, in bytes. */
bool judge_size(const struct look *look, struct interval seen, int64_t size);

#endif
