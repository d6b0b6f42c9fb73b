/* SPDX-License-Identifier: MIT */
/*
 * LSEEK for data and holes: the store knows them, once it has everything.
 *
 * Two kinds of bytes may not have got there. Our own dirty pages are written first. And
 * while the file is open for writing the kernel may hold pages that a program has
 * stored to through a mapping, of which we know nothing: a notification makes the
 * kernel write them, at the price of dropping the file from its cache. Where the store
 * has no hole from the offset on, that can be left out: bytes that are still to come
 * can only fill holes. With --no-open there may always be a writer.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu/compiler.h>

#include "account.h"
#include "fence.h"
#include "inode_store.h"
#include "notifier.h"
#include "open_file.h"
#include "ops_data.h"
#include "parked_request.h"
#include "reply.h"
#include "standing_open.h"

struct seek_request {
	struct parked_request parked;
	struct open_file *file; /* with a reference */
	struct job notify;
	off_t offset;
	int whence;
};

/* @param status  0, or why the answer is not known */
static void answer(struct seek_request *request, int status)
{
	fuse_req_t req = request->parked.req;
	off_t found = -1;

	if (status == 0) {
		found = lseek(inode_store_fd(request->parked.inode), request->offset,
			      request->whence);
		status = found < 0 ? -errno : 0;
	}
	if (status < 0)
		reply_status(req, status);
	else
		fuse_reply_lseek(req, found);
	open_file_put(request->file);
	free(request);
}

static void write_back(struct parked_request *parked)
{
	struct seek_request *request = (struct seek_request *)parked;
	const int status = cl_writeback(parked->inode->mapping, parked->entry.range);

	parked_request_leave(parked);
	answer(request, status);
}

static void write_back_then_answer(struct seek_request *request)
{
	if (cl_mapping_dirty_pages(request->parked.inode->mapping) > 0)
		parked_request_enter(&request->parked, CL_GATE_WRITE,
				     (struct cl_range){0, CL_RANGE_EOF});
	else
		answer(request, 0);
}

static void notify(struct job *job)
{
	struct seek_request *request =
		caa_container_of(job, struct seek_request, notify);

	struct inode *inode = request->parked.inode;
	int status = 0;

	notifier_invalidate(inode, (struct cl_range){0, CL_RANGE_EOF});
	/* What was clean it has dropped, though its WRITE may be on its way yet. */
	if (inode->daemon->needs_fence)
		status = fence_drain(inode);
	if (status < 0)
		answer(request, status);
	else
		write_back_then_answer(request);
}

/* Whether a program may have the file open for writing. */
static bool may_have_writers(struct inode *inode)
{
	bool writers;

	if (inode->daemon->options.no_open)
		return true;
	pthread_mutex_lock(&inode->open_lock);
	writers = inode->writers > 0;
	pthread_mutex_unlock(&inode->open_lock);
	return writers;
}

/* Whether the store has data up to the end of the file, from the offset on. */
static bool is_filled_from(struct inode *inode, off_t offset)
{
	const off_t size = (off_t)cl_mapping_size(inode->mapping);

	return offset < size && lseek(inode_store_fd(inode), offset, SEEK_HOLE) == size;
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	struct seek_request *request;
	int status;

	if (whence != SEEK_DATA && whence != SEEK_HOLE) {
		reply_status(req, -EINVAL); /* the kernel does the others itself */
		return;
	}
	request = calloc(1, sizeof(*request));
	if (!request) {
		reply_status(req, -ENOMEM);
		return;
	}
	status = request_file(inode, fi, STANDING_EITHER, &request->file);
	if (status < 0) {
		reply_status(req, status);
		free(request);
		return;
	}
	request->parked =
		(struct parked_request){.inode = inode, .req = req, .run = write_back};
	request->offset = offset;
	request->whence = whence;
	request->notify.run = notify;
	request->notify.account = account_of(req, inode);
	if (may_have_writers(inode) && !is_filled_from(inode, offset))
		worker_pool_submit(inode->daemon->notifications, &request->notify);
	else
		write_back_then_answer(request);
}
