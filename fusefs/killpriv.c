/* SPDX-License-Identifier: MIT */
/*
 * HANDLE_KILLPRIV_V2 for a libfuse that does not know it.
 *
 * A FUSE mount without it has no S_NOSEC in the kernel: each write(2) is preceded by a
 * GETXATTR of security.capability, so that a 4 KiB write costs two round trips instead
 * of one (Linux fs/fuse/inode.c, process_init_reply(); mm/filemap.c and fs/inode.c,
 * file_remove_privs()). What we promise with it we keep anyway: writes, truncations and
 * the like reach the store with its caller's privilege at most (credentials.h), so the
 * store clears what is to be cleared; see also setattr_rest().
 *
 * libfuse knows the flag from 3.17 on (session.c asks for it there). Before, it leaves
 * room for callers that bring their own read and write, and theirs can add it to the
 * answer to INIT as it passes.
 */

#include "killpriv.h"

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
	_Atomic bool over; /* the rest is not used any more */
	bool offered;
	uint64_t unique;
} init;

/* The kernel's first request. */
static void look_at_request(const void *buf, size_t len)
{
	const struct fuse_in_header *header = buf;
	const struct fuse_init_in *in = (const void *)(header + 1);

	if (len < sizeof(*header) + offsetof(struct fuse_init_in, flags2) ||
	    header->opcode != FUSE_INIT)
		return;
	init.unique = header->unique;
	init.offered = in->flags & FUSE_HANDLE_KILLPRIV_V2;
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
	if (init.offered)
		out->flags |= FUSE_HANDLE_KILLPRIV_V2;
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

bool killpriv_is_offered(void)
{
	return init.offered;
}

int killpriv_promise(struct fuse_session *session)
{
	static const struct fuse_custom_io io = {
		.read = read_request,
		.writev = write_answer,
		.splice_send = splice_answer,
	};
	const int status =
		fuse_session_custom_io(session, &io, fuse_session_fd(session));

	return status == 0 ? 0 : -EIO;
}
