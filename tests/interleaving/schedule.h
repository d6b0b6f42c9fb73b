/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTERLEAVING_SCHEDULE_H
#define TESTS_INTERLEAVING_SCHEDULE_H

/*
 * Who runs next: every way in turn, a written permutation, or dice.
 *
 * All ways are too many. A schedule counts how often a task is interrupted that could
 * have gone on; those with few preemptions find nearly all mistakes (CHESS, see
 * scheduler.h), and are few. So "all" means all with at most so many.
 */

#include "scheduler.h"
#include "spec.h"

#define SCHEDULE_DECISIONS 4096u

struct decision {
	uint8_t noptions, chosen;
	uint16_t preemptions_before;
	uint32_t preempts; /* a bit for each option */
};

enum schedule_mode { SCHEDULE_ALL, SCHEDULE_PERMUTATION, SCHEDULE_DICE };

struct schedule {
	enum schedule_mode mode;
	bool active; /* else the first option is taken and nothing recorded */

	/* SCHEDULE_ALL: the way to go, and as far as it has been gone. */
	unsigned max_preemptions;
	unsigned ndecisions, nplanned;
	unsigned preemptions;
	struct decision decisions[SCHEDULE_DECISIONS];

	const struct permutation *permutation;
	unsigned stop, times; /* where in it */

	uint64_t dice;

	/* What has happened: where each stretch of one task ended. */
	unsigned ntrace;
	struct {
		unsigned task;
		const char *point;
		unsigned times;
	} trace[SCHEDULE_DECISIONS];
	unsigned last_task;
	const char *last_point;
	/* How often each point has been come to in this stretch. */
	unsigned nseen;
	struct {
		const char *point;
		unsigned times;
	} seen[64];
};

void schedule_init(struct schedule *schedule, enum schedule_mode mode);
/** Before each run. */
void schedule_rewind(struct schedule *schedule);
/** SCHEDULE_ALL: to the next one. @return whether there is one */
bool schedule_next(struct schedule *schedule);

/** As struct sched_observer has them; arg is the schedule. */
unsigned schedule_choose(void *arg, const struct sched_option *options,
			 unsigned noptions);
void schedule_arrived(void *arg, unsigned task, const char *where, bool waits);

/** What has happened, in the words of a permutation. */
void schedule_print(struct schedule *schedule);
/** Whether a written permutation has been gone to its end. */
bool schedule_fits(const struct schedule *schedule);

#endif
