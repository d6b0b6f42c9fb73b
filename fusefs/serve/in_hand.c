/* SPDX-License-Identifier: MIT */
/*
 * In hand: requests that a thread has taken from the kernel and nobody else can see yet.
 *
 * Between the read(2) that takes a WRITE and its entry at the gate there are some
 * instructions, and a thread may lose its processor there for as long as the scheduler
 * likes. The fence must know of such a WRITE. So each look for a request has a number,
 * which stands in server.in_hand from before the look until what it brought is known.
 * Numbers grow: who draws one, and then waits until nobody has a smaller one in hand,
 * has waited for all that had been taken before. It does not wait for what is taken
 * meanwhile, so it ends.
 *
 * The order is the kernel's: the number is in place before the read(2) that takes a
 * request, and requests are taken in the order of one lock. Who has seen the answer to
 * a request of his own sees the numbers of all that were taken before it.
 *
 * Only writebacks must be waited for. Any other request is known by its first bytes.
 */

#include <assert.h>
#include <errno.h>

#include "request_hold.h"
#include "serving_internal.h"

/* A look at the hands; nearly always the first one is enough. */
#define LOOK_NS 20000

void in_hand_look(struct server *me)
{
	uint64_t number;

	REQUEST_HOLD(looking);
	number = atomic_fetch_add(&me->serving->looks, 1) + 1;
	me->taken = number;
	me->writeback.nodeid = 0; /* nobody's, until it is looked at */
	atomic_store(&me->in_hand, number);
}

uint64_t serving_request_taken(void)
{
	const struct server *me = duty_current();

	return me ? me->taken : 0;
}

uint64_t serving_taken_by_now(const struct serving *serving)
{
	return atomic_load(&serving->looks);
}

void in_hand_empty(struct server *me)
{
	atomic_store(&me->in_hand, 0);
}

/* Linux, fs/fuse: what goes through fuse_simple_background(), or may. */
static bool may_be_background(uint32_t opcode)
{
	return opcode == FUSE_READ || opcode == FUSE_WRITE || opcode == FUSE_RELEASE ||
	       opcode == FUSE_RELEASEDIR;
}

static bool may_be_writeback(const void *request, size_t len)
{
	const struct fuse_in_header *header = request;
	const struct fuse_write_in *in = (const void *)(header + 1);

	return header->opcode == FUSE_WRITE &&
	       (len < IN_HAND_HEAD || in->write_flags & FUSE_WRITE_CACHE);
}

/* Of what is too short to say so, anything. */
static void note_writeback(struct server *me, const struct fuse_in_header *header,
			   size_t len)
{
	const struct fuse_write_in *in = (const void *)(header + 1);
	const bool whole = len >= IN_HAND_HEAD;

	me->writeback.nodeid = header->nodeid;
	me->writeback.offset = whole ? in->offset : 0;
	me->writeback.len = whole ? in->size : UINT64_MAX;
}

void in_hand_took(struct server *me, const void *request, size_t len)
{
	const struct fuse_in_header *header = request;

	if (len < sizeof(*header))
		return;
	if (may_be_background(header->opcode))
		atomic_fetch_add(&me->background_taken, 1);
	if (may_be_writeback(request, len))
		note_writeback(me, header, len);
	else
		in_hand_empty(me);
}

/* Nobody has said that it is known: libfuse has refused it. Or an operation of ours has,
 * before the gate, and told that itself; to hear it twice makes the fence look once more.
 */
void in_hand_served(struct server *me)
{
	const struct serving_config *config = &me->serving->config;

	if (atomic_load(&me->in_hand) == me->taken && config->unserved)
		config->unserved(config->arg, me->writeback.nodeid,
				 me->writeback.offset, me->writeback.len);
	in_hand_empty(me);
}

void serving_request_known(void)
{
	struct server *me = duty_current();

	if (me)
		in_hand_empty(me);
}

/* Whether somebody has a request in hand that he looked for before this number. */
static bool any_before(struct serving *serving, uint64_t number)
{
	struct server *server;
	bool any = false;

	pthread_mutex_lock(&serving->lock);
	cds_list_for_each_entry(server, &serving->servers, node) {
		const uint64_t in_hand = atomic_load(&server->in_hand);

		any |= in_hand != 0 && in_hand < number;
	}
	pthread_mutex_unlock(&serving->lock);
	return any;
}

int serving_await_known(struct serving *serving, uint64_t until_ns)
{
	const uint64_t number = atomic_fetch_add(&serving->looks, 1) + 1;
	const struct timespec moment = {.tv_nsec = LOOK_NS};

	assert(!duty_current());
	while (!REQUEST_BROKEN(fence_taken) && any_before(serving, number)) {
		REQUEST_HOLD(awaiting);
		if (serving_now_ns() >= until_ns)
			return -ETIMEDOUT;
		nanosleep(&moment, NULL);
	}
	return 0;
}

uint64_t serving_background_taken(struct serving *serving)
{
	struct server *server;
	uint64_t taken;

	pthread_mutex_lock(&serving->lock);
	taken = serving->left_background_taken;
	cds_list_for_each_entry(server, &serving->servers, node)
		taken += atomic_load(&server->background_taken);
	pthread_mutex_unlock(&serving->lock);
	return taken;
}

size_t serving_requests_max(struct serving *serving)
{
	size_t requests;

	pthread_mutex_lock(&serving->lock);
	requests = serving->threads + serving->queued;
	pthread_mutex_unlock(&serving->lock);
	return requests;
}
