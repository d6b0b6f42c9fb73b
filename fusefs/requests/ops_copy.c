/* SPDX-License-Identifier: MIT */
/*
 * COPY_FILE_RANGE: done by the store, which may share blocks, or else by reading and
 * writing here; the bytes never travel through the kernel's cache of the mount.
 *
 * Both files have a gate, and no request holds two: a copy one way and a copy the other
 * way could wait for each other. The source's dirty pages are written under its gate;
 * what is stored in it after that may be copied or not, as between any two calls that
 * overlap.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "change_guard.h"
#include "credentials.h"
#include "freed_room.h"
#include "notifier.h"
#include "open_file.h"
#include "ops_data.h"
#include "parked_request.h"
#include "reply.h"
#include "standing_open.h"

/* A caller goes on from a short count; and nobody waits too long for the gate. */
#define MAX_COPY_BYTES	 ((uint64_t)128 << 20)
#define COPY_PIECE_BYTES ((size_t)1 << 20)

struct copy_request {
	struct parked_request parked;
	fuse_req_t req;
	struct open_file *from_file, *to_file; /* with a reference each */
	struct inode *from, *to;
	uint64_t from_offset, to_offset, len;
};

/* ------------------------------------------------------------------- the store */

static ssize_t pwrite_all(int fd, const char *buf, size_t len, off_t offset)
{
	size_t done = 0;

	while (done < len) {
		const ssize_t n =
			pwrite(fd, buf + done, len - done, offset + (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return done > 0 ? (ssize_t)done : n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t copy_by_reading(const struct copy_request *request)
{
	char *buf = malloc(COPY_PIECE_BYTES);
	uint64_t done = 0;
	ssize_t n = 0;

	if (!buf)
		return -ENOMEM;
	while (done < request->len) {
		const uint64_t left = request->len - done;
		const size_t want =
			left < COPY_PIECE_BYTES ? (size_t)left : COPY_PIECE_BYTES;

		n = pread(request->from->store_fd, buf, want,
			  (off_t)(request->from_offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			n = -errno;
		if (n > 0)
			n = pwrite_all(request->to->store_write_fd, buf, (size_t)n,
				       (off_t)(request->to_offset + done));
		if (n <= 0)
			break;
		done += (uint64_t)n;
	}
	free(buf);
	return done > 0 ? (ssize_t)done : n;
}

static ssize_t copy_in_store(const struct copy_request *request)
{
	off_t from_offset = (off_t)request->from_offset;
	off_t to_offset = (off_t)request->to_offset;
	ssize_t n;

	do
		n = copy_file_range(request->from->store_fd, &from_offset,
				    request->to->store_write_fd, &to_offset,
				    (size_t)request->len, 0);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	switch (errno) {
	case EXDEV:
	case EOPNOTSUPP:
	case ENOSYS:
	case EINVAL:
		return copy_by_reading(request);
	default:
		return -errno;
	}
}

/* ------------------------------------------------------------- the destination */

/* Gate: EXCLUSIVE over the destination, and what it grows by. */
static ssize_t copy(const struct copy_request *request)
{
	const uint64_t gone = freed_room_count();
	const struct cl_range range = {request->to_offset,
				       request->to_offset + request->len};
	struct cl_mapping *mapping = request->to->mapping;
	ssize_t copied;
	int status;

	/* Dirty pages at the edges would otherwise come over the copy later. */
	status = cl_writeback(mapping, range);
	if (status < 0)
		return status;
	status = credentials_enter_bytes(request->req, request->to->store_write_fd);
	if (status < 0)
		return status;
	change_begin(request->to);
	copied = copy_in_store(request);
	if (freed_room_came(request->to->dev, gone, copied))
		copied = copy_in_store(request);
	change_end_reaching(request->to,
			    copied > 0 ? range.start + (uint64_t)copied : 0);
	credentials_leave();
	/* Also after an error: part of it may have been copied. */
	status = cl_invalidate(mapping, range);
	if (copied > 0)
		cl_mapping_grow(mapping, range.start + (uint64_t)copied);
	return status < 0 ? status : copied;
}

/* @param copied  bytes, or a negative errno */
static void finish(struct copy_request *request, ssize_t copied)
{
	if (copied < 0)
		reply_status(request->req, (int)copied);
	else
		fuse_reply_write(request->req, (size_t)copied);
	open_file_put(request->from_file);
	open_file_put(request->to_file);
	free(request);
}

static void enter_destination(struct copy_request *request);

static void run_copy(struct parked_request *parked)
{
	struct copy_request *request = (struct copy_request *)parked;
	struct inode *to = request->to;
	const mode_t mode = to->mode;
	ssize_t copied;

	if (cl_mapping_size(to->mapping) < parked->entry.range.start) {
		/* It has shrunk while we waited: more is going to change. */
		parked_request_leave(parked);
		enter_destination(request);
		return;
	}
	copied = copy(request);
	parked_request_leave(parked);
	notifier_tell_mode(to, mode);
	finish(request, copied);
}

static void enter_destination(struct copy_request *request)
{
	const uint64_t size = cl_mapping_size(request->to->mapping);
	struct cl_range range = {request->to_offset, request->to_offset + request->len};

	if (size < range.start)
		range.start = size;
	request->parked = (struct parked_request){
		.inode = request->to, .req = request->req, .run = run_copy};
	parked_request_enter(&request->parked, CL_GATE_EXCLUSIVE, range);
}

/* -------------------------------------------------------------------- the source */

static void run_source(struct parked_request *parked)
{
	struct copy_request *request = (struct copy_request *)parked;
	const int status = cl_writeback(parked->inode->mapping, parked->entry.range);

	parked_request_leave(parked);
	if (status < 0)
		finish(request, status);
	else
		enter_destination(request);
}

/* All of it, not just the range: a store that lacks the last page seems to end before
 * it. */
static void enter_source(struct copy_request *request)
{
	request->parked = (struct parked_request){
		.inode = request->from, .req = request->req, .run = run_source};
	parked_request_enter(&request->parked, CL_GATE_WRITE,
			     (struct cl_range){0, CL_RANGE_EOF});
}

/* Both files, as they are open. */
static int get_files(struct copy_request *request, struct inode *from,
		     const struct fuse_file_info *fi_from, struct inode *to,
		     const struct fuse_file_info *fi_to)
{
	int status;

	status = request_file(from, fi_from, STANDING_READ, &request->from_file);
	if (status < 0)
		return status;
	status = request_file(to, fi_to, STANDING_WRITE, &request->to_file);
	if (status < 0)
		open_file_put(request->from_file);
	request->from = from;
	request->to = to;
	return status;
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in,
			struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t offset_out, struct fuse_file_info *fi_out, size_t len,
			int flags)
{
	struct daemon *daemon = daemon_of(req);
	struct copy_request *request;
	int status;

	if (flags != 0 || offset_in < 0 || offset_out < 0) {
		reply_status(req, -EINVAL);
		return;
	}
	request = calloc(1, sizeof(*request));
	if (!request) {
		reply_status(req, -ENOMEM);
		return;
	}
	status = get_files(request, inode_of(daemon, ino_in), fi_in,
			   inode_of(daemon, ino_out), fi_out);
	if (status < 0) {
		reply_status(req, status);
		free(request);
		return;
	}
	request->req = req;
	request->from_offset = (uint64_t)offset_in;
	request->to_offset = (uint64_t)offset_out;
	request->len = len < MAX_COPY_BYTES ? len : MAX_COPY_BYTES;
	if (cl_mapping_dirty_pages(request->from->mapping) > 0)
		enter_source(request);
	else
		enter_destination(request);
}
