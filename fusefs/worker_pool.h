/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_WORKER_POOL_H
#define FUSEFS_WORKER_POOL_H

/*
 * A pool of threads that run jobs in order of arrival. It grows up to its bound while
 * jobs wait and shrinks when threads idle. A job is embedded in whatever it works on,
 * so submitting one cannot fail.
 */

#include <stdbool.h>
#include <stdint.h>

struct worker_pool;

struct job {
	void (*run)(struct job *job); /* may free the job */
	struct job *next;	      /* the pool's own */
};

/**
 * @param name         of the threads, at most 11 bytes
 * @param max_threads  1 or more; one is started at once
 * @return 0 or a negative errno
 */
int worker_pool_create(const char *name, unsigned max_threads,
		       struct worker_pool **ret_pool);

/** Queue a job. Never blocks, never fails. Any thread. */
void worker_pool_submit(struct worker_pool *pool, struct job *job);

/** Whether the calling thread is one of the pool's. For assertions. */
bool worker_pool_is_mine(const struct worker_pool *pool);

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
