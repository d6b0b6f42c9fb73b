/* SPDX-License-Identifier: MIT */
/*
 * OPEN: where a program may count on seeing what others had written when they closed
 * the file. So a change behind the mount that shows by now is taken in first.
 *
 * And where the store decides whether the caller may, by its modes of now and with his
 * rights: the kernel has looked at those that it remembers, and the store's descriptor
 * may be open already, for others.
 *
 * With --no-open the answer to the first one is that there are none: the kernel goes on
 * by itself, and sends no other, and no RELEASE (standing_open.h).
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu/compiler.h>

#include "account.h"
#include "change_guard.h"
#include "credentials.h"
#include "notifier.h"
#include "open_file.h"
#include "ops_data.h"
#include "refresh.h"
#include "reply.h"
#include "resize.h"
#include "revalidate.h"

/* An OPEN that waits for one of two things. */
struct opening {
	struct resize resize;
	struct revalidate_waiter waiter;
	fuse_req_t req;
	struct fuse_file_info fi;
	mode_t mode; /* before it was cut */
};

static void answer(fuse_req_t req, struct fuse_file_info *fi)
{
	struct open_file *file = open_file_of(fi);

	/* An open that was interrupted is never released. */
	if (fuse_reply_open(req, fi) < 0)
		open_file_put(file);
}

static void fail(fuse_req_t req, struct fuse_file_info *fi, int status)
{
	open_file_put(open_file_of(fi));
	reply_status(req, status);
}

static void truncated(struct resize *resize, int status)
{
	struct opening *opening = caa_container_of(resize, struct opening, resize);

	notifier_tell_mode(open_file_of(&opening->fi)->inode, opening->mode);
	if (status < 0)
		fail(opening->req, &opening->fi, status);
	else
		answer(opening->req, &opening->fi);
	free(opening);
}

static void revalidated(struct revalidate_waiter *waiter, int status)
{
	struct opening *opening = caa_container_of(waiter, struct opening, waiter);

	/* Who opens the file after a change must not be shown what was before it. */
	if (status < 0)
		fail(opening->req, &opening->fi, -EIO);
	else
		answer(opening->req, &opening->fi);
	free(opening);
}

static void revalidate_first(struct inode *inode, struct opening *opening)
{
	int status;

	opening->waiter.done = revalidated;
	opening->waiter.needs_adoption = true;
	status = revalidate_start(inode, &opening->waiter);
	if (status < 0) {
		fail(opening->req, &opening->fi, status);
		free(opening);
	}
}

static void truncate_first(struct inode *inode, struct opening *opening)
{
	opening->mode = inode->mode;
	opening->resize.size = 0;
	opening->resize.done = truncated;
	resize_start(&opening->resize, inode, opening->req);
}

/* Whether he is the owner and the mode lets him: then there is nothing to be asked.
 * What nobody may write the store or open_file.c refuses. */
static bool owner_may(fuse_req_t req, const struct inode *inode, int mask)
{
	struct stat attr;

	return !(mask & X_OK) && fstat(inode->fd, &attr) == 0 &&
	       attr.st_uid == fuse_req_ctx(req)->uid &&
	       ((attr.st_mode >> 6) & (unsigned)mask) == (unsigned)mask;
}

/* An execve(2) opens what need not be readable. */
static int access_mask(int flags)
{
	int mask;

	if (flags & KERNEL_FMODE_EXEC)
		return X_OK;
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		mask = R_OK;
		break;
	case O_WRONLY:
		mask = W_OK;
		break;
	default:
		mask = R_OK | W_OK;
		break;
	}
	return flags & O_TRUNC ? mask | W_OK : mask;
}

static int get_file(fuse_req_t req, struct inode *inode, struct fuse_file_info *fi)
{
	const int mask = access_mask(fi->flags);
	int status = 0;

	if (atomic_load(&inode->torn))
		return -EIO;
	if (inode->daemon->privileged && !owner_may(req, inode, mask))
		status = credentials_may(req, inode, mask);
	return status < 0 ? status
			  : open_file_get(inode, fi->flags, account_of(req, inode), fi);
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	/* First: whether a descriptor that was kept is still good is decided by it. */
	const bool changed = !(fi->flags & O_TRUNC) && data_changed_behind(inode);
	struct opening *opening;
	int status;

	if (inode->daemon->options.no_open) {
		reply_never_again(req);
		return;
	}
	status = get_file(req, inode, fi);
	if (status < 0) {
		reply_status(req, status);
		return;
	}
	if (!(fi->flags & O_TRUNC) && !changed) {
		answer(req, fi);
		return;
	}
	opening = calloc(1, sizeof(*opening));
	if (!opening) {
		fail(req, fi, -ENOMEM);
		return;
	}
	opening->req = req;
	opening->fi = *fi;
	/* What is cut to nothing needs no second look. */
	if (fi->flags & O_TRUNC)
		truncate_first(inode, opening);
	else
		revalidate_first(inode, opening);
}
