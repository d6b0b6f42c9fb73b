/* SPDX-License-Identifier: MIT */
/*
 * FALLOCATE: plain, PUNCH_HOLE and ZERO_RANGE; the kernel lets nothing else through.
 *
 * The kernel drops its own pages of the range when it has our answer. A store through a
 * mapping that falls between the answer and that moment can be lost: the kernel takes
 * no lock against it (coherence facts in DESIGN.md).
 */

#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>

#include "allocate.h"
#include "change_guard.h"
#include "credentials.h"
#include "freed_room.h"
#include "notifier.h"
#include "open_file.h"
#include "ops_data.h"
#include "parked_request.h"
#include "range_request.h"
#include "reply.h"
#include "standing_open.h"

struct fallocate_request {
	struct parked_request parked;
	struct open_file *file; /* with a reference */
	int mode;
	uint64_t offset, len;
};

static bool grows(const struct fallocate_request *request, uint64_t size)
{
	return !(request->mode & FALLOC_FL_KEEP_SIZE) &&
	       request->offset + request->len > size;
}

/* Gate: EXCLUSIVE over the range, and what the file grows by. */
static int change_both(struct inode *inode, const struct fallocate_request *request)
{
	const uint64_t gone = freed_room_count();
	const struct cl_range range = {request->offset, request->offset + request->len};
	struct cl_mapping *mapping = inode->mapping;
	int status, invalidate_status = 0;

	/* Dirty pages at the edges would otherwise come over the zeros later. */
	status = cl_writeback(mapping, range);
	if (status < 0)
		return status;
	status = credentials_enter_bytes(request->parked.req, inode->store_write_fd);
	if (status < 0)
		return status;
	change_begin(inode);
	status = allocate_range(inode->store_write_fd, request->mode, request->offset,
				request->len);
	if (freed_room_came(inode->dev, gone, status))
		status = allocate_range(inode->store_write_fd, request->mode,
					request->offset, request->len);
	change_end_reaching(inode, status == 0 && grows(request, 0) ? range.end : 0);
	credentials_leave();
	/* Also after an error: part of it may have been done. Plain allocation changes
	 * no byte. */
	if (request->mode & ~FALLOC_FL_KEEP_SIZE)
		invalidate_status = cl_invalidate(mapping, range);
	if (status == 0 && grows(request, cl_mapping_size(mapping)))
		cl_mapping_grow(mapping, range.end);
	return status < 0 ? status : invalidate_status;
}

static void enter(struct fallocate_request *request)
{
	const uint64_t size = cl_mapping_size(request->parked.inode->mapping);
	struct cl_range range = {request->offset, request->offset + request->len};

	if (grows(request, size) && size < range.start)
		range.start = size;
	parked_request_enter(&request->parked, CL_GATE_EXCLUSIVE, range);
}

static void run(struct parked_request *parked)
{
	struct fallocate_request *request = (struct fallocate_request *)parked;
	struct inode *inode = parked->inode;
	const uint64_t size = cl_mapping_size(inode->mapping);
	const mode_t mode = inode->mode;
	struct open_file *file = request->file;
	fuse_req_t req = parked->req;
	int status;

	if (grows(request, size) && size < parked->entry.range.start) {
		/* It has shrunk while we waited: more is going to change. */
		parked_request_leave(parked);
		enter(request);
		return;
	}
	status = change_both(inode, request);
	parked_request_leave(parked);
	free(request);
	notifier_tell_mode(inode, mode);
	reply_status(req, status);
	open_file_put(file);
}

/* Whether bytes become zeros and the size stays: then it is a range operation, and no
 * page of before is left in the kernel when the store changes. */
static bool zeroes_within(const struct inode *inode, int mode, uint64_t offset,
			  uint64_t len)
{
	/* The protocol reads the file; if we may only write it, nothing is cached. */
	if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) ||
	    inode->store_fd < 0)
		return false;
	return mode & FALLOC_FL_KEEP_SIZE ||
	       offset + len <= cl_mapping_size(inode->mapping);
}

static void zero(fuse_req_t req, struct inode *inode, int mode, uint64_t offset,
		 uint64_t len)
{
	const struct cl_range_op op = {
		.kind = mode & FALLOC_FL_PUNCH_HOLE ? CL_PUNCH : CL_ZERO,
		.offset = offset,
		.len = len,
	};

	range_request_start(req, inode, &op, mode);
}

/* Takes over the reference of the file. */
static void fallocate_file(fuse_req_t req, struct open_file *file, int mode,
			   uint64_t offset, uint64_t len)
{
	struct inode *inode = file->inode;
	struct fallocate_request *request;

	if (zeroes_within(inode, mode, offset, len)) {
		zero(req, inode, mode, offset, len);
		open_file_put(file);
		return;
	}
	request = calloc(1, sizeof(*request));
	if (!request) {
		reply_status(req, -ENOMEM);
		open_file_put(file);
		return;
	}
	request->parked =
		(struct parked_request){.inode = inode, .req = req, .run = run};
	request->file = file;
	request->mode = mode;
	request->offset = offset;
	request->len = len;
	enter(request);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		  struct fuse_file_info *fi)
{
	struct open_file *file;
	int status;

	if (!allocate_mode_known(mode)) {
		reply_status(req, -EOPNOTSUPP);
		return;
	}
	if (offset < 0 || length <= 0 || length > INT64_MAX - offset) {
		reply_status(req, offset < 0 || length <= 0 ? -EINVAL : -EFBIG);
		return;
	}
	status = request_file(inode_of(daemon_of(req), ino), fi, STANDING_WRITE, &file);
	if (status < 0)
		reply_status(req, status);
	else
		fallocate_file(req, file, mode, (uint64_t)offset, (uint64_t)length);
}
