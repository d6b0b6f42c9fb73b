/* SPDX-License-Identifier: MIT */
/*
 * Worker pool: threads as many as are needed, and to each his share of them.
 *
 * A job may wait for the kernel or the store for a long time, and others must not wait
 * behind it: neither those whose answer it depends on nor those who have nothing to do
 * with it. So a job that finds every thread busy gets a thread of its own. Where work
 * is for the processors rather than for waiting (active_max), a spare thread stands by
 * and begins when one of the others is held up.
 *
 * Whoever holds his share has his further jobs passed over: they stay in the queue, as
 * data, until one of his has ended.
 *
 * A thread that ends joins the one that ended before it, and the pool's owner joins the
 * last: when the pool is gone, so is every thread with its thread-specific data.
 */

#include "worker_pool.h"
#include "timed_cond.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <urcu/list.h>

/* An idle thread costs a stack that nobody touches; a new one some 50 µs. */
#define IDLE_NS UINT64_C(10000000000)

/* A job under way, on its thread's stack. */
struct running {
	struct cds_list_head node;
	uint32_t account;
	uint64_t since_ns;
};

struct worker_pool {
	/* Set once. */
	char name[12];
	unsigned threads_max, active_max, account_max;

	pthread_mutex_t lock;
	pthread_cond_t work;  /* a job may begin, or the pool is ending */
	pthread_cond_t quiet; /* nothing is queued and nothing runs */
	pthread_cond_t gone;  /* the last thread is about to end */
	/* Guarded by lock. */
	struct job *first, **last;
	struct cds_list_head running;
	uint64_t submitted; /* jobs, ever */
	unsigned waiting;   /* jobs in the queue */
	unsigned threads;
	unsigned idle; /* of those, without a job */
	bool ending;
	bool have_ended;
	pthread_t ended; /* if have_ended: a thread to be joined */
};

static _Thread_local const struct worker_pool *current_pool;
static _Thread_local uint32_t current_account;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ------------------------------------------------------------ which job may begin */

/* Required: lock. */
static bool has_its_share(const struct worker_pool *pool, uint32_t account)
{
	const struct running *running;
	unsigned count = 0;

	if (pool->threads - pool->idle < pool->account_max)
		return false;
	cds_list_for_each_entry(running, &pool->running, node)
		count += running->account == account;
	return count >= pool->account_max;
}

/* Whether those who are under way, and not held up, are as many as may be. Required:
 * lock. */
static bool is_busy(const struct worker_pool *pool)
{
	const struct running *running;
	unsigned active = 0;
	uint64_t now;

	if (pool->threads - pool->idle < pool->active_max)
		return false;
	now = now_ns();
	cds_list_for_each_entry(running, &pool->running, node)
		active += now - running->since_ns < WORKER_POOL_HELD_UP_NS;
	return active >= pool->active_max;
}

/* The first that may begin, taken off the queue; or NULL. Required: lock. */
static struct job *next_job(struct worker_pool *pool)
{
	const struct job *passed = NULL;
	struct job **at, *job;

	if (!pool->first || is_busy(pool))
		return NULL;
	for (at = &pool->first; (job = *at); at = &job->next) {
		/* Most of what is passed over is one user's. */
		if (passed && passed->account == job->account)
			continue;
		if (!has_its_share(pool, job->account))
			break;
		passed = job;
	}
	if (!job)
		return NULL;
	*at = job->next;
	if (!job->next)
		pool->last = at;
	pool->waiting--;
	return job;
}

/* ---------------------------------------------------------------------- threads */

static int add_thread(struct worker_pool *pool);

/* While jobs wait there is somebody without one: who begins as soon as one may. It
 * sees to the next. Required: lock. */
static void keep_a_spare(struct worker_pool *pool)
{
	/* If no thread can be had, the job waits for one of those that there are: at
	 * least one never ends. */
	if (pool->waiting > 0 && pool->idle == 0 && pool->threads < pool->threads_max)
		(void)add_thread(pool);
}

/* Sleep until there may be work, for as long as that makes sense. Required: lock, which
 * is given up meanwhile. */
static void doze(struct worker_pool *pool, uint64_t until_ns)
{
	/* Somebody may be held up by then. */
	const uint64_t look_ns = now_ns() + WORKER_POOL_HELD_UP_NS / 4;
	const bool looks = pool->waiting > 0 && pool->active_max < pool->threads_max;
	struct timespec deadline;

	if (looks && look_ns < until_ns)
		until_ns = look_ns;
	if (!looks && pool->threads == 1) {
		pthread_cond_wait(&pool->work, &pool->lock);
		return;
	}
	deadline.tv_sec = (time_t)(until_ns / 1000000000);
	deadline.tv_nsec = (long)(until_ns % 1000000000);
	pthread_cond_timedwait(&pool->work, &pool->lock, &deadline);
}

/* Wait for a job until the thread has been idle for too long or the pool ends.
 * Required: lock; counted in idle. */
static struct job *take_job(struct worker_pool *pool)
{
	uint64_t until_ns = now_ns() + IDLE_NS;
	struct job *job;

	while (!(job = next_job(pool))) {
		if (pool->waiting == 0 && pool->ending) {
			pthread_cond_broadcast(&pool->work);
			return NULL;
		}
		if (now_ns() >= until_ns) {
			if (pool->idle > 1 || (pool->waiting == 0 && pool->threads > 1))
				return NULL;
			until_ns = now_ns() + IDLE_NS;
		}
		if (pool->idle == pool->threads)
			pthread_cond_broadcast(&pool->quiet);
		doze(pool, until_ns);
	}
	return job;
}

/* Required: lock, which is given up meanwhile. */
static void run_job(struct worker_pool *pool, struct job *job)
{
	struct running running = {.account = job->account, .since_ns = now_ns()};

	cds_list_add_tail(&running.node, &pool->running);
	pool->idle--;
	keep_a_spare(pool);
	pthread_mutex_unlock(&pool->lock);
	current_account = running.account;
	job->run(job);
	pthread_mutex_lock(&pool->lock);
	cds_list_del(&running.node);
	pool->idle++;
}

static void *worker(void *arg)
{
	struct worker_pool *pool = arg;
	pthread_t before;
	bool join_before;
	struct job *job;

	current_pool = pool;
	pthread_mutex_lock(&pool->lock);
	while ((job = take_job(pool)))
		run_job(pool, job);
	pool->idle--;
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
	pool->idle++;
	return 0;
}

/* ------------------------------------------------------------------- for everybody */

int worker_pool_create(const struct worker_pool_config *config,
		       struct worker_pool **ret_pool)
{
	struct worker_pool *pool = calloc(1, sizeof(*pool));
	int status;

	assert(config->threads_max > 0 && config->active_max > 0 &&
	       config->account_max > 0);
	if (!pool)
		return -ENOMEM;
	snprintf(pool->name, sizeof(pool->name), "%s", config->name);
	pool->threads_max = config->threads_max;
	pool->active_max = config->active_max;
	pool->account_max = config->account_max;
	pool->last = &pool->first;
	CDS_INIT_LIST_HEAD(&pool->running);
	pthread_mutex_init(&pool->lock, NULL);
	timed_cond_init(&pool->work);
	timed_cond_init(&pool->quiet);
	timed_cond_init(&pool->gone);

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
	keep_a_spare(pool);
	pthread_cond_signal(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

bool worker_pool_is_mine(const struct worker_pool *pool)
{
	return current_pool == pool;
}

uint32_t worker_pool_account(void)
{
	return current_account;
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
