/* SPDX-License-Identifier: MIT */
/*
 * Revalidation: a round compares the cached pages with the store while the gate keeps
 * everybody out, opens the gate, then tells the kernel what to drop.
 *
 * Between the two the kernel may still show old bytes, as it did before; nobody who
 * waits for the round has been answered. A request that notices a change which was made
 * after the round had looked at the store waits for the next round, the others for the
 * one under way.
 *
 * The kernel is made to adopt the size when the round is over for all others: asking it
 * to makes it send a GETATTR, which must not wait for the round that asks.
 */

#include "revalidate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"
#include "change_guard.h"
#include "fence.h"
#include "inode_log.h"
#include "kernel_question.h"
#include "notifier.h"
#include "open_file.h"
#include "serving.h"
#include "size_adoption.h"
#include "worker_pool.h"

/* More than these, and the last one is stretched: dropping too much is harmless. */
#define MAX_RANGES 256

/* For those who ask for attributes while it ends. */
#define GATHER_NS 100000000

struct revalidation {
	struct job job;
	struct inode *inode; /* with a reference */

	/* Guarded by inode->revalidate_lock. */
	bool settled; /* later changes are for the next round */
	bool again;   /* there must be a next round */
	struct cds_list_head waiters, next_waiters;

	/* The round's own. */
	uint64_t old_size, new_size;
	int status; /* of the notifications */
	struct cl_range ranges[MAX_RANGES];
	size_t nranges;
};

/* ------------------------------------------------------------------- a round */

static void add_range(void *arg, struct cl_range range)
{
	struct revalidation *r = arg;

	if (r->nranges < MAX_RANGES)
		r->ranges[r->nranges++] = range;
	else
		r->ranges[MAX_RANGES - 1].end = range.end;
}

static int settle(struct revalidation *r, uint64_t *ret_size)
{
	struct inode *inode = r->inode;
	int status;

	pthread_mutex_lock(&inode->revalidate_lock);
	r->settled = true;
	status = change_settle(inode, ret_size);
	pthread_mutex_unlock(&inode->revalidate_lock);
	return status;
}

/* Gate: EXCLUSIVE over the whole file. */
static void compare(struct revalidation *r)
{
	const struct cl_range whole = {0, CL_RANGE_EOF};
	struct cl_mapping *mapping = r->inode->mapping;
	uint64_t size;

	/* What we have not written yet is newer than anything. If it cannot be written
	 * now, it stays; the library has recorded the error. */
	cl_writeback(mapping, whole);
	r->old_size = cl_mapping_size(mapping);
	r->nranges = 0;
	if (settle(r, &size) < 0)
		size = r->old_size;
	/* An error has made it drop, and report, everything. */
	cl_revalidate(mapping, size, add_range, r);
	r->new_size = cl_mapping_size(mapping);
	if (r->new_size < r->old_size)
		adoption_begin(r->inode, r->old_size);
	else if (r->new_size > r->old_size)
		adoption_is_owed(r->inode);
}

/*
 * Before 6.16 what the kernel has sent of pages past a new end may come later still:
 * its own truncate does not wait for it. It must not when somebody has made the file
 * longer again, and expects zeros there. All other pages stay at their places, and
 * whoever wants one waits in the kernel for its WRITE.
 */
static int drain_past_end(const struct revalidation *r)
{
	struct inode *inode = r->inode;
	const bool shorter = r->new_size < r->old_size || inode->undropped;

	return shorter && inode->daemon->needs_fence ? fence_drain(inode) : 0;
}

/*
 * The kernel drops what differs. If it does not, our cache will soon have the new bytes
 * again, and a comparison find nothing: the next round has it drop the whole file.
 */
static void drop_above(struct revalidation *r)
{
	struct inode *inode = r->inode;
	int status;

	if (inode->undropped) {
		r->ranges[0] = (struct cl_range){0, CL_RANGE_EOF};
		r->nranges = 1;
	}
	r->status = 0;
	for (size_t i = 0; i < r->nranges; i++) {
		status = notifier_invalidate(inode, r->ranges[i]);
		if (r->status == 0)
			r->status = status;
	}
	status = drain_past_end(r);
	if (r->status == 0)
		r->status = status;
	notifier_forget_attributes(inode);
	inode->undropped = r->status < 0;
	if (r->status == 0)
		return;
	log_inode(LOG_WARNING, inode,
		  "changed behind the mount, and the kernel still shows what was "
		  "before: %s; whoever opens it next tries again",
		  strerror(-r->status));
	change_suspect(inode);
}

/*
 * An answer to a GETATTR that was sent before a notification is shown to whoever asked,
 * and not believed (attr_version): he would see a size that his mapping does not have. So
 * those that are still in the queue are to join the round, and wait for the adoption,
 * like those that have been taken since it began. What does not get through in time, in a
 * queue that is so long, finds the size a moment later.
 */
static void gather_askers(const struct revalidation *r)
{
	struct inode *inode = r->inode;
	const uint64_t until_ns = inode_clock_ns() + GATHER_NS;

	if (adoption_is_due(inode) && kernel_ask(inode, 0, 0, until_ns) >= 0)
		serving_await_known(inode->daemon->serving, until_ns);
}

static void do_round(struct revalidation *r)
{
	struct cl_gate_entry entry = {
		.range = {0, CL_RANGE_EOF},
		.kind = CL_GATE_EXCLUSIVE,
	};
	struct inode *inode = r->inode;
	const bool in_use = store_get(inode, STORE_READ) == 0;

	/* Without a descriptor the comparison fails, and everything is dropped. */
	cl_gate_enter_wait(inode->mapping, &entry);
	compare(r);
	cl_gate_leave(inode->mapping, &entry);
	if (in_use)
		store_put(inode);

	log_inode(LOG_DEBUG, inode,
		  "changed behind the mount: size %llu was %llu, %zu ranges differ",
		  (unsigned long long)r->new_size, (unsigned long long)r->old_size,
		  r->nranges);
	drop_above(r);
	gather_askers(r);
}

/* ------------------------------------------------------------------ its waiters */

/* Call those that do (not) need the size adopted. */
static void call_waiters(struct cds_list_head *waiters, bool needs_adoption, int status)
{
	struct revalidate_waiter *waiter, *next;

	cds_list_for_each_entry_safe(waiter, next, waiters, node) {
		if (waiter->needs_adoption != needs_adoption)
			continue;
		cds_list_del(&waiter->node);
		waiter->done(waiter, status);
	}
}

/* Take the round's waiters off; then start the next round, or let go.
 * Required: revalidate_lock. */
static void end_round(struct revalidation *r, struct cds_list_head *ret_waiters)
{
	CDS_INIT_LIST_HEAD(ret_waiters);
	cds_list_splice(&r->waiters, ret_waiters);
	CDS_INIT_LIST_HEAD(&r->waiters);
	cds_list_splice(&r->next_waiters, &r->waiters);
	CDS_INIT_LIST_HEAD(&r->next_waiters);
	r->settled = false;
	if (!r->again)
		r->inode->revalidation = NULL;
}

/*
 * Whoever asks for attributes after the round makes the kernel adopt the size, and better
 * by himself: asking beside him, we can have the kernel show him the old one (it declares
 * attributes valid just before it takes the size, fuse_change_attributes_i()). So for a
 * file that has grown this is for those whose answer the round has made worthless; also if
 * another round, or an append, has found the size. What has been cut must be unmapped,
 * whoever asks. If it fails, the file has no path.
 */
static bool must_adopt(struct inode *inode, const struct cds_list_head *waiters)
{
	const struct revalidate_waiter *waiter;

	if (!adoption_is_due(inode))
		return false;
	cds_list_for_each_entry(waiter, waiters, node)
		if (waiter->needs_adoption)
			return true;
	return inode->padded_size > 0;
}

static void run(struct job *job)
{
	struct revalidation *r = (struct revalidation *)job;
	struct inode *inode = r->inode;
	struct cds_list_head waiters;
	bool again;
	int status;

	do_round(r);
	status = r->status;
	inode_get(inode);

	pthread_mutex_lock(&inode->revalidate_lock);
	end_round(r, &waiters);
	again = r->again;
	r->again = false;
	pthread_mutex_unlock(&inode->revalidate_lock);

	if (again) {
		worker_pool_submit(inode->daemon->notifications, &r->job);
	} else {
		free(r);
		inode_put(inode, 1);
	}
	call_waiters(&waiters, false, status);
	if (must_adopt(inode, &waiters))
		adoption_run(inode, 0);
	call_waiters(&waiters, true, status);
	inode_put(inode, 1);
}

/* Required: revalidate_lock, no revalidation under way. */
static struct revalidation *create(struct inode *inode)
{
	struct revalidation *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->job.run = run;
	/* Who opens it may be anybody; what holds it up is in the owner's file. */
	r->job.account = account_of(NULL, inode);
	inode_get(inode);
	r->inode = inode;
	CDS_INIT_LIST_HEAD(&r->waiters);
	CDS_INIT_LIST_HEAD(&r->next_waiters);
	inode->revalidation = r;
	worker_pool_submit(inode->daemon->notifications, &r->job);
	return r;
}

int revalidate_start(struct inode *inode, struct revalidate_waiter *waiter)
{
	struct revalidation *r;
	bool next_round;

	pthread_mutex_lock(&inode->revalidate_lock);
	r = inode->revalidation ? inode->revalidation : create(inode);
	if (r) {
		next_round = r->settled && change_pending(inode);
		r->again |= next_round;
		if (waiter)
			cds_list_add_tail(&waiter->node,
					  next_round ? &r->next_waiters : &r->waiters);
	}
	pthread_mutex_unlock(&inode->revalidate_lock);
	return r ? 0 : -ENOMEM;
}

bool revalidate_running(struct inode *inode)
{
	bool running;

	pthread_mutex_lock(&inode->revalidate_lock);
	running = inode->revalidation != NULL;
	pthread_mutex_unlock(&inode->revalidate_lock);
	return running;
}

void revalidate_soon(struct inode *inode)
{
	change_suspect(inode);
	/* Out of memory: whoever opens the file or asks for its attributes does it. */
	revalidate_start(inode, NULL);
}
