/* SPDX-License-Identifier: MIT */

/*
 * foldctl fault: arm a fault in a daemon that was built with test points, or show what
 * is armed there.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <foldfs.h>

#include "foldctl.h"

#define FAULT_XATTR "user.foldfs.fault"
#define TEXT_SIZE   128

static bool is_on_foldfs(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const bool yes = fd >= 0 && foldfs_is_mount(fd) > 0;

	if (fd >= 0)
		close(fd);
	return yes;
}

/* A release daemon knows no such attribute: ENODATA to whoever reads it, EOPNOTSUPP to
 * whoever sets it. So do other file systems. */
static void explain(const char *path, const char *name, int error)
{
	fprintf(stderr, "foldctl: no fault of '%s': ", path);
	if (error == EINVAL)
		fprintf(stderr, "'%s' is not the name of one; foldctl(1) has a list.\n",
			name);
	else if (error != EOPNOTSUPP && error != ENODATA)
		fprintf(stderr, "%s.\n", strerror(error));
	else if (!is_on_foldfs(path))
		fputs("it is not on a foldfs mount. Name a mount point or a file below "
		      "one.\n",
		      stderr);
	else
		fputs("this foldfs has none built in. That takes a test build: "
		      "meson setup -Dtest_points=true.\n",
		      stderr);
}

int arm_fault(const char *path, const char *name)
{
	if (setxattr(path, FAULT_XATTR, name, strlen(name), XATTR_REPLACE) == 0)
		return EXIT_DONE;
	explain(path, name, errno);
	return EXIT_FAILED;
}

int print_fault(const char *path)
{
	char text[TEXT_SIZE];
	const ssize_t len = getxattr(path, FAULT_XATTR, text, sizeof(text) - 1);

	if (len < 0) {
		explain(path, "", errno);
		return EXIT_FAILED;
	}
	text[len] = '\0';
	puts(text);
	return EXIT_DONE;
}
