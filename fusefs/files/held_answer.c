/* SPDX-License-Identifier: MIT */
/* See held_answer.h. */

#include "held_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <urcu/compiler.h>

#include "account.h"
#include "notifier.h"
#include "parked_request.h"
#include "timed_cond.h"
#include "worker_pool.h"

/* To drop a few pages takes a thousandth. Nothing but an error depends on it. */
#define ANSWER_WAITS_NS ((uint64_t)5000000000)
/* After this the drop of a page at the edge is held up, and it is asked by whom; and so
 * often again. */
#define EDGE_IS_HELD_NS ((uint64_t)250000000)

/* -------------------------------------------------------------------- which pages */

static bool is_resident(struct inode *inode, uint64_t start, uint64_t end)
{
	return start < end &&
	       cl_mapping_is_resident(inode->mapping, (struct cl_range){start, end});
}

struct shown_pages shown_pages_of(struct inode *inode, uint64_t offset, size_t len)
{
	const uint64_t mask = CL_PAGE_SIZE - 1, end = offset + len;
	const struct cl_range touched = {offset & ~mask, (end + mask) & ~mask};
	struct cl_range filled = pages_filled(offset, len);
	struct shown_pages pages = {filled, filled};

	if (filled.start > filled.end) { /* a part of one page */
		pages.shown.end = filled.start;
		filled.end = touched.start;
	}
	if (is_resident(inode, touched.start, filled.start))
		pages.shown.start = touched.start;
	if (is_resident(inode, filled.end, touched.end))
		pages.shown.end = touched.end;
	return pages;
}

bool shown_pages_any(const struct shown_pages *pages)
{
	return pages->shown.start < pages->shown.end;
}

/* ------------------------------------------------------------------- the two jobs */

/* What has been dropped. */
enum dropped { NOTHING, FILLED, ALL };

/* Two jobs hold it: one drops, the other waits for that and answers. */
struct held_answer {
	struct job drops, answers;
	struct inode *inode; /* with a reference */
	struct shown_pages pages;
	bool may_be_locked; /* the pages at the edges, until the answer */
	void (*answer)(void *arg, int status);
	void *arg;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	unsigned refs;
	enum dropped dropped;
	int status; /* the first error of the kernel's */
};

static void put(struct held_answer *held)
{
	bool last;

	pthread_mutex_lock(&held->lock);
	last = --held->refs == 0;
	pthread_mutex_unlock(&held->lock);
	if (!last)
		return;
	inode_put(held->inode, 1);
	pthread_cond_destroy(&held->changed);
	pthread_mutex_destroy(&held->lock);
	free(held);
}

static void tell_dropped(struct held_answer *held, enum dropped dropped, int status)
{
	pthread_mutex_lock(&held->lock);
	if (held->status == 0)
		held->status = status;
	held->dropped = dropped;
	pthread_cond_signal(&held->changed);
	pthread_mutex_unlock(&held->lock);
}

/* The pages at the edges, which may be locked until the answer, last. */
static void drop(struct job *job)
{
	struct held_answer *held = caa_container_of(job, struct held_answer, drops);
	struct inode *inode = held->inode;
	const struct cl_range shown = held->pages.shown;
	struct cl_range filled = held->pages.filled;
	int first, last;

	if (filled.start >= filled.end)
		filled = (struct cl_range){shown.start, shown.start};
	tell_dropped(held, FILLED, notifier_invalidate(inode, filled));
	first = notifier_invalidate(inode,
				    (struct cl_range){shown.start, filled.start});
	last = notifier_invalidate(inode, (struct cl_range){filled.end, shown.end});
	tell_dropped(held, ALL, first < 0 ? first : last);
	put(held);
}

/* For so long, or until so much has been dropped. Required: lock. */
static bool wait_until_dropped(struct held_answer *held, enum dropped dropped,
			       uint64_t ns)
{
	const struct timespec deadline = deadline_after(ns);
	int status = 0;

	while (held->dropped < dropped && status == 0)
		status = pthread_cond_timedwait(&held->changed, &held->lock, &deadline);
	return held->dropped >= dropped;
}

/* Whoever has a page locked up there waits for us: for bytes of it, or for its WRITE. */
static bool nobody_else_has_them(const struct held_answer *held)
{
	struct cl_mapping *mapping = held->inode->mapping;
	struct cl_gate_entry entry = {.range = held->pages.shown,
				      .kind = CL_GATE_EXCLUSIVE};

	if (!cl_gate_try_enter(mapping, &entry))
		return false;
	cl_gate_leave(mapping, &entry);
	return true;
}

/* @return 0; what the kernel said; -ETIMEDOUT */
static int wait_until_answerable(struct held_answer *held)
{
	bool answerable = false;
	int status;

	pthread_mutex_lock(&held->lock);
	if (wait_until_dropped(held, FILLED, ANSWER_WAITS_NS))
		for (uint64_t ns = 0; ns < ANSWER_WAITS_NS && !answerable;
		     ns += EDGE_IS_HELD_NS)
			answerable =
				wait_until_dropped(held, ALL, EDGE_IS_HELD_NS) ||
				(held->may_be_locked && nobody_else_has_them(held));
	status = answerable ? held->status : -ETIMEDOUT;
	pthread_mutex_unlock(&held->lock);
	return status;
}

static void answer_held(struct job *job)
{
	struct held_answer *held = caa_container_of(job, struct held_answer, answers);

	held->answer(held->arg, wait_until_answerable(held));
	put(held);
}

int held_answer_start(fuse_req_t req, struct inode *inode,
		      const struct shown_pages *pages,
		      void (*answer)(void *arg, int status), void *arg)
{
	struct daemon *daemon = inode->daemon;
	struct held_answer *held = calloc(1, sizeof(*held));

	if (!held)
		return -ENOMEM;
	held->drops.run = drop;
	held->answers.run = answer_held;
	held->drops.account = held->answers.account = account_of(req, inode);
	inode_get(inode);
	held->inode = inode;
	held->pages = *pages;
	held->may_be_locked = atomic_load(&inode->dropped);
	held->answer = answer;
	held->arg = arg;
	held->refs = 2;
	pthread_mutex_init(&held->lock, NULL);
	timed_cond_init(&held->changed);
	/* Not behind revalidations, which wait for pages that are locked until this is
	 * answered; nor the answer among those that call the mount, who may all wait for
	 * it. */
	worker_pool_submit(daemon->range_operations, &held->drops);
	worker_pool_submit(daemon->continuations, &held->answers);
	return 0;
}
