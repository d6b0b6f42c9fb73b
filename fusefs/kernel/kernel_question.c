/* SPDX-License-Identifier: MIT */
/*
 * Asking the kernel.
 *
 * The answer comes as a request, on a thread that serves them; whoever asked waits a
 * bounded time for it, so both share the question until the later of them is done.
 */

#include "kernel_question.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "request_hold.h"
#include "timed_cond.h"
#include "worker_pool.h"

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

	if (!question)
		return NULL;
	question->refs = 2;
	pthread_mutex_init(&question->lock, NULL);
	timed_cond_init(&question->answered_cond);
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
	REQUEST_HOLD(marked);
	pthread_mutex_lock(&question->lock);
	question->bytes = fuse_buf_size(bufv);
	question->answered = true;
	pthread_cond_signal(&question->answered_cond);
	pthread_mutex_unlock(&question->lock);
	question_put(question, 1);
	fuse_reply_none(req);
}

static ssize_t wait_for_answer(struct question *question, uint64_t until_ns)
{
	const struct timespec deadline = {(time_t)(until_ns / 1000000000),
					  (long)(until_ns % 1000000000)};
	ssize_t bytes = -ETIMEDOUT;
	int error = 0;

	pthread_mutex_lock(&question->lock);
	while (!question->answered && error == 0)
		error = pthread_cond_timedwait(&question->answered_cond,
					       &question->lock, &deadline);
	if (question->answered)
		bytes = (ssize_t)question->bytes;
	pthread_mutex_unlock(&question->lock);
	return bytes;
}

ssize_t kernel_ask(struct inode *inode, uint64_t offset, size_t len, uint64_t until_ns)
{
	struct question *question;
	ssize_t bytes;
	int status;

	assert(daemon_may_wait_for_kernel(inode->daemon));
	question = question_new();
	if (!question)
		return -ENOMEM;
	REQUEST_HOLD(asking);
	status = fuse_lowlevel_notify_retrieve(inode->daemon->session, inode->nodeid,
					       len, (off_t)offset, question);
	if (status < 0) {
		question_put(question, 2); /* nobody will answer */
		return status;
	}
	bytes = wait_for_answer(question, until_ns);
	question_put(question, 1);
	return bytes;
}
