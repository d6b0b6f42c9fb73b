/* SPDX-License-Identifier: MIT */
/*
 * READ: from the page cache's pages straight into the answer.
 *
 * The gate is held until the answer has gone out: whoever closes it knows then that no
 * page on its way to the kernel is unknown to him (I2). After the answer the file may
 * be closed and forgotten at once, so file and inode are referenced for the rest.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bypass.h"
#include "ops_data.h"
#include "parked_request.h"
#include "prefetch.h"
#include "read_buffer.h"
#include "reply.h"
#include "serving.h"
#include "size_adoption.h"
#include "standing_open.h"

struct read_request {
	struct parked_request parked;
	struct open_file *file; /* with a reference */
	bool direct;
	uint64_t offset;
	size_t len;
};

/* Answer with zeros behind what was read: see size_adoption.h. */
static void reply_padded(fuse_req_t req, const struct cl_read *read, size_t len)
{
	static const char zeros[65536];
	const size_t missing = len - read->bytes;
	const size_t max = (size_t)read->iovcnt + missing / sizeof(zeros) + 1;
	struct iovec *iov = malloc(max * sizeof(*iov));
	int n = read->iovcnt;

	if (!iov) {
		reply_status(req, -ENOMEM);
		return;
	}
	memcpy(iov, read->iov, (size_t)n * sizeof(*iov));
	for (size_t left = missing; left > 0; n++) {
		iov[n].iov_base = (void *)(uintptr_t)zeros;
		iov[n].iov_len = left < sizeof(zeros) ? left : sizeof(zeros);
		left -= iov[n].iov_len;
	}
	fuse_reply_iov(req, iov, n);
	free(iov);
}

/* Gate: FILL over the range. */
static void answer(fuse_req_t req, struct open_file *file, uint64_t offset, size_t len,
		   bool direct)
{
	struct inode *inode = file->inode;
	struct cl_read *read = read_buffer(inode->daemon->cache);
	size_t padded_len;
	int status;

	if (!read) {
		reply_status(req, -ENOMEM);
		return;
	}
	if (atomic_load(&inode->torn)) {
		reply_status(req, -EIO);
		return;
	}
	if (bypass_read(req, inode, offset, len))
		return;
	read->aside = direct;
	status = cl_read_begin(inode->mapping, offset, len, read);
	if (status < 0) {
		reply_status(req, status);
		return;
	}
	prefetch_after(file, offset, read->bytes);
	padded_len = adoption_padded_len(inode, offset, len, read->bytes, direct);
	if (padded_len > read->bytes)
		reply_padded(req, read, padded_len);
	else
		fuse_reply_iov(req, read->iov, read->iovcnt);
	cl_read_end(read);
}

static void run(struct parked_request *parked)
{
	struct read_request *request = (struct read_request *)parked;
	struct open_file *file = request->file;

	answer(parked->req, file, request->offset, request->len, request->direct);
	parked_request_leave(parked);
	free(request);
	open_file_put(file);
}

/* Nobody waits for it: whoever comes to one of its pages asks for that. */
static void refuse(struct parked_request *parked)
{
	struct read_request *request = (struct read_request *)parked;
	struct open_file *file = request->file;

	reply_status(parked->req, -EAGAIN);
	free(request);
	open_file_put(file);
}

static void park(fuse_req_t req, struct open_file *file, struct cl_range range,
		 bool direct)
{
	struct read_request *request = calloc(1, sizeof(*request));

	if (!request) {
		open_file_put(file);
		reply_status(req, -ENOMEM);
		return;
	}
	request->parked = (struct parked_request){
		.inode = file->inode, .req = req, .run = run, .refuse = refuse};
	request->parked.caches = true;
	request->parked.maybe_direct = direct;
	request->file = file;
	request->direct = direct;
	request->offset = range.start;
	request->len = (size_t)(range.end - range.start);
	parked_request_enter(&request->parked, CL_GATE_FILL, range);
}

/* No cache knows what it has next time. A file of procfs ends where a read says so. */
static void answer_unsized(fuse_req_t req, const struct open_file *file, size_t size,
			   off_t offset)
{
	char *buf = malloc(size);
	ssize_t n;

	if (!buf) {
		reply_status(req, -ENOMEM);
		return;
	}
	serving_will_wait();
	n = pread(file->inode->store_fd, buf, size, offset);
	if (n < 0)
		reply_status(req, -errno);
	else
		fuse_reply_buf(req, buf, (size_t)n);
	free(buf);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	const uint64_t start = (uint64_t)offset;
	const bool direct = fi->flags & O_DIRECT;
	struct cl_gate_entry entry = {
		.range = {start, start + size},
		.kind = CL_GATE_FILL,
		.caches = true,
		.maybe_direct = direct,
	};
	struct open_file *file;
	int status;

	status = request_file(inode, fi, STANDING_READ, &file);
	if (status < 0) {
		reply_status(req, status);
		return;
	}
	if (inode->unsized) {
		answer_unsized(req, file, size, offset);
		open_file_put(file);
		return;
	}
	if (!cl_gate_try_enter(inode->mapping, &entry)) {
		park(req, file, entry.range, direct);
		return;
	}
	answer(req, file, start, size, direct);
	cl_gate_leave(inode->mapping, &entry);
	open_file_put(file);
}
