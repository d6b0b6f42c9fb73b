/* SPDX-License-Identifier: MIT */
/*
 * Background requests on their way, and the daemon's fence; before 6.16, as later
 * nothing depends on what is here.
 *
 * Such a request waits in bg_queue while max_background of them are unanswered, then in
 * the FIFO of what the daemon will take. Then it is with one of the daemon's threads,
 * which is played by the task that waits for the answer: taken, known to the gate,
 * answered. All others, READs of faults and whatever holds the inode lock, go past
 * these queues, as nobody asks in which order they come.
 */

#include <errno.h>

#include "scheduler.h"
#include "sim_kernel.h"
#include "test_point.h"

/* How long the fence waits for an answer before it asks again, and how often. */
#define PATIENCE_NS ((uint64_t)1000 * 1000)
#define MARKERS	    3

static void append(struct sim_queue *queue, struct sim_request *request)
{
	request->next = NULL;
	if (queue->last)
		queue->last->next = request;
	else
		queue->first = request;
	queue->last = request;
}

static void remove_first(struct sim_queue *queue)
{
	queue->first = queue->first->next;
	if (!queue->first)
		queue->last = NULL;
}

static unsigned max_background(const struct sim_kernel *k)
{
	return k->config.max_background > 0 ? k->config.max_background : 1024;
}

/* flush_bg_queue() */
static void flush_background(struct sim_kernel *k)
{
	while (k->background.first && k->active_background < max_background(k)) {
		struct sim_request *request = k->background.first;

		remove_first(&k->background);
		append(&k->pending, request);
		k->active_background++;
	}
}

/* fuse_request_queue_background() */
void sim_send(struct sim_kernel *k, struct sim_request *request)
{
	if (!k->config.temporary_copies)
		return;
	append(&k->background, request);
	flush_background(k);
}

static bool is_first(const void *arg)
{
	const struct sim_request *request = arg;

	return request->k->pending.first == request;
}

/** read(2) of /dev/fuse. */
static void take(struct sim_kernel *k, struct sim_request *request)
{
	request->k = k;
	sched_wait("its turn to be taken", is_first, request);
	remove_first(&k->pending);
	request->number = ++k->daemon.taken;
}

void sim_take(struct sim_kernel *k, struct sim_request *request)
{
	if (!k->config.temporary_copies)
		return;
	take(k, request);
	k->daemon.unanswered++;
	request->next = k->daemon.unknown;
	k->daemon.unknown = request;
	sched_point("taken");
}

void sim_known(struct sim_kernel *k, struct sim_request *request)
{
	struct sim_request **link = &k->daemon.unknown;

	while (*link && *link != request)
		link = &(*link)->next;
	if (*link)
		*link = request->next;
}

/* fuse_request_end(), up to args->end() */
void sim_answer(struct sim_kernel *k, struct sim_request *request)
{
	(void)request;
	if (!k->config.temporary_copies)
		return;
	k->active_background--;
	flush_background(k);
}

/** The write(2) that brought the answer has returned. */
void sim_answered(struct sim_kernel *k, struct sim_request *request)
{
	if (k->config.temporary_copies && request)
		k->daemon.unanswered--;
}

/* ---------------------------------------------------------------------- the fence */

static bool older_are_known(const void *arg)
{
	const struct sim_request *marker = arg;

	for (const struct sim_request *r = marker->k->daemon.unknown; r; r = r->next)
		if (r->number < marker->number)
			return false;
	return true;
}

/** A request of our own that goes past bg_queue, and what was in the FIFO before it is
 *  known. @return how many have been taken meanwhile */
static unsigned send_marker(struct sim_kernel *k)
{
	const unsigned taken = k->daemon.taken;
	struct sim_request marker = {.k = k};

	append(&k->pending, &marker);
	sched_point("marker_sent");
	take(k, &marker);
	if (!CL_BROKEN(fence_taken))
		sched_wait("what others have taken", older_are_known, &marker);
	return marker.number - taken - 1;
}

static bool has_fewer(const void *arg)
{
	const struct sim_kernel *k = arg;

	return k->daemon.unanswered < max_background(k);
}

/*
 * Somebody can be in bg_queue only while max_background are unanswered: those that we
 * have taken before the marker was sent and not answered, and those before it in the
 * FIFO, which have been taken since.
 */
int sim_fence(void *upper)
{
	struct sim_kernel *k = upper;

	for (unsigned i = 0; i < MARKERS; i++) {
		const unsigned unanswered = k->daemon.unanswered;

		if (unanswered + send_marker(k) < max_background(k) ||
		    CL_BROKEN(fence_queue))
			return 0;
		sched_wait_for("an answer", has_fewer, k, PATIENCE_NS);
	}
	k->daemon.made_way++;
	return -EAGAIN;
}
