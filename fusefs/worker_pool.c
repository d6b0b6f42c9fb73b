/* SPDX-License-Identifier: MIT */
/*
 * Worker pool: jobs in order of arrival, threads as many as are needed.
 *
 * A job may wait for the kernel for a long time, and the kernel's answer may depend on
 * another job: so a job that finds every thread busy gets a thread of its own, up to
 * the pool's bound. Threads with nothing to do end after some seconds, all but one.
 *
 * A thread that ends joins the one that ended before it, and the pool's owner joins the
 * last: when the pool is gone, so is every thread with its thread-specific data.
 */

#include "worker_pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* An idle thread costs a stack that nobody touches; a new one some 50 µs. */
#define IDLE_S 10

struct worker_pool {
	/* Set once. */
	char name[12];
	unsigned max_threads;

	pthread_mutex_t lock;
	pthread_cond_t work;  /* a job has come, or the pool is ending */
	pthread_cond_t quiet; /* nothing is queued and nothing runs */
	pthread_cond_t gone;  /* the last thread is about to end */
	/* Guarded by lock. */
	struct job *first, **last;
	uint64_t submitted; /* jobs, ever */
	unsigned waiting;   /* jobs in the queue */
	unsigned threads;
	unsigned idle; /* of those, waiting for work */
	bool ending;
	bool have_ended;
	pthread_t ended; /* if have_ended: a thread to be joined */
};

static _Thread_local const struct worker_pool *current_pool;

/* Wait for a job until the thread has been idle for too long or the pool ends.
 * Required: lock. */
static struct job *take_job(struct worker_pool *pool)
{
	struct timespec deadline;
	struct job *job;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += IDLE_S;
	while (!pool->first) {
		if (pool->ending || (error == ETIMEDOUT && pool->threads > 1))
			return NULL;
		pool->idle++;
		if (pool->idle == pool->threads)
			pthread_cond_broadcast(&pool->quiet);
		if (pool->threads > 1)
			error = pthread_cond_timedwait(&pool->work, &pool->lock,
						       &deadline);
		else
			pthread_cond_wait(&pool->work, &pool->lock);
		pool->idle--;
	}
	job = pool->first;
	pool->first = job->next;
	if (!pool->first)
		pool->last = &pool->first;
	pool->waiting--;
	return job;
}

static void *worker(void *arg)
{
	struct worker_pool *pool = arg;
	pthread_t before;
	bool join_before;
	struct job *job;

	current_pool = pool;
	pthread_mutex_lock(&pool->lock);
	while ((job = take_job(pool))) {
		pthread_mutex_unlock(&pool->lock);
		job->run(job);
		pthread_mutex_lock(&pool->lock);
	}
	join_before = pool->have_ended;
	before = pool->ended;
	pool->ended = pthread_self();
	pool->have_ended = true;
	if (--pool->threads == 0)
		pthread_cond_signal(&pool->gone);
	pthread_mutex_unlock(&pool->lock);

	if (join_before)
		pthread_join(before, NULL);
	return NULL;
}

/* Required: lock. A signal is for the main thread, so the new one blocks them all. */
static int add_thread(struct worker_pool *pool)
{
	sigset_t all, old;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&thread, NULL, worker, pool);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return -error;
	pthread_setname_np(thread, pool->name);
	pool->threads++;
	return 0;
}

int worker_pool_create(const char *name, unsigned max_threads,
		       struct worker_pool **ret_pool)
{
	struct worker_pool *pool = calloc(1, sizeof(*pool));
	pthread_condattr_t attr;
	int status;

	assert(max_threads > 0);
	if (!pool)
		return -ENOMEM;
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->max_threads = max_threads;
	pool->last = &pool->first;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->work, &attr);
	pthread_cond_init(&pool->quiet, &attr);
	pthread_cond_init(&pool->gone, &attr);
	pthread_condattr_destroy(&attr);

	pthread_mutex_lock(&pool->lock);
	status = add_thread(pool);
	pthread_mutex_unlock(&pool->lock);
	if (status < 0) {
		worker_pool_free(pool);
		return status;
	}
	*ret_pool = pool;
	return 0;
}

void worker_pool_submit(struct worker_pool *pool, struct job *job)
{
	pthread_mutex_lock(&pool->lock);
	job->next = NULL;
	*pool->last = job;
	pool->last = &job->next;
	pool->waiting++;
	pool->submitted++;
	/* If no thread can be had, the job waits for one of those that there are: at
	 * least one never ends. */
	if (pool->waiting > pool->idle && pool->threads < pool->max_threads)
		add_thread(pool);
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

bool worker_pool_is_mine(const struct worker_pool *pool)
{
	return current_pool == pool;
}

uint64_t worker_pool_drain(struct worker_pool *pool)
{
	uint64_t submitted;

	if (!pool)
		return 0;
	pthread_mutex_lock(&pool->lock);
	while (pool->waiting > 0 || pool->idle < pool->threads)
		pthread_cond_wait(&pool->quiet, &pool->lock);
	submitted = pool->submitted;
	pthread_mutex_unlock(&pool->lock);
	return submitted;
}

void worker_pool_free(struct worker_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->work);
	while (pool->threads > 0)
		pthread_cond_wait(&pool->gone, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	if (pool->have_ended)
		pthread_join(pool->ended, NULL);
	pthread_cond_destroy(&pool->gone);
	pthread_cond_destroy(&pool->quiet);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
