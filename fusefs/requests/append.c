/* SPDX-License-Identifier: MIT */
/*
 * Appending, and what the kernel has cached of it at the wrong place.
 *
 * If the bytes have landed elsewhere, what the kernel shows of them at the offset that it
 * believed in is wrong. Until the answer it holds that for past the end of the file; from
 * then on it would show it, and write it back over what others have appended. So it is
 * dropped before the answer, which waits for that (held_answer.h). If the kernel does not
 * let go, the appender gets EIO, with his bytes in the file, and nobody a wrong one.
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

#include "change_guard.h"
#include "credentials.h"
#include "held_answer.h"
#include "inode_log.h"
#include "inode_store.h"
#include "notifier.h"
#include "parked_request.h"
#include "reply.h"
#include "revalidate.h"
#include "size_adoption.h"

/* Bytes to append. */
struct appending {
	fuse_req_t req;
	struct open_file *file;
	const char *buf;
	size_t len;
	uint64_t offset;	  /* the kernel's */
	bool clears_setid;	  /* the store is to do that, by its own rules */
	struct shown_pages pages; /* at the kernel's offset */
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

	a->pages = shown_pages_of(inode, a->offset, a->len);
	return (struct cl_gate_entry){
		.range = {whole ? 0 : tail_of(inode, a->offset), CL_RANGE_EOF},
		.kind = CL_GATE_EXCLUSIVE,
		.caches = a->pages.filled.start < a->pages.filled.end,
		.cached = a->pages.filled,
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

static bool has_moved(const struct appending *a)
{
	return a->n > 0 && a->at != a->offset;
}

/* What the kernel shows at its offset is in the file there, all of it. */
static bool is_in_place(const struct appending *a)
{
	return a->n == (ssize_t)a->len && a->at == a->offset;
}

/* Not after the answer: what the appender asks next would begin a round, and this one
 * follow it. Pages that are locked until the answer hold up the round, not us. */
static void revalidate_if_moved(const struct appending *a)
{
	if (has_moved(a))
		revalidate_soon(a->file->inode);
}

static void answer_dropped(void *arg, int status)
{
	struct appending *a = arg;

	if (status < 0) {
		log_inode(
			LOG_WARNING, a->file->inode,
			"appended %zd bytes at %llu, and the kernel does not let go of "
			"what it has at %llu: %s; the appender is told that it failed",
			a->n > 0 ? a->n : 0, (unsigned long long)a->at,
			(unsigned long long)a->offset, strerror(-status));
		a->n = a->n < 0 ? a->n : -EIO;
	}
	revalidate_if_moved(a);
	answer(a);
	open_file_put(a->file);
	free(a);
}

/* Takes over the reference of the file. */
static void answer_when_dropped(const struct appending *a)
{
	struct appending *copy = malloc(sizeof(*copy));

	if (copy) {
		*copy = *a;
		if (held_answer_start(a->req, a->file->inode, &a->pages, answer_dropped,
				      copy) == 0)
			return;
		free(copy);
	}
	revalidate_if_moved(a);
	reply_status(a->req, -EIO); /* the bytes may be there; but see above */
	open_file_put(a->file);
}

static void finish(const struct appending *a)
{
	struct open_file *file = a->file;

	if (has_moved(a)) {
		log_inode(LOG_DEBUG, file->inode,
			  "appended at %llu, not %llu: it has changed behind the mount",
			  (unsigned long long)a->at, (unsigned long long)a->offset);
		adoption_is_owed(file->inode);
		change_suspect(file->inode);
	}
	if (!is_in_place(a) && shown_pages_any(&a->pages)) {
		answer_when_dropped(a);
		return;
	}
	revalidate_if_moved(a);
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
		struct appending failed = *a;

		failed.n = -ENOMEM;
		finish(&failed);
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
		.mode = file->inode->mode,
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
