/* SPDX-License-Identifier: MIT */
/*
 * SOURCE/.foldfs.
 */

#include "shift_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often a directory may vanish (another foldfs unmounts) between making it and
 * opening it. */
#define MAX_TRIES 16

static int check_owner(int fd, bool root_takes_all)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return -EPERM;
	if (st.st_uid != geteuid() && !(root_takes_all && geteuid() == 0))
		return -EPERM;
	return 0;
}

static int open_checked(int source_fd, bool root_takes_all)
{
	const int fd = openat(source_fd, SHIFT_DIR_NAME,
			      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int err;

	if (fd < 0)
		return errno == EACCES ? -EPERM : -errno;
	err = check_owner(fd, root_takes_all);
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}

int shift_dir_open(int source_fd)
{
	return open_checked(source_fd, true);
}

int shift_dir_make(int source_fd)
{
	int fd = -ENOENT;

	for (int tries = 0; tries < MAX_TRIES && fd == -ENOENT; tries++) {
		if (mkdirat(source_fd, SHIFT_DIR_NAME, 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = open_checked(source_fd, false);
	}
	return fd;
}

int shift_dir_sync_parent(int source_fd, int (*fsync_dir)(int fd))
{
	const int fd = openat(source_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = fsync_dir(fd);
	close(fd);
	return err;
}

void shift_dir_remove(int source_fd)
{
	const int fd = open_checked(source_fd, true);

	if (fd < 0)
		return;
	close(fd);
	(void)unlinkat(source_fd, SHIFT_DIR_NAME, AT_REMOVEDIR);
}
