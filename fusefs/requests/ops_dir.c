/* SPDX-License-Identifier: MIT */
/*
 * Directories, read the way the store reads them.
 *
 * An offset is the store's own cookie for the entry before it, so it stays good while
 * entries come and go, as far as the store sees to that; seekdir(3) works, and nothing
 * is numbered or remembered here. Each open directory has a descriptor with a stream
 * position, which is moved only when the kernel asks for another offset than the one
 * where the stream stands.
 */

#include "ops_dir.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu/list.h>

#include "account.h"
#include "automount.h"
#include "credentials.h"
#include "fd_pressure.h"
#include "fd_share.h"
#include "hidden_name.h"
#include "inode_table.h"
#include "listing.h"
#include "ops_namespace.h"
#include "refresh.h"
#include "reply.h"
#include "store_stat.h"

#define STREAM_BYTES 32768

/* One opendir(3) of the mount; lives in fi->fh. */
struct open_dir {
	/* Set once. */
	struct inode *inode; /* the kernel holds a lookup on it while it is open */
	int fd;
	uint32_t account; /* of whoever has opened it (fd_share.h) */

	pthread_mutex_t lock;
	/* Guarded by lock. */
	off_t offset; /* of the entry at `next`: what the kernel calls where it stands
		       */
	/* Read from the store and not yet used; or NULL, and the stream of fd is to be
	 * set to `offset` before it is read. */
	char *entries;
	size_t next, end;

	/* Guarded by kept_lock. */
	struct cds_list_head kept_node;
	bool kept;
};

/* Directories may be open for as long, and as often, as anybody likes: only those read
 * last keep what they have read. kept_lock is taken with a directory's lock held. */
#define KEPT_MAX 128

static pthread_mutex_t kept_lock = PTHREAD_MUTEX_INITIALIZER;
static CDS_LIST_HEAD(kept_dirs); /* longest unread first */
static unsigned kept_count;

/* Required: lock. */
static void forget_entries(struct open_dir *dir)
{
	free(dir->entries);
	dir->entries = NULL;
	dir->next = dir->end = 0;
}

/* Required: kept_lock. */
static void take_from_kept(struct open_dir *dir)
{
	if (!dir->kept)
		return;
	cds_list_del(&dir->kept_node);
	dir->kept = false;
	kept_count--;
}

/* One that is being read is not longest unread. Required: kept_lock. */
static void make_room(void)
{
	struct open_dir *dir, *next;

	cds_list_for_each_entry_safe(dir, next, &kept_dirs, kept_node) {
		if (kept_count < KEPT_MAX)
			return;
		if (pthread_mutex_trylock(&dir->lock) != 0)
			continue;
		take_from_kept(dir);
		forget_entries(dir);
		pthread_mutex_unlock(&dir->lock);
	}
}

/* It has been read for now. Required: lock. */
static void keep_entries(struct open_dir *dir)
{
	pthread_mutex_lock(&kept_lock);
	take_from_kept(dir);
	if (dir->next < dir->end) {
		make_room();
		cds_list_add_tail(&dir->kept_node, &kept_dirs);
		dir->kept = true;
		kept_count++;
	} else {
		forget_entries(dir);
	}
	pthread_mutex_unlock(&kept_lock);
}

static struct open_dir *open_dir_of(const struct fuse_file_info *fi)
{
	return (struct open_dir *)(uintptr_t)fi->fh;
}

/** @return a descriptor or a negative errno */
static int open_store_dir(struct inode *inode)
{
	const struct options *options = &inode->daemon->options;
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = -1;

	/* By way of /proc and not as ".", which would need search permission. */
	if (options->noatime || options->nodiratime) {
		fd = openat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text,
			    flags | O_NOATIME);
		if (fd < 0 && errno != EPERM) /* it is only for the owner */
			return -errno;
	}
	if (fd < 0)
		fd = openat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text, flags);
	return fd < 0 ? -errno : fd;
}

static void close_dir(struct open_dir *dir)
{
	pthread_mutex_lock(&kept_lock);
	take_from_kept(dir);
	pthread_mutex_unlock(&kept_lock);
	listing_closed(dir->inode);
	close(dir->fd);
	fd_share_give(dir->inode->daemon, dir->account);
	free(dir->entries);
	pthread_mutex_destroy(&dir->lock);
	free(dir);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct daemon *daemon = daemon_of(req);
	struct inode *inode = inode_of(daemon, ino);
	struct open_dir *dir;
	int status;

	status = automount_enter(inode);
	if (status == 0)
		status = credentials_may(req, inode, R_OK);
	if (status < 0) {
		reply_status(req, status);
		return;
	}
	dir = malloc(sizeof(*dir));
	if (!dir) {
		reply_status(req, -ENOMEM);
		return;
	}
	dir->inode = inode;
	dir->account = account_of(req, inode);
	status = fd_share_take(daemon, dir->account);
	if (status < 0) {
		reply_status(req, status);
		free(dir);
		return;
	}
	dir->fd = open_store_dir(dir->inode);
	if (dir->fd < 0) {
		reply_status(req, fd_pressure_error(daemon, dir->fd));
		fd_share_give(daemon, dir->account);
		free(dir);
		return;
	}
	fd_pressure_note(daemon, dir->fd);
	pthread_mutex_init(&dir->lock, NULL);
	dir->offset = 0;
	dir->entries = NULL;
	dir->next = dir->end = 0;
	dir->kept = false;
	listing_opened(dir->inode, fi);
	fi->fh = (uintptr_t)dir;
	if (fuse_reply_open(req, fi) < 0)
		close_dir(dir);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct open_dir *dir = open_dir_of(fi);

	(void)ino;
	close_dir(dir);
	reply_status(req, 0);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi)
{
	const struct open_dir *dir = open_dir_of(fi);

	(void)ino;
	if ((datasync ? fdatasync(dir->fd) : fsync(dir->fd)) < 0)
		reply_status(req, -errno);
	else
		reply_status(req, 0);
}

/* ------------------------------------------------------------------ the stream */

/* Required: lock. */
static int seek_stream(struct open_dir *dir, off_t offset)
{
	if (offset == dir->offset && offset != 0 && dir->entries)
		return 0;
	/* To the start even if we stand there: rewinddir(3) wants to see what is new.
	 */
	if (lseek(dir->fd, offset, SEEK_SET) < 0)
		return -errno;
	dir->offset = offset;
	dir->next = dir->end = 0;
	return 0;
}

/**
 * The next entry to be shown, or NULL at the end. It stays the next one until
 * consume_entry(). Required: lock.
 * @return 0 or a negative errno
 */
static int peek_entry(struct open_dir *dir, struct dirent64 **ret_entry);

/* Required: lock. */
static void consume_entry(struct open_dir *dir, const struct dirent64 *entry)
{
	dir->offset = entry->d_off;
	dir->next += entry->d_reclen;
}

/* Required: lock. @return bytes of entries, 0 at the end, or a negative errno */
static ssize_t read_entries(struct open_dir *dir)
{
	ssize_t len;

	if (!dir->entries)
		dir->entries = malloc(STREAM_BYTES);
	if (!dir->entries)
		return -ENOMEM;
	len = syscall(SYS_getdents64, dir->fd, dir->entries, STREAM_BYTES);
	if (len < 0)
		return -errno;
	dir->next = 0;
	dir->end = (size_t)len;
	return len;
}

static int peek_entry(struct open_dir *dir, struct dirent64 **ret_entry)
{
	struct dirent64 *entry;
	ssize_t len;

	for (;;) {
		if (dir->next == dir->end) {
			len = read_entries(dir);
			if (len < 0)
				return (int)len;
			if (len == 0) {
				*ret_entry = NULL;
				return 0;
			}
		}
		entry = (struct dirent64 *)(void *)(dir->entries + dir->next);
		if (!name_is_hidden(dir->inode, entry->d_name))
			break;
		consume_entry(dir, entry);
	}
	*ret_entry = entry;
	return 0;
}

/* Stores that do not say what an entry is are asked for its attributes. */
static mode_t type_of(const struct open_dir *dir, const struct dirent64 *entry)
{
	struct stat attr;

	if (entry->d_type != DT_UNKNOWN)
		return (mode_t)DTTOIF(entry->d_type);
	if (fstatat(dir->fd, entry->d_name, &attr, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return attr.st_mode & S_IFMT;
}

/* What can be said of an entry without looking it up. */
static struct stat plain_attr(const struct open_dir *dir, const struct dirent64 *entry)
{
	return (struct stat){
		.st_ino = store_shown_ino(dir->inode->daemon, dir->inode->dev,
					  entry->d_ino),
		.st_mode = type_of(dir, entry),
	};
}

/* --------------------------------------------------------------------- READDIR */

/* The answer under construction. */
struct listing {
	fuse_req_t req;
	char *buf;
	size_t used, size;
	/* Of READDIRPLUS: inodes that got a lookup with this answer. */
	struct inode **looked_up;
	size_t looked_up_count;
};

/** @return whether the entry fitted */
static bool add_plain(struct listing *list, const struct open_dir *dir,
		      const struct dirent64 *entry)
{
	const struct stat attr = plain_attr(dir, entry);
	const size_t need = fuse_add_direntry(list->req, list->buf + list->used,
					      list->size - list->used, entry->d_name,
					      &attr, entry->d_off);

	if (need > list->size - list->used)
		return false;
	list->used += need;
	return true;
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Look an entry up, unless it is better left to a LOOKUP of its own. */
static struct inode *look_up(struct open_dir *dir, const struct dirent64 *entry,
			     struct stat *ret_attr, struct trust *ret_trust)
{
	struct inode *inode;

	if (is_dot(entry->d_name) || fd_pressure_is_high(dir->inode->daemon))
		return NULL;
	if (child_get(dir->inode, entry->d_name, &inode, ret_attr, ret_trust) < 0)
		return NULL;
	if (data_changed_behind(inode)) {
		inode_put(inode, 1);
		return NULL;
	}
	return inode;
}

/** Likewise with attributes. An entry that cannot be looked up is listed all the same:
 *  nodeid 0 tells the kernel so. */
static bool add_plus(struct listing *list, struct open_dir *dir,
		     const struct dirent64 *entry)
{
	const size_t room = list->size - list->used;
	const size_t need =
		fuse_add_direntry_plus(list->req, NULL, 0, entry->d_name, NULL, 0);
	struct fuse_entry_param param;
	struct trust trust;
	struct inode *inode;
	struct stat attr;

	if (need > room)
		return false;
	inode = look_up(dir, entry, &attr, &trust);
	if (inode) {
		entry_fill(inode, &attr, trust, &param);
		list->looked_up[list->looked_up_count++] = inode;
	} else {
		memset(&param, 0, sizeof(param));
		param.attr = plain_attr(dir, entry);
	}
	fuse_add_direntry_plus(list->req, list->buf + list->used, room, entry->d_name,
			       &param, entry->d_off);
	list->used += need;
	return true;
}

/* Entries from an offset on, as many as fit. */
static int fill_listing(struct listing *list, struct open_dir *dir, off_t offset)
{
	struct dirent64 *entry = NULL;
	int status;

	status = seek_stream(dir, offset);
	while (status == 0) {
		status = peek_entry(dir, &entry);
		if (status < 0 || !entry)
			break;
		if (!(list->looked_up ? add_plus(list, dir, entry)
				      : add_plain(list, dir, entry)))
			break;
		consume_entry(dir, entry);
	}
	/* An error is for whoever comes for what follows. */
	return list->used > 0 ? 0 : status;
}

static void list_and_reply(fuse_req_t req, struct open_dir *dir, size_t size,
			   off_t offset, bool plus)
{
	struct listing list = {.req = req, .size = size};
	size_t entries_max;
	int status = -ENOMEM;

	list.buf = malloc(size);
	if (plus) {
		/* No entry is smaller than one with an empty name. */
		entries_max =
			size / fuse_add_direntry_plus(req, NULL, 0, "", NULL, 0) + 1;
		list.looked_up = calloc(entries_max, sizeof(struct inode *));
	}
	if (list.buf && (list.looked_up || !plus)) {
		pthread_mutex_lock(&dir->lock);
		status = fill_listing(&list, dir, offset);
		keep_entries(dir);
		pthread_mutex_unlock(&dir->lock);
	}
	if (status < 0)
		reply_status(req, status);
	else if (fuse_reply_buf(req, list.buf, list.used) < 0)
		for (size_t i = 0; i < list.looked_up_count; i++)
			inode_put(list.looked_up[i], 1);
	free(list.looked_up);
	free(list.buf);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	(void)ino;
	list_and_reply(req, open_dir_of(fi), size, offset, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	(void)ino;
	list_and_reply(req, open_dir_of(fi), size, offset, true);
}
