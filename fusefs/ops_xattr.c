/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes, ACLs among them: handed to the store, with two exceptions.
 *
 * Names that begin with "user.foldfs." are not the store's (ops_control.h). And the kernel, which
 * enforces ACLs for us, leaves one duty behind: who changes the access ACL of a file
 * whose group he is not in takes its set-group-id bit away.
 *
 * The calls go to the inode's name in /proc/self/fd, which leads to the very file: they
 * do not take an O_PATH descriptor.
 */

#include "ops_xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "change_guard.h"
#include "ops_control.h"
#include "reply.h"
#include "standing_open.h"
#include "store_stat.h"

#define ACCESS_ACL     "system.posix_acl_access"
#define DEFAULT_ACL    "system.posix_acl_default"
#define TRUSTED_PREFIX "trusted."
/* As many of a caller's groups as we look at. */
#define GROUPS_MAX     1024

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* ------------------------------------------------------- the set-group-id bit */

static bool caller_in_group(fuse_req_t req, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	int n;

	if (fuse_req_ctx(req)->gid == group)
		return true;
	n = fuse_req_getgroups(req, GROUPS_MAX, groups);
	for (int i = 0; i < n && i < GROUPS_MAX; i++)
		if (groups[i] == group)
			return true;
	return false;
}

/* As the store would do if the caller had come himself. */
static void drop_setgid(fuse_req_t req, struct inode *inode)
{
	struct stat attr;

	if (!inode->daemon->privileged || fuse_req_ctx(req)->uid == 0)
		return;
	if (inode_stat(inode, &attr) < 0 || !(attr.st_mode & S_ISGID) ||
	    caller_in_group(req, attr.st_gid))
		return;
	fchmodat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text,
		 attr.st_mode & ~(mode_t)(S_IFMT | S_ISGID), 0);
}

/* -------------------------------------------------------------------- requests */

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		 size_t size, int flags)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	const bool is_acl = strcmp(name, ACCESS_ACL) == 0;
	int status = 0;

	if (control_is_ours(name)) {
		control_set(req, inode, name, value, size, flags);
		return;
	}
	/* It can be a change of mode. */
	if (is_acl)
		standing_open_before_loss(inode);
	change_begin(inode);
	if (setxattr(fd_path(inode->fd).text, name, value, size, flags) < 0)
		status = -errno;
	else if (is_acl)
		drop_setgid(req, inode);
	change_end(inode);
	if (is_acl)
		standing_open_after_loss(inode);
	reply_status(req, status);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	int status = 0;

	if (control_is_ours(name)) {
		control_remove(req, name);
		return;
	}
	change_begin(inode);
	if (removexattr(fd_path(inode->fd).text, name) < 0)
		status = -errno;
	change_end(inode);
	reply_status(req, status);
}

/*
 * A store without ACLs says so to who asks for one. The kernel, which asks on behalf of
 * everybody who opens a file of somebody else, takes only ENODATA for "there is none",
 * and hands the rest on to him.
 */
static int without_acl(const char *name, int error)
{
	const bool is_acl = strcmp(name, ACCESS_ACL) == 0 ||
			    strcmp(name, DEFAULT_ACL) == 0;

	return is_acl && error == EOPNOTSUPP ? ENODATA : error;
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	char *value = NULL;
	ssize_t len;

	if (control_is_ours(name)) {
		control_get(req, inode, name, size);
		return;
	}
	if (size > 0) {
		value = malloc(size);
		if (!value) {
			reply_status(req, -ENOMEM);
			return;
		}
	}
	len = getxattr(fd_path(inode->fd).text, name, value, size);
	if (len < 0)
		reply_status(req, -without_acl(name, errno));
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)len);
	else
		fuse_reply_buf(req, value, (size_t)len);
	free(value);
}

/* Take out what the caller is not to see, in place.
 * @return how long the list is then */
static size_t filter_list(fuse_req_t req, char *list, size_t len)
{
	const bool sees_trusted = fuse_req_ctx(req)->uid == 0;
	size_t kept = 0, name_len;

	for (size_t at = 0; at < len; at += name_len) {
		name_len = strlen(list + at) + 1;
		if (control_is_ours(list + at) ||
		    (has_prefix(list + at, TRUSTED_PREFIX) && !sees_trusted))
			continue;
		memmove(list + kept, list + at, name_len);
		kept += name_len;
	}
	return kept;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	const struct inode *inode = inode_of(daemon_of(req), ino);
	char *list = malloc(XATTR_LIST_MAX);
	ssize_t len;
	size_t kept;

	if (!list) {
		reply_status(req, -ENOMEM);
		return;
	}
	/* All of it, even if only the length is asked for: some may be left out. */
	len = listxattr(fd_path(inode->fd).text, list, XATTR_LIST_MAX);
	if (len < 0) {
		reply_status(req, -errno);
		free(list);
		return;
	}
	kept = filter_list(req, list, (size_t)len);
	if (size == 0)
		fuse_reply_xattr(req, kept);
	else if (kept > size)
		reply_status(req, -ERANGE);
	else
		fuse_reply_buf(req, list, kept);
	free(list);
}
