/* SPDX-License-Identifier: MIT */
/*
 * Submounts: from the list of mounts to inodes.
 *
 * A path below our mount point is the same path below the source: there each of its
 * steps is looked at, so that nobody asks our own mount.
 */

#include "submounts.h"

#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <stdlib.h>
#include <string.h>

#include "inode_table.h"

static int add(struct submounts *submounts, fuse_ino_t nodeid)
{
	size_t capacity;
	fuse_ino_t *nodeids;

	if (submounts->count == submounts->capacity) {
		capacity = submounts->capacity ? 2 * submounts->capacity : 16;
		nodeids = reallocarray(submounts->nodeids, capacity, sizeof(*nodeids));
		if (!nodeids)
			return -ENOMEM;
		submounts->nodeids = nodeids;
		submounts->capacity = capacity;
	}
	submounts->nodeids[submounts->count++] = nodeid;
	return 0;
}

/* What the kernel knows of a path, relative to the source, and of all above it. */
static int add_path(struct daemon *daemon, struct submounts *submounts, char *path)
{
	struct inode *inode;
	char *slash = path;
	int status = 0;

	while (slash && status == 0) {
		slash = strchr(slash, '/');
		if (slash)
			*slash = '\0';
		inode = inode_table_find(daemon, daemon->source_fd, path);
		if (inode) {
			status = add(submounts, inode->nodeid);
			inode_put(inode, 1);
		}
		if (slash)
			*slash++ = '/';
	}
	return status;
}

int submounts_find(struct daemon *daemon, struct submounts *ret_submounts)
{
	const char *mountpoint = daemon->options.mountpoint;
	const size_t len = strlen(mountpoint);
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct submounts found = {0};
	char buf[4 * PATH_MAX];
	struct mntent entry;
	int status = 0;

	if (!mounts)
		return -errno;
	while (status == 0 && getmntent_r(mounts, &entry, buf, sizeof(buf)))
		if (strncmp(entry.mnt_dir, mountpoint, len) == 0 &&
		    entry.mnt_dir[len] == '/')
			status = add_path(daemon, &found, entry.mnt_dir + len + 1);
	endmntent(mounts);
	if (status < 0)
		submounts_fini(&found);
	else
		*ret_submounts = found;
	return status;
}

void submounts_fini(struct submounts *submounts)
{
	free(submounts->nodeids);
}

bool submounts_include(const struct submounts *submounts, fuse_ino_t nodeid)
{
	for (size_t i = 0; i < submounts->count; i++)
		if (submounts->nodeids[i] == nodeid)
			return true;
	return false;
}
