/* SPDX-License-Identifier: MIT */
/* Notifications: the only calls of fuse_lowlevel_notify_… about a file's content. */

#include "notifier.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "fault_point.h"
#include "kernel_wait.h"
#include "serving.h"

static int notify(struct inode *inode, off_t offset, off_t len)
{
	struct fuse_session *session = inode->daemon->session;
	struct kernel_wait wait;
	int status;

	kernel_wait_begin(&wait, inode->nodeid,
			  offset < 0 ? "a notification of attributes"
				     : "a notification of pages");
	while ((status = fault_notification(inode->fd)) == FAULT_HOLDS &&
	       !fuse_session_exited(session))
		usleep(FAULT_POLL_MS * 1000);
	if (status == 0)
		status = fuse_lowlevel_notify_inval_inode(session, inode->nodeid,
							  offset, len);
	else if (status == FAULT_HOLDS)
		status = -ENOTCONN; /* the kernel lets go when the connection ends */
	kernel_wait_end(&wait);
	return status;
}

/* The kernel has forgotten the inode, and its pages with it. */
static int or_unknown(int status)
{
	return status == -ENOENT ? 0 : status;
}

int notifier_invalidate(struct inode *inode, struct cl_range range)
{
	struct serving_hurry hurry;
	int status;

	assert(daemon_may_wait_for_kernel(inode->daemon));
	if (range.start >= range.end)
		return 0;
	atomic_store(&inode->dropped, true);
	/* Its pages may be locked for requests that wait as data, and be written to. */
	serving_hurry(inode->daemon->serving, &hurry, inode->nodeid);
	/* Length 0 stands for "to the end". */
	status = notify(inode, (off_t)range.start,
			range.end > INT64_MAX ? 0 : (off_t)(range.end - range.start));
	serving_calm(inode->daemon->serving, &hurry);
	return or_unknown(status);
}

int notifier_forget_attributes(struct inode *inode)
{
	return or_unknown(notify(inode, -1, 0));
}

int notifier_tell_changed(struct inode *inode)
{
	return notify(inode, -1, 0);
}

void notifier_tell_mode(struct inode *inode, mode_t before)
{
	if (atomic_load_explicit(&inode->mode, memory_order_relaxed) != before)
		notifier_forget_attributes(inode);
}
