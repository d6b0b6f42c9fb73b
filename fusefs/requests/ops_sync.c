/* SPDX-License-Identifier: MIT */
/*
 * FLUSH, FSYNC and RELEASE: the points at which dirty pages must be written, and where
 * errors of writes that were acknowledged come out. Each error is told once to every
 * open file that was there (Linux lib/errseq.c); FLUSH tells without using it up.
 */

#include <errno.h>
#include <stdlib.h>

#include "dirty_hold.h"
#include "inode_store.h"
#include "open_file.h"
#include "ops_data.h"
#include "parked_request.h"
#include "reply.h"
#include "standing_open.h"

struct sync_request {
	struct parked_request parked;
	struct open_file *file; /* of an FSYNC: with a reference */
	bool data_only;
	void (*finish)(struct sync_request *request);
};

static void write_back(struct parked_request *parked)
{
	struct sync_request *request = (struct sync_request *)parked;
	struct daemon *daemon = parked->inode->daemon;

	/* An error is in the mapping's error sequence, for finish() to look at. */
	cl_writeback(parked->inode->mapping, parked->entry.range);
	parked_request_leave_unanswered(parked);
	request->finish(request);
	parked_request_answered(daemon);
}

/* Write dirty pages, if there are any; then finish(), which answers and frees.
 * Returns 0 or -ENOMEM: then nothing has happened. */
static int start(fuse_req_t req, struct open_file *file, bool data_only,
		 void (*finish)(struct sync_request *request))
{
	struct sync_request *request = calloc(1, sizeof(*request));
	struct inode *inode = file->inode;

	if (!request)
		return -ENOMEM;
	request->parked =
		(struct parked_request){.inode = inode, .req = req, .run = write_back};
	request->file = file;
	request->data_only = data_only;
	request->finish = finish;
	if (cl_mapping_dirty_pages(inode->mapping) > 0)
		parked_request_enter(&request->parked, CL_GATE_WRITE,
				     (struct cl_range){0, CL_RANGE_EOF});
	else
		finish(request);
	return 0;
}

/* ---------------------------------------------------------------------- FLUSH */

static void finish_flush(struct sync_request *request)
{
	struct open_file *file = request->file;
	int status;

	pthread_mutex_lock(&file->lock);
	status = cl_errseq_check(file->inode->mapping, file->errseq);
	pthread_mutex_unlock(&file->lock);
	reply_status(request->parked.req, status);
	free(request);
}

/*
 * Written through, close(2) has nothing to wait for: mapped pages have been written
 * back before the kernel asks (fuse_flush()), and whoever wrote them has had the error.
 * ENOSYS has the kernel do the same from now on, without asking.
 */
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	if (!daemon_of(req)->options.writeback) {
		reply_never_again(req);
		return;
	}
	if (start(req, open_file_of(fi), false, finish_flush) < 0)
		reply_status(req, -ENOMEM);
}

/* ---------------------------------------------------------------------- FSYNC */

static void finish_fsync(struct sync_request *request)
{
	struct open_file *file = request->file;
	struct inode *inode = file->inode;
	int status = inode_store_ops.sync(inode, request->data_only);

	/* The store tells its error to one of us only: pass it on to all. */
	if (status < 0)
		cl_errseq_set(inode->mapping, status);
	pthread_mutex_lock(&file->lock);
	status = cl_errseq_check_and_advance(inode->mapping, &file->errseq);
	pthread_mutex_unlock(&file->lock);
	reply_status(request->parked.req, status);
	free(request);
	open_file_put(file);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct open_file *file;
	int status;

	status =
		request_file(inode_of(daemon_of(req), ino), fi, STANDING_EITHER, &file);
	if (status == 0) {
		status = start(req, file, datasync != 0, finish_fsync);
		if (status < 0)
			open_file_put(file);
	}
	if (status < 0)
		reply_status(req, status);
}

/* -------------------------------------------------------------------- RELEASE */

static void release(fuse_req_t req, struct open_file *file)
{
	open_file_put(file);
	dirty_hold_sweep();
	reply_status(req, 0);
}

static void finish_release(struct sync_request *request)
{
	fuse_req_t req = request->parked.req;
	struct open_file *file = request->file;

	free(request);
	release(req, file);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct open_file *file = open_file_of(fi);

	(void)ino;
	/* Created before the kernel knew of --no-open. */
	if (!file) {
		reply_status(req, 0);
		return;
	}
	/* Without memory the pages are left to the flusher. */
	if (cl_mapping_dirty_pages(file->inode->mapping) == 0 ||
	    start(req, file, false, finish_release) < 0)
		release(req, file);
}
