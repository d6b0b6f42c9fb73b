/* SPDX-License-Identifier: MIT */
/* See store_facts.h. */

#include "store_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "store_doubt.h"

static bool has_tmpfiles(int source_fd)
{
	const int fd = openat(source_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool has_handles(int source_fd)
{
	struct file_handle handle = {.handle_bytes = 0};
	int mount;

	/* There is no room for one, and that is what it should say. */
	return name_to_handle_at(source_fd, "", &handle, &mount, AT_EMPTY_PATH) < 0 &&
	       errno == EOVERFLOW;
}

static void look_at_file(int fd, struct store_facts *facts)
{
	struct statx stx;

	facts->xattrs = fsetxattr(fd, "user.foldfs-check", "", 0, 0) == 0;
	facts->acls = fgetxattr(fd, "system.posix_acl_access", NULL, 0) >= 0 ||
		      errno == ENODATA;
	facts->birth_times = statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) == 0 &&
			     stx.stx_mask & STATX_BTIME;
	facts->tried = store_probe_try(&store_io_system, fd, &facts->can);
}

int store_facts_find(int source_fd, struct store_facts *ret_facts)
{
	int status, fd;

	*ret_facts = (struct store_facts){0};
	status = store_doubt_identity(source_fd, ret_facts->doubt,
				      sizeof(ret_facts->doubt));
	if (status < 0)
		return status;
	status = store_doubt_type(source_fd, ret_facts->type, sizeof(ret_facts->type));
	if (status < 0)
		return status;
	ret_facts->tmpfile = has_tmpfiles(source_fd);
	ret_facts->handles = has_handles(source_fd);
	fd = store_probe_open(source_fd);
	if (fd < 0) {
		ret_facts->tried = fd;
		return 0;
	}
	look_at_file(fd, ret_facts);
	close(fd);
	return 0;
}
