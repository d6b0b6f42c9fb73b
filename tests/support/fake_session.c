/* SPDX-License-Identifier: MIT */
/* See fake_session.h. */

#include "fake_session.h"

#include <assert.h>
#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runnable.h"
#include "serving.h"

#define QUEUE_MAX 65536

/* What there is of a request. */
struct fake_request {
	struct fuse_in_header header;
	struct fuse_write_in write;
};

struct fuse_session {
	void (*serve)(unsigned number);
	int fd; /* an eventfd that counts what is queued */
	_Atomic uint32_t client_tid;
	_Atomic bool starved;
	_Atomic unsigned long looks;

	pthread_mutex_t lock;
	/* Guarded by it. */
	struct fake_request *queue;
	unsigned first, count;
	bool failed;
	int status;
};

struct fuse_session *fake_session_new(void (*serve)(unsigned number))
{
	struct fuse_session *session = calloc(1, sizeof(*session));

	assert(session);
	session->serve = serve;
	session->fd = eventfd(0, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC);
	session->queue = calloc(QUEUE_MAX, sizeof(*session->queue));
	assert(session->fd >= 0 && session->queue);
	pthread_mutex_init(&session->lock, NULL);
	return session;
}

void fake_session_free(struct fuse_session *session)
{
	close(session->fd);
	pthread_mutex_destroy(&session->lock);
	free(session->queue);
	free(session);
}

static void make_readable(struct fuse_session *session)
{
	const uint64_t one = 1;

	if (write(session->fd, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void send(struct fuse_session *session, const struct fake_request *request)
{
	pthread_mutex_lock(&session->lock);
	assert(session->count < QUEUE_MAX);
	session->queue[(session->first + session->count++) % QUEUE_MAX] = *request;
	pthread_mutex_unlock(&session->lock);
	make_readable(session);
}

void fake_session_send_kind(struct fuse_session *session, unsigned number,
			    uint32_t opcode, uint32_t write_flags)
{
	const struct fake_request request = {
		.header = {.len = sizeof(request), .opcode = opcode, .unique = number},
		.write = {.write_flags = write_flags},
	};

	send(session, &request);
}

void fake_session_send_as(struct fuse_session *session, unsigned number, uint32_t uid,
			  uint32_t opcode, uint64_t nodeid)
{
	const struct fake_request request = {
		.header = {.len = sizeof(request),
			   .opcode = opcode,
			   .unique = number,
			   .nodeid = nodeid,
			   .uid = uid},
	};

	send(session, &request);
}

void fake_session_send(struct fuse_session *session, unsigned number)
{
	fake_session_send_kind(session, number, FUSE_GETATTR, 0);
}

void fake_session_fail(struct fuse_session *session, int status)
{
	pthread_mutex_lock(&session->lock);
	session->failed = true;
	session->status = status;
	pthread_mutex_unlock(&session->lock);
	make_readable(session);
}

void fake_session_come_from(struct fuse_session *session, uint32_t tid)
{
	atomic_store(&session->client_tid, tid);
}

void fake_session_starve(struct fuse_session *session)
{
	atomic_store(&session->starved, true);
}

unsigned long fake_session_looks(struct fuse_session *session)
{
	return atomic_load(&session->looks);
}

/* -------------------------------------------------------------------- libfuse's */

int fuse_session_fd(struct fuse_session *session)
{
	return session->fd;
}

int fuse_session_receive_buf(struct fuse_session *session, struct fuse_buf *buf)
{
	struct fake_request request;
	int status = -EAGAIN;
	uint64_t one;

	atomic_fetch_add(&session->looks, 1);
	if (!buf->mem && atomic_load(&session->starved))
		return -ENOMEM;
	if (read(session->fd, &one, sizeof(one)) < 0)
		return -errno;
	pthread_mutex_lock(&session->lock);
	if (session->count > 0) {
		request = session->queue[session->first];
		session->first = (session->first + 1) % QUEUE_MAX;
		session->count--;
		status = sizeof(request);
	} else if (session->failed) {
		status = session->status;
	}
	pthread_mutex_unlock(&session->lock);
	if (status != sizeof(request))
		return status;
	request.header.pid = session->client_tid;
	if (!buf->mem)
		buf->mem = malloc(sizeof(request));
	assert(buf->mem);
	memcpy(buf->mem, &request, sizeof(request));
	return status;
}

void fuse_session_process_buf(struct fuse_session *session, const struct fuse_buf *buf)
{
	const struct fuse_in_header *header = buf->mem;

	session->serve((unsigned)header->unique);
}

/* ------------------------------------------------------------------- runnable.c's */

_Atomic bool fake_too_many;

/* One, which has nothing in it. */
static char only;

int runnable_create(struct runnable **ret_runnable)
{
	*ret_runnable = (struct runnable *)(void *)&only;
	return 0;
}

void runnable_free(struct runnable *runnable)
{
	(void)runnable;
}

bool runnable_too_many(struct runnable *runnable)
{
	(void)runnable;
	return atomic_load(&fake_too_many);
}
