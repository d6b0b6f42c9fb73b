/* SPDX-License-Identifier: MIT */
/* See connection_file.h. */

#include "connection_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "credentials.h"

#define CONNECTIONS "/sys/fs/fuse/connections"

/* <linux/mount.h>, which does not go together with <sys/mount.h>. */
#define FS_OPEN_CLOEXEC	     1u
#define FS_CONFIG_CMD_CREATE 6u
#define FS_MOUNT_CLOEXEC     1u

/* @return a descriptor of the root of fusectl, or a negative errno. There is one fusectl
 * for the whole system, whoever mounts it. */
static int mount_without_a_place(void)
{
	const int context = (int)syscall(SYS_fsopen, "fusectl", FS_OPEN_CLOEXEC);
	int root = -1, error;

	if (context < 0)
		return -errno;
	if (syscall(SYS_fsconfig, context, FS_CONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		root = (int)syscall(SYS_fsmount, context, FS_MOUNT_CLOEXEC, 0);
	error = errno;
	close(context);
	return root < 0 ? -error : root;
}

void connection_files_open(struct daemon *daemon)
{
	const unsigned number = minor(daemon->own_dev);
	const int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	char path[64];
	int root;

	snprintf(path, sizeof(path), CONNECTIONS "/%u", number);
	daemon->connection_dir_fd = open(path, flags);
	if (daemon->connection_dir_fd >= 0)
		return;
	credentials_enter_own();
	root = mount_without_a_place();
	credentials_leave();
	if (root < 0)
		return;
	snprintf(path, sizeof(path), "%u", number);
	daemon->connection_dir_fd = openat(root, path, flags);
	close(root);
}

void connection_files_close(struct daemon *daemon)
{
	if (daemon->connection_dir_fd >= 0)
		close(daemon->connection_dir_fd);
	daemon->connection_dir_fd = -1;
}

unsigned connection_file_read(const struct daemon *daemon, const char *name)
{
	const int fd = openat(daemon->connection_dir_fd, name, O_RDONLY | O_CLOEXEC);
	char text[24] = "";

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return (unsigned)strtoul(text, NULL, 10);
}

int connection_file_write(const struct daemon *daemon, const char *name,
			  unsigned number)
{
	char text[24];
	const int len = snprintf(text, sizeof(text), "%u", number);
	const int fd = openat(daemon->connection_dir_fd, name, O_WRONLY | O_CLOEXEC);
	int status = 0;

	if (fd < 0)
		return -errno;
	/* For more places than users may have. */
	credentials_enter_own();
	if (write(fd, text, (size_t)len) != len)
		status = -errno;
	credentials_leave();
	close(fd);
	return status;
}
