/* SPDX-License-Identifier: MIT */
/*
 * Range operations on behalf of requests.
 *
 * The request holds the kernel's inode lock (SETXATTR and FALLOCATE are sent with it),
 * so no write(2), truncate or other range operation of the mount runs on the file. Page
 * faults, read(2) and writeback do; the library's protocol is about those.
 *
 * Who asks by an attribute must be able to write the file now, by what the store says;
 * the file itself is then changed with his rights, and the journal with ours.
 */

#include "range_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "account.h"
#include "allocate.h"
#include "change_guard.h"
#include "credentials.h"
#include "ending.h"
#include "freed_room.h"
#include "inode_log.h"
#include "open_file.h"
#include "range_stats.h"
#include "reply.h"
#include "size_adoption.h"
#include "store_range.h"
#include "upper_kernel.h"
#include "worker_pool.h"

struct range_request {
	struct job job;
	fuse_req_t req;
	struct inode *inode; /* with a reference, and a use of its store's file */
	struct cl_range_op op;
	int fallocate_mode;
};

/* -------------------------------------------------------------------- the store */

static int level_of(const struct store_event *event)
{
	switch (event->kind) {
	case STORE_EVENT_PROGRESS:
		return LOG_INFO;
	case STORE_EVENT_PENDING:
		return LOG_CRIT;
	case STORE_EVENT_UNCHANGED:
		return event->error == -EINTR ? LOG_INFO : LOG_WARNING;
	default:
		return LOG_WARNING;
	}
}

/* The calls on the file, and on the journal's descriptor: blocks are for the caller's
 * account, and set-id bits are his to lose. */
#define AS_CALLER(type, name, parameters, ...)                                         \
	static type name##_as_caller parameters                                        \
	{                                                                              \
		type result = credentials_resume();                                    \
                                                                                       \
		if (result < 0)                                                        \
			return result;                                                 \
		result = store_io_system.name(__VA_ARGS__);                            \
		credentials_pause();                                                   \
		return result;                                                         \
	}

AS_CALLER(ssize_t, pwrite, (int fd, const void *buf, size_t len, uint64_t offset), fd,
	  buf, len, offset)
AS_CALLER(int, fallocate, (int fd, int mode, uint64_t offset, uint64_t len), fd, mode,
	  offset, len)
AS_CALLER(int, ftruncate, (int fd, uint64_t size), fd, size)
AS_CALLER(int, clone,
	  (int to_fd, uint64_t to, int from_fd, uint64_t from, uint64_t len), to_fd, to,
	  from_fd, from, len)

static struct store_io io_as_caller(void)
{
	struct store_io io = store_io_system;

	io.pwrite = pwrite_as_caller;
	io.fallocate = fallocate_as_caller;
	io.ftruncate = ftruncate_as_caller;
	io.clone = clone_as_caller;
	return io;
}

static void tell(void *arg, const struct store_event *event)
{
	struct range_request *request = arg;
	char text[STORE_EVENT_TEXT_MAX];

	if (event->kind == STORE_EVENT_REFUSED)
		atomic_store(&request->inode->refused, event->error);
	store_event_describe(event, text, sizeof(text));
	log_inode_kind(level_of(event), store_event_name(event->kind), request->inode,
		       "%s", text);
}

/* A signal of the caller's makes it undone; the end of the mount waits a little, and
 * leaves it to the next one. */
static enum shift_wish wish(void *arg)
{
	const struct range_request *request = arg;

	if (ending_is_overdue())
		return SHIFT_STOP;
	return fuse_req_interrupted(request->req) ? SHIFT_GO_BACK : SHIFT_GO_ON;
}

static int change_by_store_range(struct range_request *request)
{
	struct inode *inode = request->inode;
	const struct cl_range_op *op = &request->op;
	const struct store_io io = io_as_caller();
	const struct store_range_ctx ctx = {
		.io = &io,
		.source_fd = inode->daemon->source_fd,
		.probe = inode->daemon->store_probe,
		.event = tell,
		.event_arg = request,
		.wish = wish,
		.wish_arg = request,
	};
	const int fd = inode->store_write_fd;

	switch (op->kind) {
	case CL_COLLAPSE:
		return store_collapse(&ctx, fd, op->offset, op->len);
	case CL_INSERT:
		return store_insert(&ctx, fd, op->offset, op->len);
	case CL_MOVE:
		return store_move(&ctx, fd, op->offset, op->len, op->destination);
	case CL_PUNCH:
		return store_punch(&ctx, fd, op->offset, op->len);
	case CL_ZERO:
		return store_zero(&ctx, fd, op->offset, op->len);
	}
	return -EOPNOTSUPP;
}

/* What the operation has done to the size. All that was dirty from its offset on has been
 * written before: where bytes move, the store's size was that of the mapping. */
static void tell_guard(struct inode *inode, const struct cl_range_op *op, uint64_t size,
		       int status)
{
	if (status == 0 && op->kind == CL_COLLAPSE)
		change_end_sized(inode, size - op->len);
	else if (status == 0 && op->kind == CL_INSERT)
		change_end_sized(inode, size + op->len);
	else
		change_end(inode);
}

/** Step 4, under EXCLUSIVE. */
/* With the caller's rights, which store_range's journal must not have. */
static int change_in_store(struct range_request *request)
{
	int status = credentials_enter(request->req, CREDENTIALS_ALL);

	if (status < 0)
		return status;
	if (request->fallocate_mode) {
		status = allocate_range(request->inode->store_write_fd,
					request->fallocate_mode, request->op.offset,
					request->op.len);
	} else {
		credentials_pause();
		status = change_by_store_range(request);
	}
	credentials_leave();
	return status;
}

static int change_store(void *arg)
{
	const uint64_t gone = freed_room_count();
	struct range_request *request = arg;
	struct inode *inode = request->inode;
	const uint64_t size = cl_mapping_size(inode->mapping);
	int status;

	change_begin(inode);
	status = change_in_store(request);
	if (freed_room_came(inode->dev, gone, status))
		status = change_in_store(request);
	tell_guard(inode, &request->op, size, status);
	if (status == STORE_BETWEEN) {
		atomic_store(&inode->torn, true);
		/* For ever: found anew, it would be served. */
		inode_get(inode);
		return -EIO;
	}
	if (status == 0)
		atomic_store(&inode->refused, 0);
	if (status == 0 && request->op.kind == CL_COLLAPSE)
		adoption_begin(inode, size);
	if (status == 0 && request->op.kind == CL_INSERT)
		adoption_is_owed(inode);
	return status;
}

/* ------------------------------------------------------------------- the request */

static void run(struct job *job)
{
	struct range_request *request = (struct range_request *)job;
	struct inode *inode = request->inode;
	struct cl_range_op_report report = {0};
	struct upper_kernel kernel = {inode, fuse_req_ctx(request->req)->pid};
	fuse_req_t req = request->req;
	int status;

	status = cl_range_op_run(inode->mapping, &request->op,
				 upper_kernel_ops(inode->daemon), &kernel, INT64_MAX,
				 change_store, request, &report);
	range_stats_add(&inode->range_stats, request->op.kind, &report, status);
	range_stats_add(&inode->daemon->range_stats, request->op.kind, &report, status);
	log_inode(LOG_DEBUG, inode, "%s %llu+%llu: %s; %u rounds, %llu notifications",
		  cl_range_op_name(request->op.kind),
		  (unsigned long long)request->op.offset,
		  (unsigned long long)request->op.len, strerror(-status), report.rounds,
		  (unsigned long long)report.notifications);
	free(request);
	store_put(inode);
	/* The kernel makes EOPNOTSUPP of an EAGAIN (__vfs_setxattr_noperm()), which says
	 * that the file is not on foldfs. */
	reply_status(req, status == -EAGAIN ? -EBUSY : status);
	inode_put(inode, 1);
}

/** Whether the file may be changed at all, and by him, and can be got at. */
static int prepare(fuse_req_t req, struct inode *inode, bool by_descriptor)
{
	int status;

	if (!S_ISREG(inode->type))
		return S_ISDIR(inode->type) ? -EISDIR : -ENODEV;
	if (atomic_load(&inode->torn))
		return -EIO;
	if (atomic_load(&inode->executing) > 0)
		return -ETXTBSY;
	status = by_descriptor ? 0 : credentials_may(req, inode, W_OK);
	if (status == 0)
		status = inode_mapping_ensure(inode);
	return status < 0 ? status : store_get(inode, STORE_READ | STORE_WRITE);
}

void range_request_start(fuse_req_t req, struct inode *inode,
			 const struct cl_range_op *op, int fallocate_mode)
{
	struct range_request *request;
	int status = prepare(req, inode, fallocate_mode != 0);

	if (status < 0) {
		reply_status(req, status);
		return;
	}
	request = calloc(1, sizeof(*request));
	if (!request) {
		store_put(inode);
		reply_status(req, -ENOMEM);
		return;
	}
	inode_get(inode);
	*request = (struct range_request){
		.job = {.run = run, .account = account_of(req, inode)},
		.req = req,
		.inode = inode,
		.op = *op,
		.fallocate_mode = fallocate_mode,
	};
	worker_pool_submit(inode->daemon->range_operations, &request->job);
}
