/* SPDX-License-Identifier: MIT */
/*
 * Appending, and what the kernel has cached of it at the wrong place.
 *
 * Before it sends the WRITE, the kernel has copied the bytes to its pages at the offset
 * that it believes in. A page that it had as a whole, or that the bytes fill, is shown to
 * readers from then on; another one, the first or the last of the WRITE, is locked until
 * we answer, and read from us afterwards. If the bytes have landed elsewhere, pages of
 * the first kind are wrong. Until the answer the kernel holds what is in them for past the
 * end of the file; from then on it would show them, and write them back over what others
 * have appended. So they are dropped before the answer, which waits for that; pages of the
 * second kind are not touched, as that would wait for the answer.
 *
 * Which kind the first and the last page are is known by the resident set, as a write to
 * a part of a page does not make it resident (pages_filled()). It errs in one direction: the
 * kernel may have given up a page of the first kind by itself, or because it was told to
 * while somebody read it, and have it locked. Then it cannot be dropped before the answer,
 * and need not: it is of the second kind. So if the drop of a page at the edge does not
 * come back, and nobody else has the page, who might have it locked, the answer goes out.
 * If somebody has, and does not let go, the appender gets EIO, with his bytes in the file,
 * and nobody a wrong one.
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
#include "size_adoption.h"

/* To drop a few pages takes a thousandth. Nothing but an error depends on it. */
#define ANSWER_WAITS_NS ((uint64_t)5000000000)
/* After this the drop of a page at the edge is held up, and how often it is asked by whom. */
#define EDGE_IS_HELD_NS ((uint64_t)250000000)

/* Bytes to append. */
struct appending {
	fuse_req_t req;
	struct open_file *file;
	const char *buf;
	size_t len;
	uint64_t offset;	/* the kernel's */
	bool clears_setid;	/* the store is to do that, by its own rules */
	struct cl_range filled; /* the pages that the bytes fill, from the offset on */
	struct cl_range shown;	/* those that the kernel may show; whole pages */
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

static bool is_resident(struct inode *inode, uint64_t start, uint64_t end)
{
	return start < end &&
	       cl_mapping_is_resident(inode->mapping, (struct cl_range){start, end});
}

/* What the kernel has of it at its offset; a part of a page that it did not have before
 * is not shown. */
static void look_at_pages(struct appending *a)
{
	const uint64_t mask = CL_PAGE_SIZE - 1, end = a->offset + a->len;
	const struct cl_range touched = {a->offset & ~mask, (end + mask) & ~mask};
	struct inode *inode = a->file->inode;
	struct cl_range filled = pages_filled(a->offset, a->len);

	a->filled = a->shown = filled;
	if (filled.start > filled.end) { /* a part of one page */
		a->shown.end = filled.start;
		filled.end = touched.start;
	}
	if (is_resident(inode, touched.start, filled.start))
		a->shown.start = touched.start;
	if (is_resident(inode, filled.end, touched.end))
		a->shown.end = touched.end;
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

	look_at_pages(a);
	return (struct cl_gate_entry){
		.range = {whole ? 0 : tail_of(inode, a->offset), CL_RANGE_EOF},
		.kind = CL_GATE_EXCLUSIVE,
		.caches = a->filled.start < a->filled.end,
		.cached = a->filled,
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

/* What has been dropped. */
enum dropped { NOTHING, FILLED, ALL };

/* An answer that waits for what the kernel is to drop first. Two jobs hold it: one drops,
 * the other waits for that and answers. */
struct moved {
	struct job drops, answers;
	struct appending appended;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	unsigned refs;
	enum dropped dropped;
	int status; /* the first error of the kernel's */
};

static void moved_put(struct moved *moved)
{
	bool last;

	pthread_mutex_lock(&moved->lock);
	last = --moved->refs == 0;
	pthread_mutex_unlock(&moved->lock);
	if (!last)
		return;
	open_file_put(moved->appended.file);
	pthread_cond_destroy(&moved->changed);
	pthread_mutex_destroy(&moved->lock);
	free(moved);
}

static void tell_dropped(struct moved *moved, enum dropped dropped, int status)
{
	pthread_mutex_lock(&moved->lock);
	if (moved->status == 0)
		moved->status = status;
	moved->dropped = dropped;
	pthread_cond_signal(&moved->changed);
	pthread_mutex_unlock(&moved->lock);
}

/* The pages at the edges, which may be locked until the answer, last. */
static void drop(struct job *job)
{
	struct moved *moved = caa_container_of(job, struct moved, drops);
	const struct appending *a = &moved->appended;
	struct inode *inode = a->file->inode;
	struct cl_range filled = a->filled;
	int first, last;

	if (filled.start >= filled.end)
		filled = (struct cl_range){a->shown.start, a->shown.start};
	tell_dropped(moved, FILLED, notifier_invalidate(inode, filled));
	first = notifier_invalidate(inode,
				    (struct cl_range){a->shown.start, filled.start});
	last = notifier_invalidate(inode, (struct cl_range){filled.end, a->shown.end});
	tell_dropped(moved, ALL, first < 0 ? first : last);
	moved_put(moved);
}

/* For so long, or until so much has been dropped. Required: lock. */
static bool wait_until_dropped(struct moved *moved, enum dropped dropped, uint64_t ns)
{
	struct timespec deadline;
	int status = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	ns += (uint64_t)deadline.tv_nsec;
	deadline.tv_sec += (time_t)(ns / 1000000000);
	deadline.tv_nsec = (long)(ns % 1000000000);
	while (moved->dropped < dropped && status == 0)
		status = pthread_cond_timedwait(&moved->changed, &moved->lock,
						&deadline);
	return moved->dropped >= dropped;
}

/* Whoever has a page locked up there waits for us: for bytes of it, or for its WRITE. */
static bool nobody_else_has_them(const struct appending *a)
{
	struct cl_mapping *mapping = a->file->inode->mapping;
	struct cl_gate_entry entry = {.range = a->shown, .kind = CL_GATE_EXCLUSIVE};

	if (!cl_gate_try_enter(mapping, &entry))
		return false;
	cl_gate_leave(mapping, &entry);
	return true;
}

/* @return 0; what the kernel said; -ETIMEDOUT */
static int wait_until_answerable(struct moved *moved)
{
	bool answerable = false;
	int status;

	pthread_mutex_lock(&moved->lock);
	if (wait_until_dropped(moved, FILLED, ANSWER_WAITS_NS))
		for (uint64_t ns = 0; ns < ANSWER_WAITS_NS && !answerable;
		     ns += EDGE_IS_HELD_NS)
			answerable = wait_until_dropped(moved, ALL, EDGE_IS_HELD_NS) ||
				     nobody_else_has_them(&moved->appended);
	status = answerable ? moved->status : -ETIMEDOUT;
	pthread_mutex_unlock(&moved->lock);
	return status;
}

static void answer_moved(struct job *job)
{
	struct moved *moved = caa_container_of(job, struct moved, answers);
	struct appending appended = moved->appended;
	const int status = wait_until_answerable(moved);

	if (status < 0) {
		log_inode(LOG_WARNING, appended.file->inode,
			  "appended at %llu, and the kernel does not let go of what it "
			  "has at %llu: %s; the appender is told that it failed",
			  (unsigned long long)appended.at,
			  (unsigned long long)appended.offset, strerror(-status));
		appended.n = -EIO;
	}
	/* Not after the answer: what the appender asks next would begin a round, and this
	 * one follow it. Pages that are locked until the answer hold up the round, not us. */
	revalidate_soon(appended.file->inode);
	answer(&appended);
	moved_put(moved);
}

static struct moved *moved_create(const struct appending *a)
{
	struct moved *moved = calloc(1, sizeof(*moved));
	pthread_condattr_t attr;

	if (!moved)
		return NULL;
	moved->drops.run = drop;
	moved->answers.run = answer_moved;
	moved->drops.account = moved->answers.account =
		account_of(a->req, a->file->inode);
	moved->appended = *a;
	moved->refs = 2;
	pthread_mutex_init(&moved->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&moved->changed, &attr);
	pthread_condattr_destroy(&attr);
	return moved;
}

/* Takes over the reference of the file. */
static void answer_when_dropped(const struct appending *a)
{
	struct daemon *daemon = a->file->inode->daemon;
	struct moved *moved = moved_create(a);

	if (!moved) {
		revalidate_soon(a->file->inode);
		reply_status(a->req, -EIO); /* the bytes are there; but see above */
		open_file_put(a->file);
		return;
	}
	/* Not behind revalidations, which wait for pages that are locked until this is
	 * answered; nor the answer among those that call the mount, who may all wait for
	 * it. */
	worker_pool_submit(daemon->range_operations, &moved->drops);
	worker_pool_submit(daemon->continuations, &moved->answers);
}

static void finish(const struct appending *a)
{
	struct open_file *file = a->file;
	const bool moved = a->n > 0 && a->at != a->offset;

	if (moved) {
		log_inode(LOG_DEBUG, file->inode,
			  "appended at %llu, not %llu: it has changed behind the mount",
			  (unsigned long long)a->at, (unsigned long long)a->offset);
		adoption_is_owed(file->inode);
		change_suspect(file->inode);
		if (a->shown.start < a->shown.end) {
			answer_when_dropped(a);
			return;
		}
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
			   .caches = entry->caches,
			   .cached = entry->cached},
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

	if (!cl_gate_try_enter(file->inode->mapping, &entry)) {
		park(&a, &entry);
		return;
	}
	append(&a, &entry);
	cl_gate_leave(file->inode->mapping, &entry);
	finish(&a);
}
