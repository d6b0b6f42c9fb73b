/* SPDX-License-Identifier: MIT */
/* Attributes: asked for. ops_setattr.c sets them. */

#include "ops_attr.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "freed_room.h"
#include "new_requests.h"
#include "refresh.h"
#include "reply.h"
#include "size_adoption.h"
#include "store_stat.h"
#include "watch.h"

void attr_reply(fuse_req_t req, struct inode *inode)
{
	/* Before it is looked at. */
	const struct trust trust = {.attributes = watch_inode(inode)};
	struct stat attr;
	const int status = inode_stat(inode, &attr);

	if (status < 0) {
		reply_status(req, status);
		return;
	}
	/* Before the answer: after it the kernel may forget the inode. */
	adoption_answered(inode, &attr);
	fuse_reply_attr(req, &attr, watch_attr_timeout(inode->daemon, trust));
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	refresh_then(req, inode_of(daemon_of(req), ino), true,
		     new_requests_was() == NEW_REQUEST_STATX ? statx_reply
							     : attr_reply);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	const struct daemon *daemon = daemon_of(req);
	struct statvfs statfs;
	int fd = daemon->source_fd;
	dev_t device = daemon->source_dev;

	/* The kernel asks on behalf of a file, or of none. */
	if (ino != 0) {
		fd = inode_of(daemon_of(req), ino)->fd;
		device = inode_of(daemon_of(req), ino)->dev;
	}
	freed_room_await(device);
	if (fstatvfs(fd, &statfs) < 0)
		reply_status(req, -errno);
	else
		fuse_reply_statfs(req, &statfs);
}

void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	const struct inode *inode = inode_of(daemon_of(req), ino);

	/* With default_permissions the kernel decides by itself, and only asks whether
	 * the store is read-only or the file gone bad. */
	if (faccessat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text, mask,
		      AT_EACCESS) < 0)
		reply_status(req, -errno);
	else
		reply_status(req, 0);
}
