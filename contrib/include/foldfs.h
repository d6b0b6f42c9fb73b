/* SPDX-License-Identifier: MIT */
#ifndef FOLDFS_H
#define FOLDFS_H

/*
 * Range operations on any file, whether foldfs serves it or not.
 *
 * fallocate(2) takes a range out of a file (collapse) or opens a gap in it (insert) on
 * XFS and ext4, but the kernel refuses both for every FUSE file system before the file
 * system is even asked. So foldfs takes range operations as extended attributes that
 * are never stored: setting `user.foldfs.collapse_range` to `OFFSET+LENGTH` is the
 * operation. The functions below set that attribute where foldfs serves the file and
 * call fallocate(2) elsewhere. They are static inline: there is no library to link.
 *
 * Whatever is mapped from the file stays true: once an operation has returned, every
 * mapping of every process shows the new content, and a store that raced with it is
 * exactly where its byte ended up. foldfs(3) has the details.
 *
 * Every function returns 0, or -1 with errno set as fallocate(2) does; errno is left
 * alone on success. All of them are safe in signal handlers and between threads.
 *
 * Permission: the attribute is set in the name of the caller, so the kernel looks at
 * the mode of the file again, not only at how the descriptor was opened: EACCES if it
 * has been made read-only since. The reverse, an owner's descriptor that is not open
 * for writing, would pass that test; it gets EBADF here, as from fallocate(2).
 *
 * XATTR_REPLACE keeps this harmless everywhere else: a file system that knows nothing
 * of foldfs has no such attribute to replace, answers ENODATA, and stores nothing.
 * (A FUSE file system stacked on a foldfs mount that hands extended attributes through
 * looks like foldfs from here, while its own cache learns nothing. Don't do that.)
 */

#ifndef _GNU_SOURCE
#error "foldfs.h needs fallocate(2): define _GNU_SOURCE before the first #include"
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <sys/xattr.h>

/** The version of the control attributes' meaning that this header was written for. */
#define FOLDFS_PROTOCOL_VERSION 1

/* Answered by getxattr(2): that version, in decimal; and counters in JSON, of the file,
 * or of the whole mount for its root. */
#define FOLDFS_XATTR_VERSION "user.foldfs.version"
#define FOLDFS_XATTR_STATS   "user.foldfs.stats"

/* Set by setxattr(2) to `OFFSET+LENGTH`, for a move to `SOURCE+LENGTH>DESTINATION`:
 * decimal bytes. */
#define FOLDFS_XATTR_COLLAPSE "user.foldfs.collapse_range"
#define FOLDFS_XATTR_INSERT   "user.foldfs.insert_range"
#define FOLDFS_XATTR_PUNCH    "user.foldfs.punch_hole"
#define FOLDFS_XATTR_ZERO     "user.foldfs.zero_range"
#define FOLDFS_XATTR_MOVE     "user.foldfs.move_range"

/** Room for the value of any of these, the final NUL included. */
#define FOLDFS_VALUE_SIZE 64

/* What follows up to the next rule is not for users: it may change at any time. */

#define FOLDFS_IMPL_FUSE_MAGIC 0x65735546 /* FUSE_SUPER_MAGIC of <linux/magic.h> */

/* snprintf(3) may not be called in a signal handler. Returns the end of what it wrote.
 */
static inline char *foldfs_impl_decimal(char *at, int64_t value)
{
	char reversed[24];
	size_t n = 0;

	do {
		reversed[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (n > 0)
		*at++ = reversed[--n];
	*at = '\0';
	return at;
}

static inline char *foldfs_impl_range_value(char *at, int64_t offset, int64_t len)
{
	at = foldfs_impl_decimal(at, offset);
	*at++ = '+';
	return foldfs_impl_decimal(at, len);
}

/*
 * Whether a device is a FUSE file system's: 1, 0, or -1 with errno. There fstatfs(2) is
 * a request, so the last such device is remembered. Should its number come to be
 * another's, that one has no attribute to replace.
 */
static inline int foldfs_impl_on_fuse(int fd, uint64_t device)
{
	static uint64_t known = UINT64_MAX;
	struct statfs fs;

	if (__atomic_load_n(&known, __ATOMIC_RELAXED) == device)
		return 1;
	if (fstatfs(fd, &fs) < 0)
		return -1;
	if ((unsigned long)fs.f_type != FOLDFS_IMPL_FUSE_MAGIC)
		return 0;
	__atomic_store_n(&known, device, __ATOMIC_RELAXED);
	return 1;
}

/* 1: may be on foldfs; 0: certainly not; -1: errno. Neither a file's type nor its
 * device ever changes, so what the kernel has will do. */
static inline int foldfs_impl_maybe(int fd)
{
	struct statx stx;
	int on_fuse;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) < 0)
		return -1;
	on_fuse = foldfs_impl_on_fuse(fd, (uint64_t)stx.stx_dev_major << 32 |
						  stx.stx_dev_minor);
	return on_fuse > 0 ? S_ISREG(stx.stx_mode) : on_fuse;
}

/* What fallocate(2) checks before it asks any file system. */
static inline int foldfs_impl_check(int fd, int64_t offset, int64_t len)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -1;
	if (offset < 0 || len <= 0) {
		errno = EINVAL;
		return -1;
	}
	if ((flags & O_ACCMODE) != O_WRONLY && (flags & O_ACCMODE) != O_RDWR) {
		errno = EBADF;
		return -1;
	}
	return 0;
}

/* 1: not on foldfs, nothing was done; 0: done; -1: errno. */
static inline int foldfs_impl_set(int fd, const char *name, const char *value)
{
	const int saved_errno = errno;
	struct statx stx;

	if (fsetxattr(fd, name, value, strlen(value), XATTR_REPLACE) < 0) {
		if (errno != ENODATA && errno != EOPNOTSUPP)
			return -1;
		errno = saved_errno;
		return 1;
	}
	/*
	 * The kernel learns a new size from the answer to a stat. foldfs asks for one
	 * itself, by the file's path: for a file that has lost its path this is it. If
	 * the kernel knows the size, asking for nothing else is no request.
	 * What was asked for is done, so failure (the daemon has just gone) is not
	 * ours.
	 */
	if (statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &stx) < 0)
		errno = saved_errno;
	return 0;
}

/* As foldfs_impl_set(), for what begins at offset and goes on for len. */
static inline int foldfs_impl_range(int fd, const char *name, int64_t offset,
				    int64_t len)
{
	char value[FOLDFS_VALUE_SIZE];
	int maybe = foldfs_impl_maybe(fd);

	if (maybe <= 0)
		return maybe < 0 ? -1 : 1;
	if (foldfs_impl_check(fd, offset, len) < 0)
		return -1;
	foldfs_impl_range_value(value, offset, len);
	return foldfs_impl_set(fd, name, value);
}

/* ------------------------------------------------------------------------------- */

/**
 * Ask whether a file is served by foldfs.
 * @param fd  a regular file or a directory, open in any way but O_PATH
 * @return the protocol's version (1 or more) if it is; 0 if it is not; -1 with errno if
 *         that cannot be told: EBADF; EACCES if the caller may not read the file (the
 *         operations below need no such permission, so do not ask first); ENOTCONN if
 *         the daemon of a FUSE mount has gone; EINTR
 */
static inline int foldfs_is_mount(int fd)
{
	const int saved_errno = errno;
	char version[FOLDFS_VALUE_SIZE];
	struct statfs fs;
	ssize_t len;
	int number = 0;

	if (fstatfs(fd, &fs) < 0)
		return -1;
	if ((unsigned long)fs.f_type != FOLDFS_IMPL_FUSE_MAGIC)
		return 0;
	len = fgetxattr(fd, FOLDFS_XATTR_VERSION, version, sizeof(version));
	if (len < 0) {
		if (errno != ENODATA && errno != EOPNOTSUPP)
			return -1;
		errno = saved_errno;
		return 0;
	}
	for (ssize_t i = 0; i < len && version[i] >= '0' && version[i] <= '9'; i++) {
		if (number > 999999)
			return 0;
		number = number * 10 + (version[i] - '0');
	}
	return number;
}

/**
 * Remove a range: what follows moves down by len and the file shrinks by len.
 * fallocate(2) with FALLOC_FL_COLLAPSE_RANGE.
 * @param fd      a regular file, open for writing
 * @param offset  bytes, a multiple of the block size (4096 on foldfs), 0 or more
 * @param len     bytes, likewise, more than 0; offset + len is less than the file's
 * size
 * @return 0, or -1 with errno: EINVAL if these do not hold; EBADF if fd is not open for
 *         writing; EACCES, see above; EPERM append-only or immutable; EROFS; ETXTBSY it
 *         is a swap file; EISDIR, ENODEV no regular file; EOPNOTSUPP neither on foldfs
 *         nor on a file system that can; ENOSPC, EDQUOT, EIO nothing was changed;
 *         ENOTCONN the daemon has gone; EINTR
 */
static inline int foldfs_collapse_range(int fd, off_t offset, off_t len)
{
	int done = foldfs_impl_range(fd, FOLDFS_XATTR_COLLAPSE, offset, len);

	return done <= 0 ? done : fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, offset, len);
}

/**
 * Open a gap of zeros: what is at offset and after it moves up by len and the file
 * grows by len. fallocate(2) with FALLOC_FL_INSERT_RANGE.
 * @param offset  bytes, a multiple of the block size (4096 on foldfs), 0 or more, less
 *                than the file's size
 * @param len     bytes, likewise a multiple, more than 0
 * @return as foldfs_collapse_range(); and EFBIG if the file would grow past the limit
 */
static inline int foldfs_insert_range(int fd, off_t offset, off_t len)
{
	int done = foldfs_impl_range(fd, FOLDFS_XATTR_INSERT, offset, len);

	return done <= 0 ? done : fallocate(fd, FALLOC_FL_INSERT_RANGE, offset, len);
}

/**
 * Make a range a hole; the size stays. fallocate(2) with FALLOC_FL_PUNCH_HOLE and
 * FALLOC_FL_KEEP_SIZE, without the window in which fallocate(2) itself, on a FUSE
 * mount, can lose a store that races with it.
 * @param offset  bytes, 0 or more; bytes of a page cut by the range are zeroed
 * @param len     bytes, more than 0; may pass the end of the file
 * @return as foldfs_collapse_range()
 */
static inline int foldfs_punch_hole(int fd, off_t offset, off_t len)
{
	int done = foldfs_impl_range(fd, FOLDFS_XATTR_PUNCH, offset, len);

	return done <= 0 ? done
			 : fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     offset, len);
}

/**
 * Zero a range and keep its blocks allocated; the size stays. fallocate(2) with
 * FALLOC_FL_ZERO_RANGE and FALLOC_FL_KEEP_SIZE, also without that window.
 * Parameters and result as foldfs_punch_hole().
 */
static inline int foldfs_zero_range(int fd, off_t offset, off_t len)
{
	int done = foldfs_impl_range(fd, FOLDFS_XATTR_ZERO, offset, len);

	return done <= 0 ? done
			 : fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
				     offset, len);
}

/**
 * Move a range to another place of the same file: it replaces what was there, and
 * leaves a hole where it was. The size stays. foldfs only: no call of the kernel does
 * this in one step, and in two it could be seen half done.
 * @param source       bytes, a multiple of 4096, 0 or more
 * @param len          bytes, likewise, more than 0
 * @param destination  bytes, likewise, 0 or more. Both ranges are inside the file and
 * do not overlap
 * @return as foldfs_collapse_range(); EOPNOTSUPP if the file is not on foldfs
 */
static inline int foldfs_move_range(int fd, off_t source, off_t len, off_t destination)
{
	char value[FOLDFS_VALUE_SIZE];
	char *at;
	int done;

	if (foldfs_impl_check(fd, source < destination ? source : destination, len) < 0)
		return -1;
	done = foldfs_impl_maybe(fd);
	if (done < 0)
		return -1;
	if (done == 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	at = foldfs_impl_range_value(value, source, len);
	*at++ = '>';
	foldfs_impl_decimal(at, destination);
	done = foldfs_impl_set(fd, FOLDFS_XATTR_MOVE, value);
	if (done > 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return done;
}

#endif
