/* SPDX-License-Identifier: MIT */
/*
 * The next request: taken at once, looked for, or slept for.
 *
 * Nobody looks while more threads want to run than there are processors: it would be
 * the time of the program that is served (runnable.h).
 *
 * As a rule it is read into memory. After a long one it is taken into a pipe.
 */

#include <errno.h>
#include <poll.h>
#include <sched.h>

#include "runnable.h"
#include "serving_internal.h"

/* poll(2) that need not sleep. */
#define AT_ONCE_NS 2000

/* @return as fuse_session_receive_buf() */
static int receive_in_memory(struct server *me)
{
	const int n = fuse_session_receive_buf(me->serving->config.session, &me->buf);

	if (n > 0) {
		if (!me->has_buffer)
			atomic_fetch_add(&me->serving->buffers, 1);
		me->has_buffer = true;
		me->request = &me->buf;
		me->client_pid = ((const struct fuse_in_header *)me->buf.mem)->pid;
		in_hand_took(me, me->buf.mem, (size_t)n);
		admission_note(me, me->buf.mem, (size_t)n);
	}
	return n;
}

/* If that fails, the request is not known before it has been served, which is safe. */
static void look_into_pipe(struct server *me)
{
	char head[IN_HAND_HEAD];
	const ssize_t n = request_pipe_peek(&me->pipe, head, sizeof(head));

	if (n > 0)
		in_hand_took(me, head, (size_t)n);
	admission_note(me, head, n > 0 ? (size_t)n : 0);
}

/* Likewise. */
static int receive_in_pipe(struct server *me)
{
	struct serving *serving = me->serving;
	int n;

	if (request_pipe_ensure(&me->pipe, serving->config.pipe_bytes) < 0) {
		/* Not once more for each request. */
		me->expects_long = false;
		me->has_no_pipe = true;
		return receive_in_memory(me);
	}
	n = request_pipe_receive(&me->pipe, fuse_session_fd(serving->config.session));
	if (n > 0) {
		me->piped = (struct fuse_buf){.size = (size_t)n,
					      .flags = FUSE_BUF_IS_FD,
					      .fd = me->pipe.fds[0]};
		me->request = &me->piped;
		look_into_pipe(me);
	}
	/* As libfuse says it. */
	return n == -ENODEV ? 0 : n;
}

/* Take a request if there is one.
 * @return its bytes; 0 if all has ended; -EAGAIN; -ENOMEM: the caller is off duty */
static int try_receive(struct server *me)
{
	struct serving *serving = me->serving;
	int n;

	if (serving_has_ended(serving))
		return 0;
	in_hand_look(me);
	/* What may have to wait as data is not taken into a pipe. */
	n = me->expects_long && !serving_is_crowded(serving) ? receive_in_pipe(me)
							     : receive_in_memory(me);
	if (n <= 0)
		in_hand_empty(me);
	if (n == -EINTR || n == -EAGAIN)
		return -EAGAIN;
	if (n == -ENOMEM && duty_pass_on(me))
		return n;
	if (n <= 0)
		serving_end(serving, n);
	return n > 0 ? n : 0;
}

/* Sleep until there may be a request. How long to look for the next one before sleeping
 * depends on how long this was. */
static void sleep_for_one(struct server *me)
{
	struct serving *serving = me->serving;
	struct pollfd fds[] = {
		{.fd = fuse_session_fd(serving->config.session), .events = POLLIN},
		{.fd = serving->stop_fd, .events = POLLIN},
	};
	const uint64_t before = serving_now_ns();
	uint64_t slept_ns;

	atomic_store(&serving->asleep, true);
	(void)poll(fds, 2, -1);
	duty_slept(serving);
	slept_ns = serving_now_ns() - before;
	me->expects_none = slept_ns > AT_ONCE_NS;
	poll_window_slept(&me->window, slept_ns);
}

/*
 * Look for a request for as long as it seems worth it. Whoever wants this processor has
 * it meanwhile: the client itself, perhaps, that our answer has woken up.
 * @return as try_receive()
 */
static int look(struct server *me)
{
	uint64_t until;
	int n;

	if (me->window.ns == 0 || runnable_too_many(me->serving->runnable))
		return -EAGAIN;
	until = serving_now_ns() + me->window.ns;
	do {
		sched_yield();
		n = try_receive(me);
	} while (n == -EAGAIN && serving_now_ns() < until);
	if (n != -EAGAIN)
		me->expects_none = false;
	return n;
}

static void stay_near_client(struct server *me)
{
	if (me->client_pid &&
	    client_place_waits(&me->client, me->client_pid, serving_now_ns()))
		client_place_follow(me->client_pid);
}

int next_request(struct server *me)
{
	/* Where requests come one by one, and not soon, a look for nothing is saved. */
	int n = me->expects_none ? -EAGAIN : try_receive(me);

	if (n != -EAGAIN) {
		client_place_is_good(&me->client);
		return n;
	}
	stay_near_client(me);
	while (n == -EAGAIN) {
		atomic_store_explicit(&me->serving->found_none, true,
				      memory_order_relaxed);
		if (duty_leave_to_others(me))
			break;
		n = look(me);
		if (n != -EAGAIN)
			break;
		sleep_for_one(me);
		n = try_receive(me);
	}
	return n;
}
