/* SPDX-License-Identifier: MIT */
/*
 * Links: names for files that there are, taken away, added, moved.
 *
 * All of this moves the file's ctime, and not through its descriptor: so a known file
 * is under change_guard.h meanwhile, or it would look as if somebody had changed it
 * behind the mount. All of it is done with the caller's rights.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "change_guard.h"
#include "credentials.h"
#include "dirty_hold.h"
#include "freed_room.h"
#include "open_file.h"
#include "ops_namespace.h"
#include "reply.h"
#include "store_stat.h"

#define RENAME_FLAGS (RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)

/* The inode behind a name, if the kernel knows it, with a reference and about to be
 * changed; or NULL. */
static struct inode *guard(struct inode *dir, const char *name)
{
	struct inode *inode = inode_table_find(dir->daemon, dir->fd, name);

	if (inode)
		change_begin(inode);
	return inode;
}

static void unguard(struct inode *inode)
{
	if (!inode)
		return;
	change_end(inode);
	inode_put(inode, 1);
	dirty_hold_sweep();
}

/* A name of a known inode has gone. */
static void lost_name(struct inode *inode)
{
	struct stat attr;

	if (!inode)
		return;
	inode_table_rename(inode, 0, NULL);
	if (S_ISDIR(inode->type) ||
	    (inode_stat(inode, &attr) == 0 && attr.st_nlink == 0))
		open_file_unlinked(inode);
}

/* A name that is to go. */
struct removal {
	int dirfd;
	const char *name;
	int flags; /* of unlinkat(2) */
};

static int remove_in_store(void *arg)
{
	const struct removal *removal = arg;

	return unlinkat(removal->dirfd, removal->name, removal->flags) < 0 ? -errno : 0;
}

static void remove_and_reply(fuse_req_t req, fuse_ino_t parent, const char *name,
			     int flags)
{
	struct inode *dir = inode_of(daemon_of(req), parent), *inode;
	int status;

	status = name_check(dir, name);
	if (status == 0) {
		inode = guard(dir, name);
		status = credentials_call(req, remove_in_store,
					  &(struct removal){dir->fd, name, flags});
		if (status == 0)
			lost_name(inode);
		unguard(inode);
	}
	reply_status(req, status);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_and_reply(req, parent, name, 0);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_and_reply(req, parent, name, AT_REMOVEDIR);
}

/* A name that is to be added. */
struct addition {
	const struct inode *inode, *dir;
	const char *name;
};

static int link_in_store(void *arg)
{
	const struct addition *addition = arg;

	/* What is followed is the name in /proc, and it leads to the very file, be it a
	 * symbolic link. */
	return linkat(addition->inode->daemon->proc_fd_dir,
		      fd_name(addition->inode->fd).text, addition->dir->fd,
		      addition->name, AT_SYMLINK_FOLLOW) < 0
		       ? -errno
		       : 0;
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent,
	     const char *new_name)
{
	const uint64_t gone = freed_room_count();
	struct daemon *daemon = daemon_of(req);
	struct inode *inode = inode_of(daemon, ino),
		     *dir = inode_of(daemon, new_parent);
	struct addition addition = {inode, dir, new_name};
	int status;

	status = name_check_new(dir, new_name);
	if (status == 0) {
		change_begin(inode);
		status = credentials_call(req, link_in_store, &addition);
		if (freed_room_came(dir->dev, gone, status))
			status = credentials_call(req, link_in_store, &addition);
		change_end(inode);
	}
	if (status < 0) {
		reply_status(req, status);
		return;
	}
	inode_table_rename(inode, new_parent, new_name);
	atomic_store(&inode->unlinked, false);
	inode_get(inode);
	entry_reply(req, inode);
}

/* ---------------------------------------------------------------------- rename */

/* One side of a RENAME. */
struct side {
	struct inode *dir;
	const char *name;
	struct inode *inode; /* what the name stands for, guarded; or NULL */
};

struct renaming {
	const struct side *from, *to;
	unsigned flags; /* of renameat2(2) */
};

static int rename_in_store(void *arg)
{
	const struct renaming *renaming = arg;
	const struct side *from = renaming->from, *to = renaming->to;

	return renameat2(from->dir->fd, from->name, to->dir->fd, to->name,
			 renaming->flags) < 0
		       ? -errno
		       : 0;
}

static void note_renamed(const struct side *from, const struct side *to, unsigned flags)
{
	/* Two names of one file: the store has done nothing. */
	if (from->inode && from->inode == to->inode)
		return;
	if (flags & RENAME_EXCHANGE && to->inode)
		inode_table_rename(to->inode, from->dir->nodeid, from->name);
	else
		lost_name(to->inode);
	if (from->inode)
		inode_table_rename(from->inode, to->dir->nodeid, to->name);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
	const uint64_t gone = freed_room_count();
	struct daemon *daemon = daemon_of(req);
	struct side from = {.dir = inode_of(daemon, parent), .name = name};
	struct side to = {.dir = inode_of(daemon, new_parent), .name = new_name};
	struct renaming renaming = {&from, &to, flags};
	int status;

	status = name_check(from.dir, name);
	if (status == 0)
		status = name_check_new(to.dir, new_name);
	if (status == 0 && flags & ~(unsigned)RENAME_FLAGS)
		status = -EINVAL;
	if (status == 0) {
		from.inode = guard(from.dir, name);
		to.inode = guard(to.dir, new_name);
		status = credentials_call(req, rename_in_store, &renaming);
		if (freed_room_came(to.dir->dev, gone, status))
			status = credentials_call(req, rename_in_store, &renaming);
		if (status == 0)
			note_renamed(&from, &to, flags);
		unguard(to.inode);
		unguard(from.inode);
	}
	reply_status(req, status);
}
