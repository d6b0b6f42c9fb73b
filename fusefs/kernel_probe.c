/* SPDX-License-Identifier: MIT */
/*
 * Looking what the kernel has cached.
 *
 * The answer comes as a request, on a thread that serves them; whoever asked waits a
 * bounded time for it, so both share the question until the later of them is done.
 */

#include "kernel_probe.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "worker_pool.h"

#define WAIT_S 1

struct question {
	pthread_mutex_t lock;
	pthread_cond_t answered_cond;
	/* Guarded by lock. */
	unsigned refs;
	bool answered;
	size_t bytes; /* that the kernel had, from the offset asked for on */
};

static struct question *question_new(void)
{
	struct question *question = calloc(1, sizeof(*question));
	pthread_condattr_t attr;

	if (!question)
		return NULL;
	question->refs = 2;
	pthread_mutex_init(&question->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&question->answered_cond, &attr);
	pthread_condattr_destroy(&attr);
	return question;
}

static void question_put(struct question *question, unsigned refs)
{
	bool last;

	pthread_mutex_lock(&question->lock);
	question->refs -= refs;
	last = question->refs == 0;
	pthread_mutex_unlock(&question->lock);
	if (!last)
		return;
	pthread_cond_destroy(&question->answered_cond);
	pthread_mutex_destroy(&question->lock);
	free(question);
}

void op_retrieve_reply(fuse_req_t req, void *cookie, fuse_ino_t ino, off_t offset,
		       struct fuse_bufvec *bufv)
{
	struct question *question = cookie;

	(void)ino;
	(void)offset;
	pthread_mutex_lock(&question->lock);
	question->bytes = fuse_buf_size(bufv);
	question->answered = true;
	pthread_cond_signal(&question->answered_cond);
	pthread_mutex_unlock(&question->lock);
	question_put(question, 1);
	fuse_reply_none(req);
}

static int wait_for_answer(struct question *question)
{
	struct timespec deadline;
	int status = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += WAIT_S;
	pthread_mutex_lock(&question->lock);
	while (!question->answered && status == 0)
		status = pthread_cond_timedwait(&question->answered_cond,
						&question->lock, &deadline);
	if (question->answered)
		status = question->bytes > 0;
	else
		status = -ETIMEDOUT;
	pthread_mutex_unlock(&question->lock);
	return status;
}

/** @return 1 if the kernel has the page at this offset, 0 if not, or a negative errno
 */
static int has_page(struct inode *inode, uint64_t offset)
{
	struct question *question = question_new();
	int status;

	if (!question)
		return -ENOMEM;
	status = fuse_lowlevel_notify_retrieve(inode->daemon->session, inode->nodeid,
					       CL_PAGE_SIZE, (off_t)offset, question);
	if (status < 0) {
		question_put(question, 2); /* nobody will answer */
		return status == -ENOENT ? 0 : status;
	}
	status = wait_for_answer(question);
	question_put(question, 1);
	return status;
}

int kernel_probe_find(struct inode *inode, struct cl_range range, uint64_t *ret_offset)
{
	const uint64_t size = cl_mapping_size(inode->mapping);
	uint64_t pages, step;

	assert(daemon_may_wait_for_kernel(inode->daemon));
	if (range.end > size)
		range.end = size;
	if (range.start >= range.end)
		return 0;
	pages = (range.end - range.start + CL_PAGE_SIZE - 1) / CL_PAGE_SIZE;
	step = (pages + KERNEL_PROBE_PAGES_MAX - 1) / KERNEL_PROBE_PAGES_MAX *
	       CL_PAGE_SIZE;
	for (uint64_t offset = range.start; offset < range.end; offset += step) {
		const int status = has_page(inode, offset);

		if (status == 1)
			*ret_offset = offset;
		if (status != 0)
			return status;
	}
	return 0;
}
