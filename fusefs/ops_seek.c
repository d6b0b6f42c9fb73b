/* SPDX-License-Identifier: MIT */
/*
 * LSEEK for data and holes: the store knows them, once it has everything.
 *
 * Two kinds of bytes may not have got there. Our own dirty pages are written first. And
 * while the file is open for writing the kernel may hold pages that a program has
 * stored to through a mapping, of which we know nothing: a notification makes the
 * kernel write them, at the price of dropping the file from its cache.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "inode_store.h"
#include "notifier.h"
#include "open_file.h"
#include "ops_data.h"
#include "parked_request.h"
#include "reply.h"

struct seek_request {
	struct parked_request parked;
	struct job notify;
	off_t offset;
	int whence;
};

static void answer(struct seek_request *request)
{
	fuse_req_t req = request->parked.req;
	const off_t found = lseek(inode_store_fd(request->parked.inode),
				  request->offset, request->whence);

	if (found < 0)
		reply_status(req, -errno);
	else
		fuse_reply_lseek(req, found);
	free(request);
}

static void write_back(struct parked_request *parked)
{
	struct seek_request *request = (struct seek_request *)parked;
	const int status = cl_writeback(parked->inode->mapping, parked->entry.range);

	parked_request_leave(parked);
	if (status < 0) {
		reply_status(parked->req, status);
		free(request);
	} else {
		answer(request);
	}
}

static void write_back_then_answer(struct seek_request *request)
{
	if (cl_mapping_dirty_pages(request->parked.inode->mapping) > 0)
		parked_request_enter(&request->parked, CL_GATE_WRITE,
				     (struct cl_range){0, CL_RANGE_EOF});
	else
		answer(request);
}

static void notify(struct job *job)
{
	struct seek_request *request =
		caa_container_of(job, struct seek_request, notify);

	notifier_invalidate(request->parked.inode, (struct cl_range){0, CL_RANGE_EOF});
	write_back_then_answer(request);
}

static bool has_writers(struct inode *inode)
{
	bool writers;

	pthread_mutex_lock(&inode->open_lock);
	writers = inode->writers > 0;
	pthread_mutex_unlock(&inode->open_lock);
	return writers;
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi)
{
	struct inode *inode = open_file_of(fi)->inode;
	struct seek_request *request;

	(void)ino;
	if (whence != SEEK_DATA && whence != SEEK_HOLE) {
		reply_status(req, -EINVAL); /* the kernel does the others itself */
		return;
	}
	request = calloc(1, sizeof(*request));
	if (!request) {
		reply_status(req, -ENOMEM);
		return;
	}
	request->parked =
		(struct parked_request){.inode = inode, .req = req, .run = write_back};
	request->offset = offset;
	request->whence = whence;
	request->notify.run = notify;
	if (has_writers(inode))
		worker_pool_submit(inode->daemon->notifications, &request->notify);
	else
		write_back_then_answer(request);
}
