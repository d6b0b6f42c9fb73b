/* SPDX-License-Identifier: MIT */
/*
 * Names: finding what is behind them, and forgetting it.
 *
 * Every step goes from a directory's O_PATH descriptor to one name in it, never through
 * a symbolic link, a slash or "..": so nothing outside the source is ever reached,
 * whatever is renamed or linked meanwhile. The two exceptions are what the kernel asks
 * for on behalf of file handles, "." and "..": the first by nodeid, the second followed
 * by a walk upwards that must meet the source.
 */

#include "ops_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "automount.h"
#include "fd_pressure.h"
#include "hidden_name.h"
#include "refresh.h"
#include "reply.h"
#include "size_adoption.h"
#include "store_stat.h"

#define O_INODE	  (O_PATH | O_NOFOLLOW | O_CLOEXEC)
/* Deeper than any path the kernel can resolve. */
#define DEPTH_MAX PATH_MAX

int name_check(const struct inode *dir, const char *name)
{
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strchr(name, '/'))
		return -EINVAL;
	return name_is_hidden(dir, name) ? -ENOENT : 0;
}

int name_check_new(const struct inode *dir, const char *name)
{
	const int status = name_check(dir, name);

	return status == -ENOENT ? -EPERM : status;
}

/* What is looked at again is watched from now on: before it is looked at. */
static int stat_known(struct inode *dir, bool dir_was_watched, struct inode *inode,
		      struct stat *ret_attr, struct trust *ret_trust)
{
	int status;

	if (!dir_was_watched)
		watch_inode(dir);
	ret_trust->attributes = watch_inode(inode);
	status = inode_stat(inode, ret_attr);
	/* Of a file's names we know one, for when events are lost. */
	ret_trust->name = dir_was_watched && status == 0 &&
			  (S_ISDIR(inode->type) || ret_attr->st_nlink == 1);
	return status;
}

int child_get(struct inode *dir, const char *name, struct inode **ret_inode,
	      struct stat *ret_attr, struct trust *ret_trust)
{
	const bool dir_was_watched = watch_has(dir);
	struct daemon *daemon = dir->daemon;
	struct store_id id;
	struct inode *inode;
	int status, fd;

	*ret_trust = (struct trust){0};
	status = store_identify(dir->fd, name, &id);
	if (status < 0)
		return status;
	/* Mounted again inside the source, our root would be below itself, and we would
	 * be asking ourselves. */
	if (id.dev == daemon->own_dev)
		return -ELOOP;
	inode = inode_table_find_id(daemon, &id, dir->nodeid, name);
	if (inode) {
		status = stat_known(dir, dir_was_watched, inode, ret_attr, ret_trust);
		if (status == 0) {
			*ret_inode = inode;
			return 0;
		}
		inode_put(inode, 1);
		/* ESTALE: that one is no more, and a store that did not know of our
		 * descriptor has given its number away. */
		if (status != -ESTALE)
			return status;
	}
	fd = openat(dir->fd, name, O_INODE);
	if (fd < 0)
		return fd_pressure_error(daemon, -errno);
	return inode_table_find_or_add(daemon, fd, dir->nodeid, name, ret_inode,
				       ret_attr);
}

/* --------------------------------------------------------------------- answers */

void entry_fill(const struct inode *inode, const struct stat *attr, struct trust trust,
		struct fuse_entry_param *ret_entry)
{
	memset(ret_entry, 0, sizeof(*ret_entry));
	ret_entry->ino = inode->nodeid;
	ret_entry->generation = inode->generation;
	ret_entry->attr = *attr;
	ret_entry->attr_timeout = watch_attr_timeout(inode->daemon, trust);
	ret_entry->entry_timeout = watch_entry_timeout(inode->daemon, trust);
}

void entry_reply_attr(fuse_req_t req, struct inode *inode, const struct stat *attr,
		      struct trust trust)
{
	struct fuse_entry_param entry;

	entry_fill(inode, attr, trust, &entry);
	/* Before the answer: with it our reference is the kernel's. */
	adoption_answered(inode, attr);
	if (fuse_reply_entry(req, &entry) < 0)
		inode_put(inode, 1);
}

void entry_reply(fuse_req_t req, struct inode *inode)
{
	struct stat attr;
	const int status = inode_stat(inode, &attr);

	if (status < 0) {
		inode_put(inode, 1);
		reply_status(req, status);
		return;
	}
	entry_reply_attr(req, inode, &attr, (struct trust){0});
}

/* ------------------------------------------------------------ LOOKUP for handles */

/* Whether a directory is the source or below it: walk upwards until we meet either the
 * source or the end of the world. */
static int check_below_source(struct daemon *daemon, int fd)
{
	struct store_id source, id, last = {0};
	int status, up;

	status = store_identify(daemon->source_fd, "", &source);
	if (status < 0)
		return status;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		if (up < 0)
			return fd_pressure_error(daemon, -errno);
		status = store_identify(up, "", &id);
		if (status == 0 && store_same_place(&id, &source))
			break;
		if (status == 0 && store_same_place(&id, &last))
			status = -ESTALE;
		if (status < 0)
			break;
		last = id;
		fd = openat(up, "..", O_INODE | O_DIRECTORY);
		close(up);
		up = fd;
		status = -ESTALE;
	}
	close(up);
	return status;
}

static int lookup_parent(struct daemon *daemon, struct inode *dir,
			 struct inode **ret_inode)
{
	struct stat attr;
	int status, fd;

	if (dir->nodeid == FUSE_ROOT_ID)
		return -ESTALE;
	fd = openat(dir->fd, "..", O_INODE | O_DIRECTORY);
	if (fd < 0)
		return fd_pressure_error(daemon, -errno);
	status = check_below_source(daemon, fd);
	if (status < 0) {
		close(fd);
		return status;
	}
	return inode_table_find_or_add(daemon, fd, 0, NULL, ret_inode, &attr);
}

/* name is "." or "..", nodeid perhaps forgotten. */
static int lookup_by_handle(struct daemon *daemon, fuse_ino_t nodeid, const char *name,
			    struct inode **ret_inode)
{
	struct inode *inode;
	int status;

	status = inode_table_revive(daemon, nodeid, &inode);
	if (status < 0)
		return status;
	if (S_ISDIR(inode->type))
		status = check_below_source(daemon, inode->fd);
	if (status == 0 && name[1] == '\0') {
		*ret_inode = inode;
		return 0;
	}
	if (status == 0)
		status = S_ISDIR(inode->type) ? lookup_parent(daemon, inode, ret_inode)
					      : -ENOTDIR;
	inode_put(inode, 1);
	return status;
}

/* -------------------------------------------------------------------- requests */

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct daemon *daemon = daemon_of(req);
	struct inode *dir, *inode;
	struct trust trust;
	struct stat attr;
	int status;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		status = lookup_by_handle(daemon, parent, name, &inode);
		if (status < 0)
			reply_status(req, status);
		else
			entry_reply(req, inode);
		return;
	}
	dir = inode_of(daemon, parent);
	status = name_check(dir, name);
	if (status == 0)
		status = automount_enter(dir);
	if (status == 0)
		status = child_get(dir, name, &inode, &attr, &trust);
	if (status < 0)
		reply_status(req, status);
	else if (data_changed_behind(inode))
		refresh_then(req, inode, false, entry_reply);
	else
		entry_reply_attr(req, inode, &attr, trust);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	inode_put(inode_of(daemon_of(req), ino), nlookup);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct daemon *daemon = daemon_of(req);

	for (size_t i = 0; i < count; i++)
		inode_put(inode_of(daemon, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	const struct inode *inode = inode_of(daemon_of(req), ino);
	char target[PATH_MAX];
	ssize_t len;

	len = readlinkat(inode->fd, "", target, sizeof(target));
	if (len < 0) {
		reply_status(req, -errno);
	} else if ((size_t)len == sizeof(target)) {
		reply_status(req, -ENAMETOOLONG);
	} else {
		target[len] = '\0';
		fuse_reply_readlink(req, target);
	}
}
