/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_WORKER_POOL_H
#define FUSEFS_WORKER_POOL_H

/*
 * A pool of threads that run jobs. It grows up to its bound while jobs wait and shrinks
 * when threads idle. A job is embedded in whatever it works on, so submitting one
 * cannot fail.
 *
 * Each job is on somebody's account: a user's, as a rule. Nobody has more than a share
 * of the threads, however long his jobs take, and the jobs of others pass his.
 */

#include <stdbool.h>
#include <stdint.h>

struct worker_pool;

struct job {
	void (*run)(struct job *job); /* may free the job */
	uint32_t account; /* whose: a uid; jobs of one account begin in order of arrival
			   */
	struct job *next; /* the pool's own */
};

struct worker_pool_config {
	const char *name;     /* of the threads, at most 11 bytes */
	unsigned threads_max; /* 1 or more; one is started at once */
	unsigned active_max;  /* most jobs under way, those not counted that have been
				 for WORKER_POOL_HELD_UP_NS; 1 to threads_max */
	unsigned account_max; /* most jobs of one account under way; 1 to threads_max */
};

/** A job that has been under way for so long is held up, and somebody else may begin.
 */
#define WORKER_POOL_HELD_UP_NS UINT64_C(100000000)

/** @return 0 or a negative errno */
int worker_pool_create(const struct worker_pool_config *config,
		       struct worker_pool **ret_pool);

/** Queue a job: run and account are set. Never blocks, never fails. Any thread. */
void worker_pool_submit(struct worker_pool *pool, struct job *job);

/** Whether the calling thread is one of the pool's. For assertions. */
bool worker_pool_is_mine(const struct worker_pool *pool);

/** The account of the job that the calling thread runs; 0 if it is no pool's. */
uint32_t worker_pool_account(void);

/**
 * Wait until nothing is queued and nothing runs. NULL is fine.
 * @return how many jobs have been submitted so far: if it is the same for all pools,
 *         one round of waiting later, whose jobs submit to each other, all are done
 */
uint64_t worker_pool_drain(struct worker_pool *pool);

/** Run what is queued, end the threads, free. NULL is fine. Nobody may submit any more,
 *  jobs that are running excepted. */
void worker_pool_free(struct worker_pool *pool);

#endif
