/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_STAT_H
#define FUSEFS_STORE_STAT_H

/*
 * Attributes and identity of the store's files, and how to name an O_PATH descriptor
 * to system calls that do not take one.
 */

#include <stdio.h>

#include "inode_table.h"

/**
 * Who a name in the store is, without asking a network store again. Does not follow
 * symbolic links; does not wait for our own mount, should the name lead there.
 * @param name  "" for dirfd itself
 * @return 0 or a negative errno
 */
int store_identify(int dirfd, const char *name, struct store_id *ret_id);

/** Whether the file system makes up its files' bytes when they are read, so that their
 *  sizes mean nothing: procfs, sysfs and the like. */
bool store_is_unsized(int fd);

/** Whether a file is on overlayfs, which some things are different on. */
bool store_is_overlayfs(int fd);

/** The same file, if both are there now, by whatever mount. */
static inline bool store_same_number(const struct store_id *a, const struct store_id *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

/** The same file by the same mount. */
static inline bool store_same_place(const struct store_id *a, const struct store_id *b)
{
	return store_same_number(a, b) && a->mount == b->mount;
}

/**
 * Attributes of an open file, O_PATH or not.
 * @param ret_id    who it is; may be NULL
 * @param ret_attr  as of the store, the inode number made unique across devices
 * @return 0 or a negative errno
 */
int store_stat(const struct daemon *daemon, int fd, struct store_id *ret_id,
	       struct stat *ret_attr);

/** The inode number to show for a file of the store: its own on the source's device, a
 *  hash elsewhere, so that two files never share one. */
ino_t store_shown_ino(const struct daemon *daemon, dev_t dev, ino_t ino);

/** The name of an O_PATH descriptor relative to daemon->proc_fd_dir. Following it leads
 *  to the very file, symbolic links included, whatever its path is by now. */
struct fd_name {
	char text[12];
};

static inline struct fd_name fd_name(int fd)
{
	struct fd_name name;

	snprintf(name.text, sizeof(name.text), "%d", fd);
	return name;
}

/** Likewise as an absolute path, for calls that take no directory. */
struct fd_path {
	char text[26];
};

static inline struct fd_path fd_path(int fd)
{
	struct fd_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

#endif
