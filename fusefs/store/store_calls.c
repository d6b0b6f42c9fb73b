/* SPDX-License-Identifier: MIT */
/*
 * The real system calls below range operations.
 */

#include "store_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fault_point.h"

/* The result of a call, repeated while a signal interrupts it. */
#define WITHOUT_EINTR(call)                                                            \
	({                                                                             \
		__typeof__(call) result_;                                              \
                                                                                       \
		do                                                                     \
			result_ = (call);                                              \
		while (result_ < 0 && errno == EINTR);                                 \
		result_ < 0 ? (__typeof__(result_))-errno : result_;                   \
	})

static ssize_t system_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	return WITHOUT_EINTR(fault_pread(fd, buf, len, (off_t)offset));
}

static ssize_t system_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	return WITHOUT_EINTR(fault_pwrite(fd, buf, len, (off_t)offset));
}

static int system_fdatasync(int fd)
{
	return WITHOUT_EINTR(fault_fdatasync(fd));
}

static int system_fsync_dir(int fd)
{
	const int err = WITHOUT_EINTR(fsync(fd));

	/* Some file systems have nothing to sync in a directory, and say so. */
	return err == -EINVAL ? 0 : err;
}

static int system_fallocate(int fd, int mode, uint64_t offset, uint64_t len)
{
	if (fault_range(fd) < 0)
		return -errno;
	return WITHOUT_EINTR(fallocate(fd, mode, (off_t)offset, (off_t)len));
}

static int system_ftruncate(int fd, uint64_t size)
{
	if (fault_range(fd) < 0)
		return -errno;
	return WITHOUT_EINTR(ftruncate(fd, (off_t)size));
}

static int system_clone(int to_fd, uint64_t to, int from_fd, uint64_t from,
			uint64_t len)
{
	struct file_clone_range range = {
		.src_fd = from_fd,
		.src_offset = from,
		.src_length = len,
		.dest_offset = to,
	};

	if (fault_range(to_fd) < 0)
		return -errno;
	return WITHOUT_EINTR(ioctl(to_fd, FICLONERANGE, &range));
}

static int64_t system_seek(int fd, uint64_t offset, int whence)
{
	return WITHOUT_EINTR(lseek(fd, (off_t)offset, whence));
}

const struct store_io store_io_system = {
	.pread = system_pread,
	.pwrite = system_pwrite,
	.fdatasync = system_fdatasync,
	.fsync_dir = system_fsync_dir,
	.fallocate = system_fallocate,
	.ftruncate = system_ftruncate,
	.clone = system_clone,
	.seek = system_seek,
};
