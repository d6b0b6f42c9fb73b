/* SPDX-License-Identifier: MIT */
/*
 * The answer to INIT: which flags are added to it, and what they save.
 *
 * Without HANDLE_KILLPRIV_V2 a FUSE mount has no S_NOSEC in the kernel: each write(2) is
 * preceded by a GETXATTR of security.capability, so that a 4 KiB write costs two round
 * trips instead of one (Linux fs/fuse/inode.c, process_init_reply(); mm/filemap.c and
 * fs/inode.c, file_remove_privs()). What we promise with it we keep anyway: writes,
 * truncations and the like reach the store with its caller's privilege at most
 * (credentials.h), so the store clears what is to be cleared; see also ops_setattr.c.
 *
 * Without PARALLEL_DIROPS the kernel holds a lock of the directory's while it asks for a
 * name in it or for its listing (fs/fuse/inode.c, fuse_lock_inode()): everybody in a
 * directory waits for one slow lookup. We have never relied on that lock.
 */

#include "init_answer.h"

#if LIBFUSE_HAS_CUSTOM_IO

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <unistd.h>

static struct {
	_Atomic bool over; /* the rest changes no more */
	uint32_t flags;	   /* to be added, if offered */
	uint32_t offered;  /* of these */
	uint64_t unique;
} init;

/* The kernel's first request. */
static void look_at_request(const void *buf, size_t len)
{
	const struct fuse_in_header *header = buf;
	const struct fuse_init_in *in = (const void *)(header + 1);

	if (len < sizeof(*header) + offsetof(struct fuse_init_in, flags) +
			    sizeof(in->flags) ||
	    header->opcode != FUSE_INIT)
		return;
	init.unique = header->unique;
	init.offered = in->flags & init.flags;
}

static ssize_t read_request(int fd, void *buf, size_t len, void *userdata)
{
	const ssize_t n = read(fd, buf, len);

	(void)userdata;
	if (n > 0 && !atomic_load_explicit(&init.over, memory_order_acquire))
		look_at_request(buf, (size_t)n);
	return n;
}

/* Required: nothing but INIT has been received. */
static void add_to_answer(const struct iovec *iov, int count)
{
	const struct fuse_out_header *header = iov[0].iov_base;
	struct fuse_init_out *out;

	if (count < 2 || iov[0].iov_len != sizeof(*header) ||
	    header->unique != init.unique || header->error != 0 ||
	    iov[1].iov_len < offsetof(struct fuse_init_out, max_background))
		return;
	out = iov[1].iov_base;
	/* An INIT of another major version is answered and comes again. */
	if (out->major != FUSE_KERNEL_VERSION)
		return;
	out->flags |= init.offered;
	atomic_store_explicit(&init.over, true, memory_order_release);
}

static ssize_t write_answer(int fd, struct iovec *iov, int count, void *userdata)
{
	(void)userdata;
	if (!atomic_load_explicit(&init.over, memory_order_acquire))
		add_to_answer(iov, count);
	return writev(fd, iov, count);
}

/* Without it libfuse would take us for unable to splice; see bypass.h. */
static ssize_t splice_answer(int from, off_t *from_offset, int to, off_t *to_offset,
			     size_t len, unsigned flags, void *userdata)
{
	(void)userdata;
	return splice(from, from_offset, to, to_offset, len, flags);
}

int init_answer_add(struct fuse_session *session, uint32_t flags)
{
	static const struct fuse_custom_io io = {
		.read = read_request,
		.writev = write_answer,
		.splice_send = splice_answer,
	};

	if (flags == 0)
		return 0;
	init.flags = flags;
	return fuse_session_custom_io(session, &io, fuse_session_fd(session)) == 0
		       ? 0
		       : -EIO;
}

uint32_t init_answer_added(void)
{
	return init.offered;
}

#else

int init_answer_add(struct fuse_session *session, uint32_t flags)
{
	(void)session;
	(void)flags;
	return 0;
}

uint32_t init_answer_added(void)
{
	return 0;
}

#endif
