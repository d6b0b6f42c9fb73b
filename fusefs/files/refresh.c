/* SPDX-License-Identifier: MIT */
/*
 * Answers with attributes of a cached file.
 *
 * Size and times must belong to the bytes that a reader gets afterwards. Bytes that we
 * have not written yet have not moved the store's times: write them first (Linux NFS
 * does the same in nfs_getattr()). Bytes that somebody else has written must have
 * reached both caches.
 */

#include "refresh.h"

#include <stdlib.h>
#include <urcu/compiler.h>

#include "change_guard.h"
#include "parked_request.h"
#include "revalidate.h"

struct refresh {
	struct parked_request parked;
	struct revalidate_waiter waiter;
	void (*answer)(fuse_req_t req, struct inode *inode);
};

static void finish(struct refresh *refresh)
{
	fuse_req_t req = refresh->parked.req;
	struct inode *inode = refresh->parked.inode;
	void (*answer)(fuse_req_t, struct inode *) = refresh->answer;

	free(refresh);
	answer(req, inode);
}

/* The attributes are right even if the kernel has kept old pages. */
static void revalidated(struct revalidate_waiter *waiter, int status)
{
	(void)status;
	finish(caa_container_of(waiter, struct refresh, waiter));
}

static void revalidate_if_changed(struct refresh *refresh)
{
	struct inode *inode = refresh->parked.inode;

	refresh->waiter.done = revalidated;
	/* Out of memory: the answer is right, and the next one who asks tries again. */
	if (!data_changed_behind(inode) ||
	    revalidate_start(inode, &refresh->waiter) < 0)
		finish(refresh);
}

static void write_back(struct parked_request *parked)
{
	struct refresh *refresh = caa_container_of(parked, struct refresh, parked);

	/* An error is for fsync(2); the pages stay dirty. */
	cl_writeback(parked->inode->mapping, parked->entry.range);
	parked_request_leave(parked);
	revalidate_if_changed(refresh);
}

static bool is_dirty(const struct inode *inode)
{
	return inode->mapping && cl_mapping_dirty_pages(inode->mapping) > 0;
}

bool data_changed_behind(struct inode *inode)
{
	return inode->mapping && (change_differs(inode) || revalidate_running(inode));
}

void refresh_then(fuse_req_t req, struct inode *inode, bool needs_adoption,
		  void (*answer)(fuse_req_t req, struct inode *inode))
{
	struct refresh *refresh = NULL;

	if (is_dirty(inode) || data_changed_behind(inode))
		refresh = calloc(1, sizeof(*refresh));
	if (!refresh) {
		answer(req, inode);
		return;
	}
	refresh->parked =
		(struct parked_request){.inode = inode, .req = req, .run = write_back};
	refresh->answer = answer;
	refresh->waiter.needs_adoption = needs_adoption;
	if (is_dirty(inode))
		parked_request_enter(&refresh->parked, CL_GATE_WRITE,
				     (struct cl_range){0, CL_RANGE_EOF});
	else
		revalidate_if_changed(refresh);
}
