/* SPDX-License-Identifier: MIT */
/*
 * Appending, and what the kernel has cached of it at the wrong place.
 *
 * Before it sends the WRITE, the kernel has copied the bytes to its pages at the offset
 * that it believes in. A page that it had as a whole, or that the bytes fill, is shown to
 * readers from then on; another one is locked until we answer, and read from us
 * afterwards. If the bytes have landed elsewhere, pages of the first kind are wrong and
 * have to be dropped before the answer; whoever drops them waits at one of the second
 * kind until the answer. Which there are we do not know for certain. So the answer waits
 * for the revalidation, which drops them in ascending order, but not for long: a locked
 * page is the last of a WRITE. If the resident set says that there is no page of the first
 * kind, as for short lines at the end of a log, the answer does not wait at all.
 *
 * The kernel's size is too small after that. It asks for attributes before it tells
 * anybody about the end, as the revalidation has it forget those it has; a next append
 * has a wrong offset again, and lands where it should.
 *
 * With --writeback an append writes what is dirty first, and is written through: dirty
 * pages past the store's end would be written over what others append.
 */

#include "append.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <urcu/compiler.h>

#include "account.h"
#include "change_guard.h"
#include "credentials.h"
#include "inode_store.h"
#include "log.h"
#include "notifier.h"
#include "parked_request.h"
#include "reply.h"
#include "revalidate.h"

/* Most revalidations of a page or two take a tenth. */
#define ANSWER_WAITS_NS 5000000

/* Bytes to append. */
struct appending {
	fuse_req_t req;
	struct open_file *file;
	const char *buf;
	size_t len;
	uint64_t offset;   /* the kernel's */
	bool clears_setid; /* the store is to do that, by its own rules */
	bool may_be_shown; /* the kernel may show the bytes at the offset */
	/* When it is done. */
	ssize_t n; /* or a negative errno */
	uint64_t at;
	mode_t mode; /* before */
};

/* ------------------------------------------------------------------ to the store */

static ssize_t append_to_store(void *arg, void *store, uint64_t *ret_at)
{
	const struct appending *a = arg;

	return inode_store_append(store, a->buf, a->len, ret_at);
}

/* What the kernel had whole before, or fills with this. */
static bool may_be_shown(struct inode *inode, uint64_t offset, size_t len)
{
	const uint64_t first_whole = (offset + CL_PAGE_SIZE - 1) & ~(uint64_t)(CL_PAGE_SIZE - 1);
	const struct cl_range range = {offset, offset + len};

	return first_whole + CL_PAGE_SIZE <= range.end ||
	       cl_mapping_is_resident(inode->mapping, range);
}

/* Where it starts to be uncertain what the file has. */
static uint64_t tail_of(struct inode *inode, uint64_t offset)
{
	const uint64_t size = cl_mapping_size(inode->mapping);

	return size < offset ? size : offset;
}

/* With --writeback all that is dirty must be written. */
static struct cl_gate_entry entry_for(struct appending *a)
{
	struct inode *inode = a->file->inode;
	const bool whole = inode->daemon->options.writeback;

	a->may_be_shown = may_be_shown(inode, a->offset, a->len);
	return (struct cl_gate_entry){
		.range = {whole ? 0 : tail_of(inode, a->offset), CL_RANGE_EOF},
		.kind = CL_GATE_EXCLUSIVE,
	};
}

/* Gate: EXCLUSIVE, as of entry_for(). */
static void append(struct appending *a, const struct cl_gate_entry *entry)
{
	struct inode *inode = a->file->inode;
	const struct cl_appender appender = {append_to_store, a};
	uint64_t from = tail_of(inode, a->offset);

	a->mode = inode->mode;
	a->n = atomic_load(&inode->torn) ? -EIO : 0;
	if (a->n == 0 && cl_mapping_dirty_pages(inode->mapping) > 0)
		a->n = cl_writeback(inode->mapping, entry->range);
	if (a->n == 0)
		a->n = credentials_enter(a->req, a->clears_setid ? CREDENTIALS_ALL
								 : CREDENTIALS_BYTES);
	if (a->n < 0)
		return;
	/* It has shrunk while this waited. */
	if (from < entry->range.start)
		from = entry->range.start;
	a->n = cl_append(inode->mapping, &appender, from, &a->at);
	credentials_leave();
}

/* -------------------------------------------------------------------- the answer */

static void answer(const struct appending *a)
{
	notifier_tell_mode(a->file->inode, a->mode);
	if (a->n < 0)
		reply_status(a->req, (int)a->n);
	else
		fuse_reply_write(a->req, (size_t)a->n);
}

/* An answer that waits for what the kernel is to drop first. The job and the
 * revalidation hold it. */
struct moved {
	struct job job;
	struct revalidate_waiter waiter;
	struct appending appended;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	unsigned refs;
	bool dropped;
};

static void moved_put(struct moved *moved)
{
	bool last;

	pthread_mutex_lock(&moved->lock);
	last = --moved->refs == 0;
	pthread_mutex_unlock(&moved->lock);
	if (!last)
		return;
	pthread_cond_destroy(&moved->changed);
	pthread_mutex_destroy(&moved->lock);
	free(moved);
}

static void dropped(struct revalidate_waiter *waiter, int status)
{
	struct moved *moved = caa_container_of(waiter, struct moved, waiter);

	(void)status; /* who opens the file next is told */
	pthread_mutex_lock(&moved->lock);
	moved->dropped = true;
	pthread_cond_signal(&moved->changed);
	pthread_mutex_unlock(&moved->lock);
	moved_put(moved);
}

static void wait_until_dropped(struct moved *moved)
{
	struct timespec deadline;
	int status = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_nsec += ANSWER_WAITS_NS;
	if (deadline.tv_nsec >= 1000000000) {
		deadline.tv_nsec -= 1000000000;
		deadline.tv_sec++;
	}
	pthread_mutex_lock(&moved->lock);
	while (!moved->dropped && status == 0)
		status = pthread_cond_timedwait(&moved->changed, &moved->lock,
						&deadline);
	pthread_mutex_unlock(&moved->lock);
}

static void answer_moved(struct job *job)
{
	struct moved *moved = caa_container_of(job, struct moved, job);
	struct open_file *file = moved->appended.file;

	wait_until_dropped(moved);
	answer(&moved->appended);
	moved_put(moved);
	open_file_put(file);
}

static struct moved *moved_create(const struct appending *a)
{
	struct moved *moved = calloc(1, sizeof(*moved));
	pthread_condattr_t attr;

	if (!moved)
		return NULL;
	moved->job.run = answer_moved;
	moved->job.account = account_of(a->req, a->file->inode);
	moved->waiter.done = dropped;
	moved->appended = *a;
	moved->refs = 2;
	pthread_mutex_init(&moved->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&moved->changed, &attr);
	pthread_condattr_destroy(&attr);
	return moved;
}

/* @return false: without memory for it, the answer goes out at once */
static bool answer_when_dropped(const struct appending *a)
{
	struct inode *inode = a->file->inode;
	struct moved *moved = moved_create(a);

	if (!moved)
		return false;
	if (revalidate_start(inode, &moved->waiter) < 0) {
		moved->refs = 1;
		moved_put(moved);
		return false;
	}
	/* Not among those that call the mount: they may all wait for this very answer. */
	worker_pool_submit(inode->daemon->continuations, &moved->job);
	return true;
}

static void finish(const struct appending *a)
{
	struct open_file *file = a->file;
	const bool moved = a->n > 0 && a->at != a->offset;

	if (moved) {
		log_inode(LOG_DEBUG, file->inode,
			  "appended at %llu, not %llu: it has changed behind the mount",
			  (unsigned long long)a->at, (unsigned long long)a->offset);
		change_suspect(file->inode);
		if (a->may_be_shown && answer_when_dropped(a))
			return;
		revalidate_soon(file->inode);
	}
	answer(a);
	open_file_put(file);
}

/* -------------------------------------------------------------------- the request */

struct append_request {
	struct parked_request parked;
	struct appending appending;
	char data[];
};

static void run(struct parked_request *parked)
{
	struct append_request *request = (struct append_request *)parked;

	append(&request->appending, &parked->entry);
	parked_request_leave(parked);
	finish(&request->appending);
	free(request);
}

static void park(const struct appending *a, const struct cl_gate_entry *entry)
{
	struct append_request *request = malloc(sizeof(*request) + a->len);

	if (!request) {
		reply_status(a->req, -ENOMEM);
		open_file_put(a->file);
		return;
	}
	*request = (struct append_request){
		.parked = {.inode = a->file->inode,
			   .req = a->req,
			   .run = run,
			   .caches = true,
			   .caches_end = a->offset + a->len},
		.appending = *a,
	};
	memcpy(request->data, a->buf, a->len);
	request->appending.buf = request->data;
	parked_request_enter(&request->parked, CL_GATE_EXCLUSIVE, entry->range);
}

void append_and_answer(fuse_req_t req, struct open_file *file, const char *buf,
		       size_t len, uint64_t offset)
{
	struct appending a = {
		.req = req,
		.file = file,
		.buf = buf,
		.len = len,
		.offset = offset,
		.clears_setid = file->inode->mode & (S_ISUID | S_ISGID),
	};
	struct cl_gate_entry entry = entry_for(&a);

	entry.caches = true;
	entry.caches_end = offset + len;
	if (!cl_gate_try_enter(file->inode->mapping, &entry)) {
		park(&a, &entry);
		return;
	}
	append(&a, &entry);
	cl_gate_leave(file->inode->mapping, &entry);
	finish(&a);
}
