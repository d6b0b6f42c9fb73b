/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_FAULT_POINT_H
#define FUSEFS_FAULT_POINT_H

/*
 * Faults on demand, below a real mount: a store whose calls fail, fill up, fall short
 * or take long, and a kernel that does not take notifications. They exist only in
 * builds with -DFOLDFS_TEST_POINTS; elsewhere the names below are the system calls
 * themselves.
 *
 * One fault is armed at a time, for one file or for all. It is set and looked at by the
 * control attribute user.foldfs.fault, so by `foldctl fault`; on the root of the mount
 * it is for all files, on another directory for those of its owner. foldctl(1) has the
 * list. Free of libfuse and of inodes: a file is known by a descriptor.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/** What fault_notification() says of one that does not return yet. A store's call that
 *  does not return is held by the fault itself, until another one is armed. */
#define FAULT_HOLDS   1
/** How often who is held looks whether he still is. Dozens may be: whoever counts how many
 *  of our threads want a processor (own_threads.h) must not find one of them each time. */
#define FAULT_POLL_MS 50

#ifdef FOLDFS_TEST_POINTS

#define FAULT_POINTS true

/**
 * Arm a fault, in place of the one before.
 * @param fd     the file that it is for, or a directory: for its owner's files; -1: for
 *               all
 * @param value  its name, with '=' and a number where it takes one; or "none"
 * @return 0 or -EINVAL: there is no such fault
 */
int fault_arm(int fd, const char *value);
/** As text: the name of the fault that is armed, and how often it has struck. */
void fault_describe(char *text, size_t size);

/** preadv(2) and so on, of the store. */
ssize_t fault_preadv(int fd, const struct iovec *iov, int iovcnt, off_t offset);
ssize_t fault_pwritev(int fd, const struct iovec *iov, int iovcnt, off_t offset);
/** pwritev2(2) with RWF_APPEND. */
ssize_t fault_append(int fd, const void *buf, size_t len, off_t end);
ssize_t fault_pread(int fd, void *buf, size_t len, off_t offset);
ssize_t fault_pwrite(int fd, const void *buf, size_t len, off_t offset);
/** splice(2) from a pipe to the store. */
ssize_t fault_splice_to(int pipe_fd, int fd, off_t *offset, size_t len);
int fault_fsync(int fd);
int fault_fdatasync(int fd);
/** Before a call that changes a range of the file or its size.
 *  @return 0, or -1 with errno set: the call is not to be made */
int fault_range(int fd);

/** Before a notification about a file.
 *  @return 0: send it; a negative errno: that is the answer; FAULT_HOLDS: ask again */
int fault_notification(int fd);

#else

#define FAULT_POINTS  false
#define fault_preadv  preadv
#define fault_pwritev pwritev
#define fault_pread   pread
#define fault_pwrite  pwrite
#define fault_fsync   fsync
#define fault_append(fd, buf, len, end)                                                \
	pwritev2(fd, &(struct iovec){(void *)(uintptr_t)(buf), len}, 1, end, RWF_APPEND)
#define fault_splice_to(pipe_fd, fd, offset, len)                                      \
	splice(pipe_fd, NULL, fd, offset, len, 0)
#define fault_fdatasync	       fdatasync
#define fault_range(fd)	       0
#define fault_notification(fd) 0

static inline int fault_arm(int fd, const char *value)
{
	(void)fd;
	(void)value;
	return 0;
}

static inline void fault_describe(char *text, size_t size)
{
	(void)size;
	*text = '\0';
}

#endif

#endif
