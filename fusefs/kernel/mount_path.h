/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_MOUNT_PATH_H
#define FUSEFS_MOUNT_PATH_H

/*
 * Where our own mount shows an inode.
 *
 * Some things only the kernel can do, and only for who calls it by way of the mount.
 * Such a call may wait for locks in the kernel which somebody holds who waits for us:
 * so all of this is for threads of daemon->own_calls, whom nobody waits for without a
 * bound.
 *
 * The path is the source's, taken over to the mount point. A file that has no name
 * there is reached through /proc, which leads to the open file itself. What lies there
 * is believed only if device and inode number are ours.
 */

#include <limits.h>

#include "inode_table.h"

struct mount_path {
	/* For the caller to set. */
	struct inode *inode; /* with a reference */
	pid_t pid;	     /* of somebody who has it open; 0: not known */
	/* Found. */
	int flags; /* AT_* for the path */
	char path[PATH_MAX];
};

/**
 * Find it by name, whether or not it is there.
 * @return 0; -ENOENT if it has no name below SOURCE; -ENAMETOOLONG; what readlink(2)
 * says
 */
int mount_path_by_name(struct mount_path *path);

/**
 * Find it among the open files of the process.
 * @return 0; -ENOENT if it is not there; what opendir(3) says
 */
int mount_path_by_descriptor(struct mount_path *path);

/**
 * Ask the mount for the file's size.
 * @param sync      AT_STATX_FORCE_SYNC: have the kernel ask us; AT_STATX_DONT_SYNC:
 * what it keeps
 * @param ret_size  bytes
 * @return 0; -ENOENT if something else lies there; what statx(2) says
 */
int mount_path_stat(const struct mount_path *path, int sync, uint64_t *ret_size);

/**
 * Open the file on the mount for reading, by either way. Closing it sends no FLUSH.
 * @return a descriptor; -ENOENT if neither way leads to it; what open(2) says
 */
int mount_path_open(struct mount_path *path);

#endif
