/* SPDX-License-Identifier: MIT */
/* Where our own mount shows an inode. */

#include "mount_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "kernel_wait.h"

/** Whether a call on the mount has met the inode, or something else. */
static int check_same(struct inode *inode, const struct statx *stx)
{
	const dev_t dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
	struct stat attr;
	const int status = inode_stat(inode, &attr);

	if (status < 0)
		return status;
	return dev == inode->daemon->own_dev && stx->stx_ino == attr.st_ino ? 0
									    : -ENOENT;
}

int mount_path_stat(const struct mount_path *path, int sync, uint64_t *ret_size)
{
	struct kernel_wait wait;
	struct statx stx;
	int status;

	kernel_wait_begin(&wait, path->inode->nodeid, "a statx of ours");
	status = statx(AT_FDCWD, path->path, path->flags | sync, STATX_BASIC_STATS,
		       &stx) < 0
			 ? -errno
			 : 0;
	kernel_wait_end(&wait);
	if (status == 0)
		status = check_same(path->inode, &stx);
	if (status == 0)
		*ret_size = stx.stx_size;
	return status;
}

int mount_path_by_name(struct mount_path *path)
{
	struct daemon *daemon = path->inode->daemon;
	const struct options *options = &daemon->options;
	size_t source_len = strlen(options->source);
	char name[16], target[PATH_MAX];
	ssize_t len;
	int n;

	snprintf(name, sizeof(name), "%d", path->inode->fd);
	len = readlinkat(daemon->proc_fd_dir, name, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (strcmp(options->source, "/") == 0)
		source_len = 0;
	if (strncmp(target, options->source, source_len) != 0 ||
	    (target[source_len] != '/' && target[source_len] != '\0'))
		return -ENOENT;
	n = snprintf(path->path, sizeof(path->path), "%s%s", options->mountpoint,
		     target + source_len);
	path->flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
	return n < 0 || (size_t)n >= sizeof(path->path) ? -ENAMETOOLONG : 0;
}

int mount_path_by_descriptor(struct mount_path *path)
{
	struct dirent *entry;
	uint64_t size;
	char dir[32];
	DIR *fds;

	if (path->pid <= 0)
		return -ENOENT;
	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)path->pid);
	fds = opendir(dir);
	if (!fds)
		return -errno;
	path->flags = AT_NO_AUTOMOUNT;
	while ((entry = readdir(fds))) {
		snprintf(path->path, sizeof(path->path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.' &&
		    mount_path_stat(path, AT_STATX_DONT_SYNC, &size) == 0)
			break;
	}
	closedir(fds);
	return entry ? 0 : -ENOENT;
}

/* What lies at a path may be anything, until it is known: opening a FIFO would wait,
 * and opening a device do something. */
static int open_found(const struct mount_path *path)
{
	const int no_follow = path->flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
	const int place = open(path->path, O_PATH | O_CLOEXEC | no_follow);
	struct statx stx;
	char name[16];
	int fd;

	if (place < 0)
		return -errno;
	if (statx(place, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS,
		  &stx) < 0)
		fd = -errno;
	else
		fd = check_same(path->inode, &stx);
	if (fd == 0) {
		snprintf(name, sizeof(name), "%d", place);
		fd = openat(path->inode->daemon->proc_fd_dir, name,
			    O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	close(place);
	return fd;
}

int mount_path_open(struct mount_path *path)
{
	int fd = mount_path_by_name(path);

	if (fd == 0)
		fd = open_found(path);
	if (fd != -ENOENT)
		return fd;
	fd = mount_path_by_descriptor(path);
	return fd == 0 ? open_found(path) : fd;
}
