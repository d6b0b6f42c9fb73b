/* SPDX-License-Identifier: MIT */
/*
 * Resizing: SETATTR with a size; O_TRUNC uses it, too.
 *
 * The gate is closed from the smaller of both sizes on, so nobody sees a store and a
 * page cache that disagree. The sizes are compared when the gate has been entered: what
 * was there before may have changed it meanwhile.
 *
 * A path that is truncated takes the right to write the file now, a descriptor had it
 * when it was opened. Set-id bits are cleared by the store, which knows the true mode,
 * and the times are set by it. What a kernel sends beside a size (a mode without those
 * bits, the time of now) is left out: who may write a file need not be its owner.
 *
 * Dirty pages are written before any attribute is set, since their writing would change
 * the times that are being set, and clear the set-id bits.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu/compiler.h>

#include "change_guard.h"
#include "credentials.h"
#include "open_file.h"
#include "ops_attr.h"
#include "ops_data.h"
#include "reply.h"
#include "resize.h"

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

/* -------------------------------------------------------------------- SETATTR */

struct setattr {
	struct parked_request parked; /* until dirty pages are written */
	struct resize resize;
	struct stat attr;
	int to_set;
	bool has_fi;
	struct fuse_file_info fi;
};

static void resized(struct resize *resize, int status)
{
	struct setattr *s = caa_container_of(resize, struct setattr, resize);

	if (status < 0)
		reply_status(s->parked.req, status);
	else if (s->to_set & FUSE_SET_ATTR_SIZE)
		attr_reply(s->parked.req, s->parked.inode);
	else
		setattr_rest(s->parked.req, s->parked.inode, &s->attr, s->to_set,
			     s->has_fi ? &s->fi : NULL);
	free(s);
}

static void resize_if_asked(struct setattr *s)
{
	s->resize.size = (uint64_t)s->attr.st_size;
	s->resize.done = resized;
	if (s->to_set & FUSE_SET_ATTR_SIZE)
		resize_start(&s->resize, s->parked.inode, s->parked.req);
	else
		resized(&s->resize, 0);
}

static void write_back(struct parked_request *parked)
{
	/* An error is for fsync(2); the pages stay dirty. */
	cl_writeback(parked->inode->mapping, parked->entry.range);
	parked_request_leave(parked);
	resize_if_asked((struct setattr *)parked);
}

/* By a descriptor of which we know nothing, or what it was opened for. An open to read
 * and truncate can come as an OPEN and this. */
static bool was_opened_to_write(const struct fuse_file_info *fi)
{
	return fi && (fi->fh == 0 || open_file_of(fi)->access & STORE_WRITE);
}

void data_setattr(fuse_req_t req, struct inode *inode, const struct stat *attr,
		  int to_set, struct fuse_file_info *fi)
{
	const bool dirty = inode->mapping && cl_mapping_dirty_pages(inode->mapping) > 0;
	struct setattr *s;

	if (!(to_set & FUSE_SET_ATTR_SIZE) && !dirty) {
		setattr_rest(req, inode, attr, to_set, fi);
		return;
	}
	if (!S_ISREG(inode->type)) {
		reply_status(req, S_ISDIR(inode->type) ? -EISDIR : -EINVAL);
		return;
	}
	if (to_set & FUSE_SET_ATTR_SIZE && !was_opened_to_write(fi)) {
		const int status = credentials_may(req, inode, W_OK);

		if (status < 0) {
			reply_status(req, status);
			return;
		}
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		reply_status(req, -ENOMEM);
		return;
	}
	s->parked =
		(struct parked_request){.inode = inode, .req = req, .run = write_back};
	s->attr = *attr;
	s->to_set = to_set;
	if (fi) {
		s->has_fi = true;
		s->fi = *fi;
	}
	if (dirty)
		parked_request_enter(&s->parked, CL_GATE_WRITE,
				     (struct cl_range){0, CL_RANGE_EOF});
	else
		resize_if_asked(s);
}
