/* SPDX-License-Identifier: MIT */
/*
 * A store with named failures.
 */

#include "store_fault.h"

#include <errno.h>
#include <string.h>

const char *const store_fault_names[STORE_FAULT_CALLS] = {
	"pread", "pwrite", "fdatasync", "fsync_dir", "fallocate", "ftruncate", "clone",
};

static struct {
	unsigned long calls[STORE_FAULT_CALLS];
	unsigned long fail_at; /* 0: never */
	enum store_fault_call kind;
	int error;
	bool lasts;
	bool limited;
	uint64_t room; /* bytes, if limited */
} fault;

void store_fault_reset(void)
{
	memset(&fault, 0, sizeof(fault));
}

void store_fault_at(enum store_fault_call call, unsigned long n, int error, bool lasts)
{
	store_fault_reset();
	fault.kind = call;
	fault.fail_at = n;
	fault.error = error;
	fault.lasts = lasts;
}

void store_fault_full_after(uint64_t bytes)
{
	store_fault_reset();
	fault.limited = true;
	fault.room = bytes;
}

unsigned long store_fault_count(enum store_fault_call call)
{
	return fault.calls[call];
}

/* 0, or how this call fails. */
static int strike(enum store_fault_call call)
{
	const unsigned long n = ++fault.calls[call];

	if (call != fault.kind || fault.fail_at == 0 || n < fault.fail_at)
		return 0;
	return n == fault.fail_at || fault.lasts ? fault.error : 0;
}

static ssize_t fault_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	const int err = strike(STORE_FAULT_PREAD);

	return err < 0 ? err : store_io_system.pread(fd, buf, len, offset);
}

static ssize_t fault_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	const int err = strike(STORE_FAULT_PWRITE);

	if (err < 0) {
		(void)store_io_system.pwrite(fd, buf, len / 2, offset);
		return err;
	}
	if (fault.limited) {
		if (fault.room == 0)
			return -ENOSPC;
		if (len > fault.room)
			len = fault.room;
		fault.room -= len;
	}
	return store_io_system.pwrite(fd, buf, len, offset);
}

static int fault_fdatasync(int fd)
{
	const int err = strike(STORE_FAULT_FDATASYNC);

	return err < 0 ? err : store_io_system.fdatasync(fd);
}

static int fault_fsync_dir(int fd)
{
	const int err = strike(STORE_FAULT_FSYNC_DIR);

	return err < 0 ? err : store_io_system.fsync_dir(fd);
}

static int fault_fallocate(int fd, int mode, uint64_t offset, uint64_t len)
{
	const int err = strike(STORE_FAULT_FALLOCATE);

	return err < 0 ? err : store_io_system.fallocate(fd, mode, offset, len);
}

static int fault_ftruncate(int fd, uint64_t size)
{
	const int err = strike(STORE_FAULT_FTRUNCATE);

	return err < 0 ? err : store_io_system.ftruncate(fd, size);
}

static int fault_clone(int to_fd, uint64_t to, int from_fd, uint64_t from, uint64_t len)
{
	const int err = strike(STORE_FAULT_CLONE);

	return err < 0 ? err : store_io_system.clone(to_fd, to, from_fd, from, len);
}

static int64_t fault_seek(int fd, uint64_t offset, int whence)
{
	return store_io_system.seek(fd, offset, whence);
}

const struct store_io store_fault_io = {
	.pread = fault_pread,
	.pwrite = fault_pwrite,
	.fdatasync = fault_fdatasync,
	.fsync_dir = fault_fsync_dir,
	.fallocate = fault_fallocate,
	.ftruncate = fault_ftruncate,
	.clone = fault_clone,
	.seek = fault_seek,
};
