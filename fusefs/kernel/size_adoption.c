/* SPDX-License-Identifier: MIT */
/*
 * Size adoption.
 *
 * The kernel takes a size from an answer with attributes: then it unmaps and truncates
 * properly. So we ask for the attributes ourselves, by way of our own mount. That may
 * wait for locks in the kernel which somebody holds who waits for us: hence a helper
 * thread does it, and the wait for the helper is bounded.
 * A file that nothing leads to (mount_path.h) is left to the next fstat(2) of whoever
 * has it open.
 */

#include "size_adoption.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "cachelayer/range_op.h"
#include "mount_path.h"
#include "timed_cond.h"
#include "worker_pool.h"

/* How long anybody waits for the kernel: a second, on a slow machine up to four. */
#define WAIT_NS		     ((uint64_t)1000000000)
#define WAIT_STEPS	     16
/* Most attempts are over long before so many steps: 400 us, on a quick machine. */
#define SECOND_ATTEMPT_STEPS 2
/* After an answer with attributes has left us, the kernel still has to look at it. */
#define ANSWER_SETTLES_NS    ((uint64_t)1000000000)
/* Anybody who changes the file meanwhile can make the kernel ignore one answer. */
#define ATTEMPTS	     8

/* ------------------------------------------------------------------- padding */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void adoption_begin(struct inode *inode, uint64_t old_size)
{
	pthread_mutex_lock(&inode->sample_lock);
	if (inode->padded_size < old_size)
		inode->padded_size = old_size;
	inode->padded_until_ns = 0;
	inode->resizes++;
	pthread_mutex_unlock(&inode->sample_lock);
}

void adoption_is_owed(struct inode *inode)
{
	pthread_mutex_lock(&inode->sample_lock);
	inode->resizes++;
	pthread_mutex_unlock(&inode->sample_lock);
}

bool adoption_is_due(struct inode *inode)
{
	bool due;

	pthread_mutex_lock(&inode->sample_lock);
	due = inode->resizes != inode->adopted;
	pthread_mutex_unlock(&inode->sample_lock);
	return due;
}

static unsigned count_resizes(struct inode *inode)
{
	unsigned resizes;

	pthread_mutex_lock(&inode->sample_lock);
	resizes = inode->resizes;
	pthread_mutex_unlock(&inode->sample_lock);
	return resizes;
}

/* The kernel has adopted a size as new as this many resizes. */
static void adoption_end(struct inode *inode, unsigned resizes)
{
	pthread_mutex_lock(&inode->sample_lock);
	if (inode->resizes == resizes) {
		inode->padded_size = 0;
		inode->adopted = resizes;
	}
	pthread_mutex_unlock(&inode->sample_lock);
}

void adoption_answered(struct inode *inode, const struct stat *attr)
{
	if (inode->padded_size == 0 || inode->padded_until_ns != 0)
		return;
	/* An answer that was made before the shrink tells the kernel nothing. */
	if ((uint64_t)attr->st_size > cl_mapping_size(inode->mapping))
		return;
	inode->padded_until_ns = now_ns() + ANSWER_SETTLES_NS;
}

size_t adoption_padded_len(struct inode *inode, uint64_t offset, size_t len,
			   size_t have, bool maybe_direct)
{
	const uint64_t end = inode->padded_size, until = inode->padded_until_ns;

	if (end <= offset + have || (until != 0 && (maybe_direct || now_ns() > until)))
		return have;
	return end - offset < len ? (size_t)(end - offset) : len;
}

/* ------------------------------------------------------------------ adopting */

#define ATTEMPTS_AT_ONCE 2
_Static_assert(
	ATTEMPTS_AT_ONCE + 1 <= OWN_CALLS_EACH,
	"a bulk flush and the attempts of one operation, in the share of its account");

struct adoption;

/* One thread's try. */
struct attempt {
	struct job job;
	struct adoption *adoption;
	struct mount_path path;
};

/* Shared by the waiter and the attempts; the last to leave frees it. */
struct adoption {
	struct inode *inode; /* with a reference */
	struct attempt attempts[ATTEMPTS_AT_ONCE];

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	unsigned refs;
	unsigned running; /* attempts */
	int status;	  /* 0 as soon as one has succeeded */
};

static void adoption_put(struct adoption *adoption)
{
	bool last;

	pthread_mutex_lock(&adoption->lock);
	last = --adoption->refs == 0;
	pthread_mutex_unlock(&adoption->lock);
	if (!last)
		return;
	inode_put(adoption->inode, 1);
	pthread_cond_destroy(&adoption->changed);
	pthread_mutex_destroy(&adoption->lock);
	free(adoption);
}

/*
 * Have the kernel ask, then look at what it keeps. Until both agree: it may have
 * thrown the answer away because a write was just under way.
 */
static int adopt_by_path(struct attempt *attempt)
{
	uint64_t asked, kept;
	int status;

	for (int i = 0; i < ATTEMPTS; i++) {
		status = mount_path_stat(&attempt->path, AT_STATX_FORCE_SYNC, &asked);
		if (status == 0)
			status = mount_path_stat(&attempt->path, AT_STATX_DONT_SYNC,
						 &kept);
		if (status < 0 || asked == kept)
			return status;
	}
	return -ETIMEDOUT;
}

static int adopt(struct attempt *attempt)
{
	int status = mount_path_by_name(&attempt->path);

	if (status == 0)
		status = adopt_by_path(attempt);
	if (status != -ENOENT)
		return status;
	status = mount_path_by_descriptor(&attempt->path);
	return status == 0 ? adopt_by_path(attempt) : status;
}

static void run_attempt(struct job *job)
{
	struct attempt *attempt = (struct attempt *)job;
	struct adoption *adoption = attempt->adoption;
	const int status = adopt(attempt);

	if (status == 0)
		cl_size_told(adoption->inode->mapping);
	pthread_mutex_lock(&adoption->lock);
	if (adoption->status != 0)
		adoption->status = status;
	adoption->running--;
	pthread_cond_signal(&adoption->changed);
	pthread_mutex_unlock(&adoption->lock);
	adoption_put(adoption);
}

/* Required: the adoption's lock. */
static void start_attempt(struct adoption *adoption, struct attempt *attempt, pid_t pid)
{
	attempt->job.run = run_attempt;
	attempt->job.account = worker_pool_account();
	attempt->adoption = adoption;
	attempt->path.inode = adoption->inode;
	attempt->path.pid = pid;
	adoption->refs++;
	adoption->running++;
	worker_pool_submit(adoption->inode->daemon->own_calls, &attempt->job);
}

static struct adoption *adoption_create(struct inode *inode)
{
	struct adoption *adoption = calloc(1, sizeof(*adoption));

	if (!adoption)
		return NULL;
	inode_get(inode);
	adoption->inode = inode;
	adoption->refs = 1;
	adoption->status = -ETIMEDOUT;
	pthread_mutex_init(&adoption->lock, NULL);
	timed_cond_init(&adoption->changed);
	return adoption;
}

/* Until no attempt runs any more, or for so long. Required: the adoption's lock. */
static void wait_for(struct adoption *adoption, uint64_t ns)
{
	const struct timespec deadline = deadline_after(ns);
	int status = 0;

	while (adoption->running > 0 && status == 0)
		status = pthread_cond_timedwait(&adoption->changed, &adoption->lock,
						&deadline);
}

/*
 * The attempt whose answer brings the kernel the new size is held up there, in the
 * kernel's truncate, while a READ past the end is parked. A second one then finds the
 * size in place and comes back; so it is known that the READ may be let go.
 */
int adoption_run(struct inode *inode, pid_t pid)
{
	const unsigned resizes = count_resizes(inode);
	const uint64_t step_ns = cl_cache_step_ns(inode->daemon->cache);
	struct adoption *adoption;
	int status;

	assert(daemon_may_wait_for_kernel(inode->daemon));
	adoption = adoption_create(inode);
	if (!adoption)
		return -ENOMEM;
	pthread_mutex_lock(&adoption->lock);
	for (int i = 0; i < ATTEMPTS_AT_ONCE; i++) {
		start_attempt(adoption, &adoption->attempts[i], pid);
		wait_for(adoption, SECOND_ATTEMPT_STEPS * step_ns);
		if (adoption->running == 0)
			break;
	}
	wait_for(adoption,
		 WAIT_STEPS * step_ns > WAIT_NS ? WAIT_STEPS * step_ns : WAIT_NS);
	/* One that is still held up has not truncated yet. */
	status = adoption->running > 0 ? -ETIMEDOUT : adoption->status;
	pthread_mutex_unlock(&adoption->lock);
	if (status == 0)
		adoption_end(inode, resizes);
	adoption_put(adoption);
	return status;
}
