/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_SCHEDULER_H
#define TESTS_SUPPORT_SCHEDULER_H

/*
 * A deterministic scheduler: tasks are threads, and exactly one of them runs.
 *
 * A task runs until it comes to a point, has to wait, or ends; then somebody decides
 * who runs next. What a task waits for is a predicate, so it is known at every moment
 * who could run, and a deadlock is a fact, not a timeout. Time is made up: it stands
 * still while anybody can run, and jumps to the next deadline otherwise.
 *
 * The library's points, waits, threads and clock come here, too (test_point.h). One
 * scheduler in a process.
 *
 * (PostgreSQL's isolation tester has sessions and permutations of their steps; that
 * points, too, are permuted, and preemptions counted, is CHESS's: Musuvathi and Qadeer,
 * "Iterative Context Bounding for Systematic Testing of Multithreaded Programs", PLDI
 * 2007.)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHED_TASKS 24u /* at most, those that have ended included */

/** Somebody who could run now. */
struct sched_option {
	unsigned task;
	/** Taking it interrupts another task that could go on, or a helper steps in
	 *  between, or time passes although somebody could run. */
	bool is_preemption;
};

struct sched_observer {
	/** @return the index of the one that runs next; options[0] is who runs if
	 * nobody has an opinion. Called at every point, also if there is only one. */
	unsigned (*choose)(void *arg, const struct sched_option *options,
			   unsigned noptions);
	/** A task has come to a point, has to wait (`waits`), or ends ("end"). */
	void (*arrived)(void *arg, unsigned task, const char *where, bool waits);
	/** Nobody can run, and time does not help. Does not return. */
	void (*deadlock)(void *arg);
	void *arg;
};

/** Take over. The scheduler keeps the pointer. */
void sched_begin(const struct sched_observer *observer);
/** Every task has ended. */
void sched_end(void);

/** A new task, which is run by the next sched_run(); its number is returned. The name
 *  is kept, not copied. */
unsigned sched_spawn(const char *name, void (*run)(void *arg), void *arg);
/** Run until every task made by sched_spawn() has ended. Helpers, which are threads
 *  that the library started, then stand still. */
void sched_run(void);

/** For tasks: somebody else may run here. */
void sched_point(const char *name);
/** For tasks: wait until ready(arg). */
void sched_wait(const char *what, bool (*ready)(const void *arg), const void *arg);

/** Likewise, or until nobody else could do anything for so long. */
void sched_wait_for(const char *what, bool (*ready)(const void *arg), const void *arg,
		    uint64_t ns);

/** The task that runs. */
unsigned sched_self(void);
/** A number that grows: what happened before what. */
uint64_t sched_moment(void);

const char *sched_name(unsigned task);
/** Where the task is, or what it waits for: for people. */
const char *sched_position(unsigned task);
unsigned sched_count(void);
bool sched_ended(unsigned task);

#endif
