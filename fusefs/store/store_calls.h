/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_CALLS_H
#define FUSEFS_STORE_CALLS_H

/*
 * The system calls that range operations make on the store, as a table, so that tests
 * can put a disk underneath that fails, fills up, or loses what was not synced.
 *
 * Each returns what the system call does, except that a failure is a negative errno and
 * that EINTR is not seen.
 */

#include <stdint.h>
#include <sys/types.h>

struct store_io {
	ssize_t (*pread)(int fd, void *buf, size_t len, uint64_t offset);
	ssize_t (*pwrite)(int fd, const void *buf, size_t len, uint64_t offset);
	/** Make a file's bytes and size durable. */
	int (*fdatasync)(int fd);
	/** Make a directory's entries durable. */
	int (*fsync_dir)(int fd);
	int (*fallocate)(int fd, int mode, uint64_t offset, uint64_t len);
	int (*ftruncate)(int fd, uint64_t size);
	/** FICLONERANGE: share the blocks of a range. */
	int (*clone)(int to_fd, uint64_t to, int from_fd, uint64_t from, uint64_t len);
	/** lseek with SEEK_DATA or SEEK_HOLE. Moves the file position, which nobody
	 *  here uses; callers may share the descriptor. */
	int64_t (*seek)(int fd, uint64_t offset, int whence);
};

/** The real ones. */
extern const struct store_io store_io_system;

#endif
