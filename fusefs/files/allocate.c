/* SPDX-License-Identifier: MIT */
/*
 * fallocate(2) for every store.
 *
 * What a store cannot do is made of what it can: zeroing a range is punching it and
 * allocating it again; punching, where there are no holes, is writing zeros over what
 * data there is; allocating is writing zeros where no data is (as posix_fallocate(3)
 * does, but without touching a byte that exists). Only the parts that need it are
 * written, so a sparse file of terabytes stays sparse and is done in no time.
 */

#include "allocate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

bool allocate_mode_known(int mode)
{
	switch (mode) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		return true;
	default:
		return false;
	}
}

static int fallocate_retry(int fd, int mode, uint64_t offset, uint64_t len)
{
	int status;

	do
		status =
			fallocate(fd, mode, (off_t)offset, (off_t)len) < 0 ? -errno : 0;
	while (status == -EINTR);
	return status;
}

static int file_size(int fd, uint64_t *ret_size)
{
	struct stat attr;

	if (fstat(fd, &attr) < 0)
		return -errno;
	*ret_size = (uint64_t)attr.st_size;
	return 0;
}

static int set_size(int fd, uint64_t size)
{
	int status;

	do
		status = ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
	while (status == -EINTR);
	return status;
}

static int write_zeros(int fd, struct cl_range range)
{
	static const char zeros[65536];
	struct iovec iov[16];

	/* In an append-only file they would go to the end. */
	if (fcntl(fd, F_GETFL) & O_APPEND)
		return -EPERM;
	while (range.start < range.end) {
		uint64_t left = range.end - range.start;
		int n = 0;
		ssize_t written;

		for (; n < 16 && left > 0; n++) {
			iov[n].iov_base = (void *)(uintptr_t)zeros;
			iov[n].iov_len = left < sizeof(zeros) ? left : sizeof(zeros);
			left -= iov[n].iov_len;
		}
		written = pwritev(fd, iov, n, (off_t)range.start);
		if (written < 0 && errno != EINTR)
			return -errno;
		if (written == 0)
			return -EIO;
		if (written > 0)
			range.start += (uint64_t)written;
	}
	return 0;
}

/* ------------------------------------------------------------ holes and data */

/* Where the next byte of this kind (SEEK_DATA, SEEK_HOLE) is, at most range.end.
 * A store that cannot tell has data everywhere. */
static int seek(int fd, int kind, struct cl_range range, uint64_t *ret_offset)
{
	const off_t found = lseek(fd, (off_t)range.start, kind);

	if (found >= 0)
		*ret_offset = (uint64_t)found < range.end ? (uint64_t)found : range.end;
	else if (errno == ENXIO)
		*ret_offset = range.end;
	else if (errno == EINVAL)
		*ret_offset = kind == SEEK_DATA ? range.start : range.end;
	else
		return -errno;
	return 0;
}

/* Write zeros over the data (from = SEEK_DATA, to = SEEK_HOLE) or into the holes (the
 * other way round) of a range that ends within the file. */
static int zero_parts(int fd, struct cl_range range, int from, int to)
{
	struct cl_range part;
	int status;

	while (range.start < range.end) {
		status = seek(fd, from, range, &part.start);
		if (status < 0 || part.start == range.end)
			return status;
		range.start = part.start;
		status = seek(fd, to, range, &part.end);
		if (status == 0)
			status = write_zeros(fd, part);
		if (status < 0)
			return status;
		range.start = part.end;
	}
	return 0;
}

/* ----------------------------------------------------------------- other means */

static struct cl_range cut(struct cl_range range, uint64_t size)
{
	if (range.end > size)
		range.end = size > range.start ? size : range.start;
	return range;
}

static int allocate_by_writing(int fd, bool keep_size, struct cl_range range,
			       uint64_t size)
{
	int status;

	if (keep_size && range.end > size)
		return -EOPNOTSUPP;
	status = zero_parts(fd, cut(range, size), SEEK_HOLE, SEEK_DATA);
	if (status == 0 && range.end > size) {
		if (range.start < size)
			range.start = size;
		status = write_zeros(fd, range);
		if (status < 0)
			set_size(fd, size);
	}
	return status;
}

static int allocate(int fd, bool keep_size, struct cl_range range, uint64_t size)
{
	const int status = fallocate_retry(fd, keep_size ? FALLOC_FL_KEEP_SIZE : 0,
					   range.start, range.end - range.start);

	return status == -EOPNOTSUPP ? allocate_by_writing(fd, keep_size, range, size)
				     : status;
}

static int punch(int fd, struct cl_range range, uint64_t size)
{
	const int status =
		fallocate_retry(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				range.start, range.end - range.start);

	return status == -EOPNOTSUPP
		       ? zero_parts(fd, cut(range, size), SEEK_DATA, SEEK_HOLE)
		       : status;
}

static int zero(int fd, bool keep_size, struct cl_range range, uint64_t size)
{
	int status = fallocate_retry(
		fd, FALLOC_FL_ZERO_RANGE | (keep_size ? FALLOC_FL_KEEP_SIZE : 0),
		range.start, range.end - range.start);

	if (status != -EOPNOTSUPP)
		return status;
	/* First the blocks: if there are none left, nothing has happened. */
	status = fallocate_retry(fd, keep_size ? FALLOC_FL_KEEP_SIZE : 0, range.start,
				 range.end - range.start);
	if (status == -EOPNOTSUPP)
		status = keep_size || range.end <= size ? 0 : set_size(fd, range.end);
	if (status == 0)
		status = punch(fd, range, size);
	/* Blocks again in place of the hole. That they are there is a wish of the
	 * caller's; that the range reads as zeros was his command, and is done. */
	if (status == 0)
		fallocate_retry(fd, FALLOC_FL_KEEP_SIZE, range.start,
				range.end - range.start);
	return status;
}

int allocate_range(int fd, int mode, uint64_t offset, uint64_t len)
{
	const struct cl_range range = {offset, offset + len};
	const bool keep_size = mode & FALLOC_FL_KEEP_SIZE;
	uint64_t size = 0;
	int status;

	status = file_size(fd, &size);
	if (status < 0)
		return status;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return punch(fd, range, size);
	if (mode & FALLOC_FL_ZERO_RANGE)
		return zero(fd, keep_size, range, size);
	return allocate(fd, keep_size, range, size);
}
