/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes, ACLs among them: handed to the store, with the caller's rights,
 * but for two exceptions.
 *
 * Names that begin with "user.foldfs." are not the store's (ops_control.h). And ACLs
 * and capabilities, which the kernel reads on behalf of everybody, are read with our
 * own.
 *
 * The calls go to the inode's name in /proc/self/fd, which leads to the very file: they
 * do not take an O_PATH descriptor.
 */

#include "ops_xattr.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "change_guard.h"
#include "credentials.h"
#include "freed_room.h"
#include "ops_control.h"
#include "reply.h"
#include "standing_open.h"
#include "store_stat.h"

#define ACCESS_ACL     "system.posix_acl_access"
#define DEFAULT_ACL    "system.posix_acl_default"
#define TRUSTED_PREFIX "trusted."
#define USER_PREFIX    "user."
#define CAPABILITY     "security.capability"

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* ------------------------------------------------------------------ the store */

struct xattr {
	const struct inode *inode;
	const char *name;
	union {
		const void *value; /* to set */
		void *ret_value;   /* to read, or NULL */
	};
	size_t size;
	int flags;
};

static int set_in_store(void *arg)
{
	const struct xattr *xattr = arg;

	return setxattr(fd_path(xattr->inode->fd).text, xattr->name, xattr->value,
			xattr->size, xattr->flags) < 0
		       ? -errno
		       : 0;
}

static int remove_in_store(void *arg)
{
	const struct xattr *xattr = arg;

	return removexattr(fd_path(xattr->inode->fd).text, xattr->name) < 0 ? -errno
									    : 0;
}

static int get_in_store(void *arg)
{
	const struct xattr *xattr = arg;
	const ssize_t len = getxattr(fd_path(xattr->inode->fd).text, xattr->name,
				     xattr->ret_value, xattr->size);

	return len < 0 ? -errno : (int)len;
}

/* With an ACL the store drops a set-group-id bit, or not, by the caller's groups. */
static int set_as_caller(fuse_req_t req, bool is_acl, struct xattr *xattr)
{
	return is_acl ? credentials_call_with_all(req, set_in_store, xattr)
		      : credentials_call(req, set_in_store, xattr);
}

/* -------------------------------------------------------------------- requests */

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		 size_t size, int flags)
{
	const uint64_t gone = freed_room_count();
	struct inode *inode = inode_of(daemon_of(req), ino);
	const bool is_acl = strcmp(name, ACCESS_ACL) == 0;
	struct xattr xattr = {.inode = inode,
			      .name = name,
			      .value = value,
			      .size = size,
			      .flags = flags};
	int status;

	if (control_is_ours(name)) {
		control_set(req, inode, name, value, size, flags);
		return;
	}
	/* It can be a change of mode. */
	if (is_acl)
		standing_open_before_loss(inode);
	change_begin(inode);
	status = set_as_caller(req, is_acl, &xattr);
	if (freed_room_came(inode->dev, gone, status))
		status = set_as_caller(req, is_acl, &xattr);
	change_end(inode);
	if (is_acl)
		standing_open_after_loss(inode);
	reply_status(req, status);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	struct xattr xattr = {.inode = inode, .name = name};
	int status;

	if (control_is_ours(name)) {
		control_remove(req, name);
		return;
	}
	change_begin(inode);
	status = credentials_call(req, remove_in_store, &xattr);
	change_end(inode);
	/* Who is refused this has not asked for it: the kernel has let nobody pass who
	 * may not, and asks by itself before a change of the file's bytes. The store
	 * takes capabilities away at that change. */
	if (status == -EPERM && strcmp(name, CAPABILITY) == 0)
		status = 0;
	reply_status(req, status);
}

/*
 * A store without ACLs says so to who asks for one. The kernel, which asks on behalf of
 * everybody who opens a file of somebody else, takes only ENODATA for "there is none",
 * and hands the rest on to him.
 */
static int without_acl(const char *name, int error)
{
	const bool is_acl =
		strcmp(name, ACCESS_ACL) == 0 || strcmp(name, DEFAULT_ACL) == 0;

	return is_acl && error == EOPNOTSUPP ? ENODATA : error;
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct inode *inode = inode_of(daemon_of(req), ino);
	struct xattr xattr = {.inode = inode, .name = name, .size = size};
	char *value = NULL;
	int len;

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
	xattr.ret_value = value;
	if (has_prefix(name, USER_PREFIX))
		len = credentials_call(req, get_in_store, &xattr);
	else if (has_prefix(name, TRUSTED_PREFIX))
		len = credentials_call_with_all(req, get_in_store, &xattr);
	else
		len = get_in_store(&xattr);
	if (len < 0)
		reply_status(req, -without_acl(name, -len));
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
	enum { UNKNOWN, NO, YES } sees_trusted = UNKNOWN;
	size_t kept = 0, name_len;

	for (size_t at = 0; at < len; at += name_len) {
		const bool trusted = has_prefix(list + at, TRUSTED_PREFIX);

		name_len = strlen(list + at) + 1;
		if (trusted && sees_trusted == UNKNOWN)
			sees_trusted =
				credentials_has_cap(req, CAP_SYS_ADMIN) ? YES : NO;
		if (control_is_ours(list + at) || (trusted && sees_trusted == NO))
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
	int status;

	if (!list) {
		reply_status(req, -ENOMEM);
		return;
	}
	/* All of it, even if only the length is asked for: some may be left out. */
	credentials_enter_own();
	len = listxattr(fd_path(inode->fd).text, list, XATTR_LIST_MAX);
	status = len < 0 ? -errno : 0;
	credentials_leave();
	if (status < 0) {
		reply_status(req, status);
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
