/* SPDX-License-Identifier: MIT */

/*
 * Why a range operation failed, in words, with the remedy.
 *
 * An errno says little: EINVAL alone has eight reasons. What is behind it is worked out
 * again here from the request and from the file as it is now. Somebody may have changed
 * the file meanwhile, so every guess is made from values that are printed with it.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include <foldfs.h>

#include "foldctl.h"

#define FOLDFS_BLOCK_SIZE 4096

/* True if value is no multiple of block; then that has been said. */
static bool misaligned(const char *name, off_t value, off_t block)
{
	const off_t below = value - value % block;

	if (value == below)
		return false;
	fprintf(stderr,
		"%s %jd is not a multiple of this file system's block size %jd. The "
		"nearest that are: %jd and %ju.\n",
		name, (intmax_t)value, (intmax_t)block, (intmax_t)below,
		(uintmax_t)below + (uintmax_t)block);
	return true;
}

static bool explain_collapse(const struct range_request *r, off_t size)
{
	if (r->len < size - r->offset)
		return false;
	fprintf(stderr,
		"the range ends at byte %ju, and the file at %jd: something must be left "
		"after it. To cut the end off: truncate -s %jd '%s'\n",
		(uintmax_t)r->offset + (uintmax_t)r->len, (intmax_t)size,
		(intmax_t)r->offset, r->path);
	return true;
}

static bool explain_insert(const struct range_request *r, off_t size)
{
	if (r->offset < size)
		return false;
	fprintf(stderr,
		"OFFSET %jd is not before the end of the file (%jd bytes). To make it "
		"longer: truncate -s +%jd '%s'\n",
		(intmax_t)r->offset, (intmax_t)size, (intmax_t)r->len, r->path);
	return true;
}

static bool explain_move(const struct range_request *r, off_t size)
{
	const bool source_fits = r->offset <= size && r->len <= size - r->offset;
	const bool destination_fits =
		r->destination <= size && r->len <= size - r->destination;

	if (!source_fits || !destination_fits) {
		fprintf(stderr,
			"the %s range, %jd bytes from %jd, goes past the end of the file "
			"(%jd bytes). To make the file longer: truncate -s SIZE '%s'\n",
			source_fits ? "destination" : "source", (intmax_t)r->len,
			(intmax_t)(source_fits ? r->destination : r->offset),
			(intmax_t)size, r->path);
		return true;
	}
	if (r->offset < r->destination + r->len &&
	    r->destination < r->offset + r->len) {
		fprintf(stderr,
			"the ranges overlap: %jd bytes from %jd and from %jd. To shift "
			"data by less than its length, use insert and collapse.\n",
			(intmax_t)r->len, (intmax_t)r->offset,
			(intmax_t)r->destination);
		return true;
	}
	return false;
}

static void explain_invalid(const struct range_request *r, int fd)
{
	const bool aligned_only = r->op != OP_PUNCH && r->op != OP_ZERO;
	struct stat st;
	off_t block;

	if (r->len == 0) {
		fprintf(stderr, "LENGTH is 0: there is nothing to do.\n");
		return;
	}
	if (fd >= 0 && fstat(fd, &st) == 0) {
		block = foldfs_is_mount(fd) > 0 ? FOLDFS_BLOCK_SIZE : st.st_blksize;
		if (aligned_only &&
		    (misaligned(r->op == OP_MOVE ? "SOURCE" : "OFFSET", r->offset,
				block) ||
		     misaligned("LENGTH", r->len, block) ||
		     (r->op == OP_MOVE &&
		      misaligned("DESTINATION", r->destination, block))))
			return;
		if ((r->op == OP_COLLAPSE && explain_collapse(r, st.st_size)) ||
		    (r->op == OP_INSERT && explain_insert(r, st.st_size)) ||
		    (r->op == OP_MOVE && explain_move(r, st.st_size)))
			return;
	}
	fprintf(stderr, "the file system does not accept this range (EINVAL). Was the "
			"file's size changed just now? Try again.\n");
}

/* What the daemon says: it refused, and knows why. */
static bool tell_daemons_reason(int fd)
{
	char reason[1024];
	const ssize_t len =
		fgetxattr(fd, "user.foldfs.why", reason, sizeof(reason) - 1);

	if (len <= 0)
		return false;
	reason[len] = '\0';
	fprintf(stderr,
		"the file system below the mount can only copy the bytes, which takes a "
		"journal, and there can be none: %s. The file is as it was.\n",
		reason);
	return true;
}

static void explain_unsupported(const struct range_request *r, int fd)
{
	if (fd >= 0 && foldfs_is_mount(fd) > 0 && tell_daemons_reason(fd))
		return;
	if (fd >= 0 && foldfs_is_mount(fd) > 0)
		fprintf(stderr,
			"the foldfs that serves it does not know this operation. Is it "
			"older than this foldctl? Compare 'foldfs --version'.\n");
	else
		fprintf(stderr,
			"its file system has no such operation%s. Serve the directory "
			"with foldfs (foldfs DIRECTORY MOUNTPOINT) and name the file "
			"below MOUNTPOINT.\n",
			r->op == OP_MOVE ? ", as only foldfs has" : "");
}

static void explain_permission(int fd, int error)
{
	if (fd < 0 && error == EPERM)
		fputs("the file is append-only or immutable. 'lsattr' shows it, "
		      "'chattr -ai' as root undoes it.\n",
		      stderr);
	else if (error == EPERM)
		fputs("refused. An append-only or immutable file ('lsattr' shows it) "
		      "must be made ordinary first: 'chattr -ai' as root.\n",
		      stderr);
	else if (fd < 0)
		fputs("you may not write this file, or not enter a directory on the way "
		      "to it. 'namei -l' shows whose they are.\n",
		      stderr);
	else
		fputs("its permissions no longer let you write it. 'ls -l' shows "
		      "them.\n",
		      stderr);
}

/* The rest: errors whose words depend on nothing but the number. NULL: none known. */
static const char *plain_words(int error)
{
	switch (error) {
	case ENOENT:
		return "there is no such file.";
	case EISDIR:
		return "it is a directory. Name a regular file.";
	case ENODEV:
	case ESPIPE:
	case ENXIO:
		return "it is a device, a FIFO or a socket. Name a regular file.";
	case ETXTBSY:
		return "it is a program that is running, or a swap file in use. Stop the "
		       "program, or 'swapoff' the file, first.";
	case EROFS:
		return "the mount, or the file system below it, is read-only. "
		       "'findmnt --target FILE' shows it, 'mount -o remount,rw' as root "
		       "undoes it.";
	case ENOSPC:
	case EDQUOT:
		return "no room is left on the file system that stores it; the file is "
		       "as it was. 'df' and 'quota' show who uses what.";
	case EFBIG:
		return "it would grow past what its file system allows. Insert less, or "
		       "keep the file elsewhere.";
	case EIO:
		return "its disk failed (EIO). The kernel's log (dmesg) and, on foldfs, "
		       "the daemon's (journalctl -t foldfs) say where, and whether the "
		       "file is as it was.";
	case ENOTCONN:
		return "the daemon of this mount has gone. Unmount it (fusermount3 -u "
		       "MOUNTPOINT) and mount it again.";
	case EINTR:
		return "interrupted by a signal; the file is as it was. Try again.";
	case EBUSY:
		return "busy; the file is as it was. Try again. If that does not help: "
		       "another foldfs that serves the same directory may be at work on "
		       "it, an interrupted operation on it wait for the next mount, or "
		       "the daemon be out of threads or held up by its store.";
	default:
		return NULL;
	}
}

void explain_failure(const struct range_request *request, int fd, int error)
{
	const char *words = plain_words(error);

	fprintf(stderr, "foldctl: cannot %s a range of '%s': ", request->verb,
		request->path);
	if (words)
		fprintf(stderr, "%s\n", words);
	else if (error == EINVAL)
		explain_invalid(request, fd);
	else if (error == EOPNOTSUPP)
		explain_unsupported(request, fd);
	else if (error == EACCES || error == EPERM)
		explain_permission(fd, error);
	else
		fprintf(stderr, "%s.\n", strerror(error));
}
