/* SPDX-License-Identifier: MIT */
/*
 * Resizing: a file's size, in the store and in the page cache.
 *
 * The gate is closed from the smaller of both sizes on, so nobody sees a store and a
 * page cache that disagree. The sizes are compared when the gate has been entered: what
 * was there before may have changed it meanwhile.
 */

#include "resize.h"

#include <errno.h>
#include <unistd.h>

#include "change_guard.h"
#include "credentials.h"
#include "open_file.h"

/* The store first: if it refuses, nothing has happened. Gate: EXCLUSIVE over what goes
 * or comes. */
static int resize_both(struct inode *inode, uint64_t size, fuse_req_t req)
{
	int status;

	if (size > INT64_MAX)
		return -EFBIG;
	status = credentials_enter_bytes(req, inode->store_write_fd);
	if (status < 0)
		return status;
	change_begin(inode);
	do
		status = ftruncate(inode->store_write_fd, (off_t)size) < 0 ? -errno : 0;
	while (status == -EINTR);
	if (status == 0)
		change_end_sized(inode, size);
	else
		change_end(inode);
	credentials_leave();
	if (status == 0)
		cl_mapping_set_size(inode->mapping, size);
	return status;
}

static void enter(struct resize *resize)
{
	const uint64_t old = cl_mapping_size(resize->parked.inode->mapping);

	parked_request_enter(&resize->parked, CL_GATE_EXCLUSIVE,
			     (struct cl_range){old < resize->size ? old : resize->size,
					       CL_RANGE_EOF});
}

static void run(struct parked_request *parked)
{
	struct resize *resize = (struct resize *)parked;
	struct inode *inode = parked->inode;
	int status;

	if (cl_mapping_size(inode->mapping) < parked->entry.range.start) {
		/* It has shrunk further while we waited. */
		parked_request_leave(parked);
		enter(resize);
		return;
	}
	status = resize_both(inode, resize->size, parked->req);
	parked_request_leave(parked);
	store_put(inode);
	resize->done(resize, status);
}

void resize_start(struct resize *resize, struct inode *inode, fuse_req_t req)
{
	int status = atomic_load(&inode->torn) ? -EIO : inode_mapping_ensure(inode);

	if (status == 0)
		status = store_get(inode, STORE_WRITE);
	if (status < 0) {
		resize->done(resize, status);
		return;
	}
	resize->parked =
		(struct parked_request){.inode = inode, .req = req, .run = run};
	enter(resize);
}
