/* SPDX-License-Identifier: MIT */
/*
 * Identity: candidates by number and by last name, each asked who it is now.
 *
 * Most lookups end before, in identity_is_plain(). Nothing here is called with the
 * table's lock; a candidate is held by a reference meanwhile.
 */

#include "identity.h"

#include <sys/inotify.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "inode_table_internal.h"
#include "store_stat.h"

/* As many files with one number are told apart; each is a mount of its own, or a name. */
#define CANDIDATES_MAX 64

static bool same_birth(int64_t a, int64_t b)
{
	/* Some tell it in one answer and not in the next. */
	return a == 0 || b == 0 || a == b;
}

bool identity_is_plain(const struct inode *inode, const struct store_id *id)
{
	return inode->mount == id->mount && inode->type == (id->mode & S_IFMT) &&
	       same_birth(inode->birth_ns, id->birth_ns) &&
	       (!id->has_links || inode->links == LINKS_ARE_ONE);
}

/* ------------------------------------------------------------- one file or two */

static bool links_may_split(struct inode *inode)
{
	if (inode->links == LINKS_UNKNOWN)
		inode->links =
			store_is_overlayfs(inode->fd) ? LINKS_MAY_SPLIT : LINKS_ARE_ONE;
	return inode->links == LINKS_MAY_SPLIT;
}

/* Who may not read a file cannot have it watched. He sees nothing of it that could be
 * another's. */
static bool is_one_watch(int a, int b)
{
	const int fd = inotify_init1(IN_CLOEXEC);
	const int first = inotify_add_watch(fd, fd_path(a).text, IN_DELETE_SELF);
	const bool one = first > 0 && inotify_add_watch(fd, fd_path(b).text,
							IN_DELETE_SELF) == first;

	if (fd >= 0)
		close(fd);
	return one;
}

/* Two mounts that let a file be seen and written alike. */
static bool mounts_are_alike(const struct inode *inode, int fd)
{
	struct statvfs one, other;
	struct stat a, b;

	return fstatvfs(inode->fd, &one) == 0 && fstatvfs(fd, &other) == 0 &&
	       ((one.f_flag ^ other.f_flag) & ST_RDONLY) == 0 &&
	       fstat(inode->fd, &a) == 0 && fstat(fd, &b) == 0 &&
	       a.st_uid == b.st_uid && a.st_gid == b.st_gid;
}

/* ------------------------------------------------------------------ candidates */

static void renumber(struct inode *inode, const struct store_id *id)
{
	struct inode_table *table = inode->daemon->inodes;

	pthread_mutex_lock(&table->lock);
	inode_table_renumber(table, inode, id);
	pthread_mutex_unlock(&table->lock);
}

/* A network store is asked for what is true now: its file may be no more. A copy-up may
 * come between both answers: then the first one is asked again. */
static bool ask_both(struct inode *inode, int fd, struct store_id *ret_one,
		     struct store_id *ret_other)
{
	const struct daemon *daemon = inode->daemon;
	struct stat attr;

	for (int i = 0; i < 2; i++) {
		if (store_stat(daemon, inode->fd, ret_one, &attr) < 0)
			return false;
		if (i == 0 && store_stat(daemon, fd, ret_other, &attr) < 0)
			return false;
		if (store_same_number(ret_one, ret_other) &&
		    same_birth(ret_one->birth_ns, ret_other->birth_ns))
			return true;
	}
	return false;
}

static bool is_same(struct inode *inode, int fd)
{
	struct store_id one, other;
	bool same;

	/* Stale, or another one. */
	if (!ask_both(inode, fd, &one, &other))
		return false;
	same = inode->type == (one.mode & S_IFMT) &&
	       inode->type == (other.mode & S_IFMT);
	if (same && one.mount != other.mount)
		same = !S_ISDIR(inode->type) && mounts_are_alike(inode, fd);
	if (same && one.has_links && links_may_split(inode))
		same = is_one_watch(inode->fd, fd);
	if (same)
		renumber(inode, &one);
	return same;
}

/* Those with this number, and the one that was last found by this name; each with a
 * reference. */
static size_t collect(struct inode_table *table, const struct store_id *id,
		      fuse_ino_t parent, const char *name, struct inode **candidates,
		      uint64_t *ret_version)
{
	struct inode *inode = NULL;
	size_t n = 0;

	pthread_mutex_lock(&table->lock);
	while (n < CANDIDATES_MAX && (inode = inode_table_next(table, id, inode)))
		candidates[n++] = inode;
	inode = name ? inode_named(table, parent, name) : NULL;
	if (inode && (inode->dev != id->dev || inode->ino != id->ino))
		candidates[n++] = inode;
	for (size_t i = 0; i < n; i++)
		inode_get(candidates[i]);
	*ret_version = table->version;
	pthread_mutex_unlock(&table->lock);
	return n;
}

struct inode *identity_find(struct daemon *daemon, int fd, const struct store_id *id,
			    fuse_ino_t parent, const char *name, uint64_t *ret_version)
{
	struct inode *candidates[CANDIDATES_MAX + 1], *found = NULL;
	const size_t n =
		collect(daemon->inodes, id, parent, name, candidates, ret_version);

	for (size_t i = 0; i < n; i++) {
		if (!found && is_same(candidates[i], fd))
			found = candidates[i];
		else
			inode_put(candidates[i], 1);
	}
	if (found && name)
		inode_table_rename(found, parent, name);
	return found;
}
