/* SPDX-License-Identifier: MIT */
/*
 * A C library above a kernel before 5.14, on FUSE: fallocate(2) with
 * FALLOC_FL_ZERO_RANGE gets EOPNOTSUPP. Preloaded behind the shim, which asks it.
 */

#undef _FILE_OFFSET_BITS

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/syscall.h>
#include <unistd.h>

static int old_fallocate(int fd, int mode, off64_t offset, off64_t len)
{
	if (mode & FALLOC_FL_ZERO_RANGE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	return old_fallocate(fd, mode, offset, len);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
	return old_fallocate(fd, mode, offset, len);
}
