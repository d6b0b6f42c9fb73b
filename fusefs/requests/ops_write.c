/* SPDX-License-Identifier: MIT */
/*
 * WRITE, of two kinds: what a program writes, and what the kernel writes back of pages
 * that a program has stored to through a mapping.
 *
 * Pages written back never make a file longer. The kernel cuts them at the size it
 * knows; if the file has been cut shorter since (an O_TRUNC that overtook them), what
 * they have past the end is of a file that is no more.
 *
 * A long one of a program goes past the cache if it can (long_write.h), one that appends
 * goes where the store's file ends (append.h).
 *
 * The gate is left after the answer: what the kernel has kept back until then, the next
 * WRITE of the same page, may be in its queue as soon as we are out (the fence).
 *
 * A program's bytes are written with its user id, so that the store counts them as its
 * own; with all its rights if the file has set-id bits, which the store then clears by
 * the mode that is true. With --writeback they are written later, as pages are that the
 * kernel writes back: by nobody, and so for the file's owner (inode_store.c).
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "append.h"
#include "credentials.h"
#include "held_answer.h"
#include "inode_log.h"
#include "long_write.h"
#include "notifier.h"
#include "open_file.h"
#include "ops_data.h"
#include "parked_request.h"
#include "reply.h"
#include "request_hold.h"
#include "request_pipe.h"
#include "serving.h"
#include "standing_open.h"

struct write_request {
	struct parked_request parked;
	struct open_file *file; /* with a reference */
	bool writepage;
	bool clears_setid;
	uint64_t offset;
	size_t len;
	char data[];
};

/* How many bytes of a page written back lie in the file. Gate: WRITE over the range. */
static size_t cut_at_end(struct inode *inode, size_t len, uint64_t offset)
{
	uint64_t size = cl_mapping_size(inode->mapping);
	struct stat attr;

	if (offset + len <= size)
		return len;
	/* The kernel may have heard of a size that the cache has not taken in yet. */
	if (fstat(inode->fd, &attr) == 0 && (uint64_t)attr.st_size > size)
		size = (uint64_t)attr.st_size;
	if (offset >= size)
		return 0;
	return size - offset < len ? (size_t)(size - offset) : len;
}

/* The kernel does not look at how much of a page was taken: all, or an error. */
static ssize_t write_page(struct inode *inode, const char *buf, size_t len,
			  uint64_t offset)
{
	const size_t wanted = cut_at_end(inode, len, offset);
	size_t done = 0;

	while (done < wanted) {
		const ssize_t n = cl_write(inode->mapping, buf + done, wanted - done,
					   offset + done);

		if (n < 0)
			return n;
		done += (size_t)n;
	}
	return (ssize_t)len;
}

/* Gate: EXCLUSIVE over the range, so the flusher, which has all our privileges, does
 * not write what the caller must not. */
static ssize_t write_clearing_setid(struct inode *inode, const char *buf, size_t len,
				    uint64_t offset, fuse_req_t req)
{
	int status = credentials_enter(req, CREDENTIALS_ALL);
	ssize_t n;

	if (status < 0)
		return status;
	n = cl_write(inode->mapping, buf, len, offset);
	if (n > 0) {
		status = cl_writeback(inode->mapping,
				      (struct cl_range){offset, offset + (uint64_t)n});
		if (status < 0)
			n = status;
	}
	credentials_leave();
	return n;
}

static void answer(fuse_req_t req, ssize_t n)
{
	if (n < 0)
		reply_status(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}

/* Of a program's that is not in the file, or not all of it. */
struct failed_write {
	fuse_req_t req;
	struct inode *inode;
	ssize_t n; /* or a negative errno */
};

static void answer_failed(void *arg, int status)
{
	struct failed_write *failed = arg;

	if (status < 0)
		log_inode(LOG_WARNING, failed->inode,
			  "a write failed, and the kernel goes on showing its bytes to "
			  "who has the file mapped: %s",
			  strerror(-status));
	answer(failed->req, failed->n);
	free(failed);
}

/*
 * The kernel shows the bytes, and declares their pages not up to date when it hears of
 * the failure; but who has mapped them goes on seeing them, and what he stores there is
 * lost when somebody reads the page (and __folio_mark_dirty() warns of it). So they are
 * dropped first. The gate has been left.
 */
static void answer_program(fuse_req_t req, struct inode *inode, ssize_t n, size_t len,
			   uint64_t offset)
{
	const size_t done = n > 0 ? (size_t)n : 0;
	struct failed_write *failed;
	struct shown_pages pages;

	if (done < len && inode->mapping) {
		pages = shown_pages_of(inode, offset + done, len - done);
		failed = shown_pages_any(&pages) ? malloc(sizeof(*failed)) : NULL;
		if (failed) {
			*failed = (struct failed_write){req, inode, n};
			if (held_answer_start(req, inode, &pages, answer_failed,
					      failed) == 0)
				return;
			free(failed);
		}
	}
	answer(req, n);
}

/* Of a writeback: where tests hold it. */
static void answer_page(fuse_req_t req, bool writepage, ssize_t n)
{
	if (writepage)
		REQUEST_HOLD(answering);
	answer(req, n);
}

static void has_left(bool writepage)
{
	if (writepage)
		REQUEST_HOLD(left);
}

/* No store has a smaller limit. */
#define STORE_LIMIT_MIN INT32_MAX

/*
 * How many of these bytes the store's largest file has room for: what is written back
 * later must not be refused then. lseek(2) does not go past that size, and moves nothing
 * that anybody looks at.
 */
static ssize_t room_for(const struct inode *inode, size_t len, uint64_t offset)
{
	const int fd = inode->store_write_fd;
	size_t fits = 0, does_not = len + 1;

	if (offset + len <= STORE_LIMIT_MIN ||
	    offset + len <= cl_mapping_size(inode->mapping) ||
	    lseek(fd, (off_t)(offset + len), SEEK_SET) >= 0 || errno != EINVAL)
		return (ssize_t)len;
	while (does_not - fits > 1) {
		const size_t middle = fits + (does_not - fits) / 2;

		if (lseek(fd, (off_t)(offset + middle), SEEK_SET) >= 0)
			fits = middle;
		else
			does_not = middle;
	}
	return fits > 0 ? (ssize_t)fits : -EFBIG;
}

/* Into dirty pages, as a rule. */
static ssize_t write_later(struct inode *inode, const char *buf, size_t len,
			   uint64_t offset)
{
	const ssize_t room = room_for(inode, len, offset);

	return room < 0 ? room : cl_write(inode->mapping, buf, (size_t)room, offset);
}

static ssize_t write_bytes(fuse_req_t req, struct inode *inode, bool writepage,
			   const char *buf, size_t len, uint64_t offset)
{
	ssize_t n;

	if (atomic_load(&inode->torn))
		return -EIO;
	if (writepage)
		return write_page(inode, buf, len, offset);
	if (inode->daemon->options.writeback)
		return write_later(inode, buf, len, offset);
	n = credentials_enter(req, CREDENTIALS_BYTES);
	if (n == 0)
		n = cl_write(inode->mapping, buf, len, offset);
	credentials_leave();
	return n;
}

static void run(struct parked_request *parked)
{
	struct write_request *request = (struct write_request *)parked;
	struct inode *inode = parked->inode;
	struct open_file *file = request->file;
	const mode_t mode = inode->mode;
	fuse_req_t req = parked->req;
	ssize_t n;

	if (request->clears_setid)
		n = write_clearing_setid(inode, request->data, request->len,
					 request->offset, req);
	else
		n = write_bytes(req, inode, request->writepage, request->data,
				request->len, request->offset);
	notifier_tell_mode(inode, mode);
	if (!request->writepage && n < (ssize_t)request->len) {
		parked_request_leave(parked);
		answer_program(req, inode, n, request->len, request->offset);
		free(request);
		open_file_put(file);
		return;
	}
	if (REQUEST_BROKEN(fence_answer)) {
		parked_request_leave(parked);
		answer_page(req, request->writepage, n);
	} else {
		answer_page(req, request->writepage, n);
		parked_request_leave(parked);
	}
	has_left(request->writepage);
	free(request);
	open_file_put(file);
}

/* An error before the gate. To the fence a writeback has come and gone all the same. */
static void refuse(fuse_req_t req, struct inode *inode, bool writepage, size_t len,
		   uint64_t offset, int status)
{
	if (!writepage) {
		answer_program(req, inode, status, len, offset);
		return;
	}
	inode_get(inode); /* once it is answered the kernel may forget it */
	reply_status(req, status);
	if (inode->mapping)
		cl_gate_refused(inode->mapping,
				(struct cl_range){offset, offset + len});
	inode_put(inode, 1);
}

static void park(fuse_req_t req, struct open_file *file, bool writepage,
		 bool clears_setid, const char *buf, size_t len, uint64_t offset)
{
	struct write_request *request = malloc(sizeof(*request) + len);
	const struct cl_range filled = pages_filled(offset, len);

	if (!request) {
		refuse(req, file->inode, writepage, len, offset, -ENOMEM);
		open_file_put(file);
		return;
	}
	*request = (struct write_request){
		.parked = {.inode = file->inode,
			   .req = req,
			   .run = run,
			   .caches = !writepage && filled.start < filled.end,
			   .cached = filled,
			   .writes_back = writepage},
		.file = file,
		.writepage = writepage,
		.clears_setid = clears_setid,
		.offset = offset,
		.len = len,
	};
	memcpy(request->data, buf, len);
	if (writepage)
		parked_request_enter_elsewhere(&request->parked, CL_GATE_WRITE,
					       (struct cl_range){offset, offset + len});
	else
		parked_request_enter(&request->parked,
				     clears_setid ? CL_GATE_EXCLUSIVE : CL_GATE_WRITE,
				     (struct cl_range){offset, offset + len});
}

/* What the kernel writes back is taken from it at once, since somebody may be waiting
 * for that (R3), and is nobody's request, whose share could bound it (admission.c). So
 * where the store holds requests up, others than serving threads write it. */
static bool must_not_block(const struct inode *inode, bool writepage)
{
	return writepage && serving_is_crowded(inode->daemon->serving);
}

/* Takes over the reference of the file. */
static void write_now_or_park(fuse_req_t req, struct open_file *file, bool writepage,
			      bool clears_setid, const char *buf, size_t len,
			      uint64_t offset)
{
	const struct cl_range filled = pages_filled(offset, len);
	struct inode *inode = file->inode;
	struct cl_gate_entry entry = {
		.range = {offset, offset + len},
		.kind = CL_GATE_WRITE,
		/* Mapped pages came in by a READ. */
		.caches = !writepage && filled.start < filled.end,
		.cached = filled,
		.writes_back = writepage,
	};
	ssize_t n;

	if (clears_setid || must_not_block(inode, writepage) ||
	    !cl_gate_try_enter(inode->mapping, &entry)) {
		park(req, file, writepage, clears_setid, buf, len, offset);
		return;
	}
	serving_request_known();
	n = write_bytes(req, inode, writepage, buf, len, offset);
	if (!writepage && n < (ssize_t)len) {
		cl_gate_leave(inode->mapping, &entry);
		answer_program(req, inode, n, len, offset);
		open_file_put(file);
		return;
	}
	if (REQUEST_BROKEN(fence_answer)) {
		cl_gate_leave(inode->mapping, &entry);
		answer_page(req, writepage, n);
	} else {
		answer_page(req, writepage, n);
		cl_gate_leave(inode->mapping, &entry);
	}
	has_left(writepage);
	open_file_put(file);
}

/* Likewise. */
static void write_file(fuse_req_t req, struct open_file *file,
		       const struct fuse_file_info *fi, const struct fuse_buf *buf,
		       uint64_t offset)
{
	const bool writepage = fi->writepage,
		   append = !writepage && fi->flags & O_APPEND;
	struct inode *inode = file->inode;
	const bool clears_setid = !writepage && inode->mode & (S_ISUID | S_ISGID);
	char *copy = NULL;
	ssize_t n = 0;

	if (!writepage && !append && !clears_setid &&
	    long_write_try(req, inode, buf, offset, &n)) {
		answer_program(req, inode, n, buf->size, offset);
		open_file_put(file);
		return;
	}
	if (buf->flags & FUSE_BUF_IS_FD)
		n = request_pipe_take(buf->fd, buf->size, &copy);
	if (n < 0) {
		refuse(req, inode, writepage, buf->size, offset, (int)n);
		open_file_put(file);
		return;
	}
	if (append)
		append_and_answer(req, file, copy ? copy : buf->mem, buf->size, offset);
	else
		write_now_or_park(req, file, writepage, clears_setid,
				  copy ? copy : buf->mem, buf->size, offset);
	free(copy);
}

void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *bufv,
		  off_t offset, struct fuse_file_info *fi)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	struct open_file *file;
	int status;

	if (fi->writepage)
		REQUEST_HOLD(taken);
	if (bufv->buf->size == 0) {
		fuse_reply_write(req, 0);
		return;
	}
	status = request_file(inode, fi, STANDING_WRITE, &file);
	if (status < 0)
		refuse(req, inode, fi->writepage, bufv->buf->size, (uint64_t)offset,
		       status);
	else
		write_file(req, file, fi, bufv->buf, (uint64_t)offset);
}
