/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_RUN_H
#define FOLDX_RUN_H

/*
 * Doing operations on the file and on the model, and comparing.
 */

#include "tally.h"
#include "team.h"
#include "trace.h"

#define FAILURE_TEXT_MAX 2048

struct failure {
	bool failed;
	bool hung; /* or a process has died: the team is of no use any more */
	char text[FAILURE_TEXT_MAX];
};

struct run {
	struct team *team;
	struct limits limits; /* of the team's, or lower */
	const char
		*behind; /* the same directory below a stacked file system, or NULL */
	bool moves_in_one_step;
	struct model model;
	struct model after; /* for the duration of a step */
	uint8_t *taken;	    /* likewise: a bit for each word that is stored to */
	struct tally tally;
	struct failure failure;
};

/** @return 0 or -ENOMEM */
int run_init(struct run *run, struct team *team, const char *behind);
void run_fini(struct run *run);

/**
 * Begin with an empty file that everybody has open. Counts and failures are forgotten.
 * @param limits  not above the team's
 * @return false: failed
 */
bool run_begin(struct run *run, const struct limits *limits);

/** Do a group: accesses that run together with the last operation, which alone is
 *  not marked so. A trace may also end in such accesses. @return false: failed */
bool run_group(struct run *run, const struct operation *ops, size_t nops);

/** Look at everything in all ways, behind the file system too. @return false: failed */
bool run_end(struct run *run);

/** All of it. @param ret_done operations up to those that failed, or all */
bool run_trace(struct run *run, const struct trace *trace, size_t *ret_done);

/* ------------------------------------------------------------- for the parts of it */

/** Note a failure, if it is the first. Returns false. */
__attribute__((format(printf, 2, 3))) bool run_fail(struct run *run, const char *format,
						    ...);
/** What team_finish() said. Returns whether that is good. */
bool run_alive(struct run *run, int err, uint32_t process, const struct operation *op);

/** One operation in the process that it names. */
bool run_serial(struct run *run, const struct operation *op);

/** Judge an outcome, count it, and do the same to the model. *ret_refused: it was not
 *  done, and that is legitimate. */
bool judge(struct run *run, const struct operation *op, bool *ret_refused);

/** Every process looks at the whole file, by its descriptor and its mappings. */
bool check_all(struct run *run);
/** The file behind the file system, after everything has been written to it. */
bool check_behind(struct run *run);

/**
 * Accesses beside an operation that happens in one step.
 * @param step  NULL: beside nothing
 */
bool race(struct run *run, const struct operation *accesses, size_t naccesses,
	  const struct operation *step);

#endif
