/* SPDX-License-Identifier: MIT */
/*
 * The fence, as far as it is about requests.
 *
 * The kernel puts requests into one queue, from which they are taken in order (Linux
 * fs/fuse/dev.c, fiq->pending). So we have it put a request of our own there, the marker:
 * the answer to a question about the file (kernel_question.h). When that has been taken,
 * everything that was in the queue before it has been taken; and when all that was taken
 * is known (in_hand.c), so is every WRITE among it.
 *
 * But a WRITE may not have been in that queue yet. The kernel has `max_background`
 * background requests under way at most, and keeps the rest in another queue, which the
 * marker overtakes. Such a WRITE waits there only while all the places are taken: each by
 * a request that we had taken and not answered when we sent the marker, or by one that
 * was taken since, with the marker at the latest. If those two together are fewer than
 * the places, no WRITE can have been waiting. If not, it is tried again: places become
 * free as requests are answered.
 *
 * True on Linux from 5.10 on at least, as long as requests come through /dev/fuse and not
 * through io_uring; whoever the other users of the mount are: many of them at once can
 * make it last FENCE_NS and end in -EBUSY, and do no more.
 */

#include "fence.h"

#include <errno.h>
#include <time.h>

#include "background_places.h"
#include "kernel_question.h"
#include "request_hold.h"
#include "serving.h"

/* Before it is tried again: about what it takes to answer some requests. */
#define PAUSE_NS 200000

/* Background requests that we may have taken and not answered. What waits as data is
 * served, and perhaps parked then: so the parked ones are counted last, or some that move
 * on meanwhile would be missed. */
static uint64_t count_unanswered(struct daemon *daemon)
{
	const uint64_t serving = serving_requests_max(daemon->serving);

	return serving + atomic_load(&daemon->parked_requests);
}

/* @return 1: known; 0: WRITEs may have been waiting for a place; or a negative errno */
static int try_once(struct inode *inode, uint64_t until_ns)
{
	struct daemon *daemon = inode->daemon;
	/* In this order: what is taken between the two is counted twice, not never. */
	const uint64_t taken = serving_background_taken(daemon->serving);
	const uint64_t unanswered = count_unanswered(daemon);
	const ssize_t answer = kernel_ask(inode, 0, 0, until_ns);
	int status;

	/* The kernel has dropped the inode: nothing of it can be on its way, as what is
	 * holds a reference. */
	if (answer == -ENOENT)
		return 1;
	if (answer < 0)
		return (int)answer;
	status = serving_await_known(daemon->serving, until_ns);
	if (status < 0)
		return status;
	return unanswered + (serving_background_taken(daemon->serving) - taken) <
		       background_places(daemon) ||
	       REQUEST_BROKEN(fence_queue);
}

int fence_pass(struct inode *inode)
{
	const uint64_t until_ns = inode_clock_ns() + FENCE_NS;
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int status;

	while ((status = try_once(inode, until_ns)) == 0) {
		REQUEST_HOLD(places);
		if (cl_gate_parked(inode->mapping) > 0)
			return -EAGAIN;
		if (inode_clock_ns() >= until_ns)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	if (status == -ETIMEDOUT)
		return -EBUSY;
	return status > 0 ? 0 : status;
}

static int pass_with_open_gate(struct inode *inode)
{
	const uint64_t until_ns = inode_clock_ns() + FENCE_NS;
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int status;

	while ((status = fence_pass(inode)) == -EAGAIN && inode_clock_ns() < until_ns)
		nanosleep(&pause, NULL);
	return status == -EAGAIN ? -EBUSY : status;
}

/*
 * Twice: the first time what was under way is answered. What the kernel kept back because
 * of that (a page written back again waits for the WRITE before, and there is one that
 * waits at most) is in its queue then, since the gate is left after the answer.
 */
int fence_drain(struct inode *inode)
{
	struct cl_gate_entry entry = {
		.range = {0, CL_RANGE_EOF},
		.kind = CL_GATE_EXCLUSIVE,
	};
	int status = 0;

	for (int round = 0; round < 2 && status == 0; round++) {
		status = pass_with_open_gate(inode);
		if (status < 0)
			break;
		cl_gate_enter_wait(inode->mapping, &entry);
		cl_gate_leave(inode->mapping, &entry);
	}
	return status;
}
