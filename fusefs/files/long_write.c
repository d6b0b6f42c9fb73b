/* SPDX-License-Identifier: MIT */
/*
 * Long writes; see the header.
 *
 * What the kernel writes back of mapped pages is never written so. Somebody may be
 * waiting for it who keeps the gate from us (R3).
 */

#include "long_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "change_guard.h"
#include "credentials.h"
#include "fault_point.h"
#include "freed_room.h"
#include "inode_store.h"
#include "parked_request.h"
#include "request_pipe.h"
#include "serving.h"

/* Below, a write costs no more with its pages, and readers may want them. */
#define LONG_WRITE ((size_t)128 << 10)

/* What is left of the bytes. */
struct source {
	struct inode *inode;
	bool piped;
	int fd;		 /* the pipe */
	const char *mem; /* or where they are */
	char *copy;	 /* which of a pipe were copied, or NULL */
};

static ssize_t splice_some(int pipe, int fd, size_t len, uint64_t offset)
{
	off_t to = (off_t)offset;
	ssize_t n;

	do
		n = fault_splice_to(pipe, fd, &to, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t splice_to_store(struct source *source, size_t len, uint64_t offset)
{
	const uint64_t gone = freed_room_count();
	struct inode *inode = source->inode;
	ssize_t n;

	change_begin(inode);
	n = splice_some(source->fd, inode->store_write_fd, len, offset);
	/* What was not written is still in the pipe (iter_file_splice_write()). */
	if (freed_room_came(inode->dev, gone, n))
		n = splice_some(source->fd, inode->store_write_fd, len, offset);
	change_end_reaching(inode, n > 0 ? offset + (uint64_t)n : 0);
	return n;
}

/* Of struct cl_source. */
static ssize_t write_some(void *arg, void *store, size_t len, uint64_t offset)
{
	struct source *source = arg;
	ssize_t n;

	if (source->piped) {
		n = splice_to_store(source, len, offset);
		if (n != -EINVAL)
			return n;
		/* It cannot splice. */
		n = request_pipe_take(source->fd, len, &source->copy);
		if (n < 0)
			return n;
		source->mem = source->copy;
		source->piped = false;
	}
	n = inode_store_ops.pwritev(
		store, &(struct iovec){(void *)(uintptr_t)source->mem, len}, 1, offset);
	if (n > 0)
		source->mem += n;
	return n;
}

static ssize_t write_all(struct inode *inode, const struct fuse_buf *buf,
			 uint64_t offset)
{
	struct source source = {.inode = inode,
				.piped = buf->flags & FUSE_BUF_IS_FD,
				.fd = buf->fd,
				.mem = buf->mem};
	const ssize_t n =
		cl_write_past(inode->mapping, &(struct cl_source){write_some, &source},
			      buf->size, offset);

	free(source.copy);
	return n;
}

bool long_write_try(fuse_req_t req, struct inode *inode, const struct fuse_buf *buf,
		    uint64_t offset, ssize_t *ret_n)
{
	struct cl_gate_entry entry = {
		.range = {offset, offset + buf->size},
		.kind = CL_GATE_EXCLUSIVE,
		.caches = true, /* it is longer than a page */
		.cached = pages_filled(offset, buf->size),
	};

	if (buf->size < LONG_WRITE || inode->daemon->options.writeback ||
	    !cl_gate_try_enter(inode->mapping, &entry))
		return false;
	serving_expect_long();
	*ret_n = atomic_load(&inode->torn) ? -EIO
					   : credentials_enter(req, CREDENTIALS_BYTES);
	if (*ret_n == 0)
		*ret_n = write_all(inode, buf, offset);
	credentials_leave();
	cl_gate_leave(inode->mapping, &entry);
	return true;
}
