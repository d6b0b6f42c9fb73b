/* SPDX-License-Identifier: MIT */
/*
 * See bypass.h. What makes it right:
 *
 *   - The gate is held until the answer has gone out, as for every READ, so no range
 *     operation, truncation or punch changes the store meanwhile, and the pages that
 * the kernel gets are in the resident set (I2).
 *   - Nobody has the file open for writing on the mount, and nothing of it is dirty. So
 *     no write of ours is under way that I7 would have to keep apart from this, and the
 *     store has all there is. With --no-open nobody knows that, so it is not done.
 *   - An answer that is shorter than asked for would make the kernel cut the file
 *     (DESIGN.md, fact 7). So the bytes are gathered in a pipe of our own first; if the
 *     store has fewer than it had, the READ takes the usual way.
 *
 * SPLICE_F_MOVE is not asked for: the kernel would take the pages away from the store.
 */

#include "bypass.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cachelayer/mapping.h"
#include "fault_point.h"
#include "serving.h"

/* Less is not worth the system calls, and may well be worth keeping. */
#define LEN_MIN		 ((size_t)64 << 10)
/* libfuse's own pipe is made larger than ours has to be, by so much at most: the header
 * of the answer, and what libfuse allows for it. */
#define SLACK		 ((size_t)4 * CL_PAGE_SIZE)
/* What users may have, unless root has changed it. */
#define PIPE_BYTES_USUAL (1 << 20)

/* ------------------------------------------------------------- a thread's pipe */

struct pipe {
	int in, out;
	size_t bytes; /* that it takes, if they are whole pages */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_error;

static void free_pipe(void *arg)
{
	struct pipe *pipe = arg;

	close(pipe->in);
	close(pipe->out);
	free(pipe);
}

static void make_key(void)
{
	key_error = pthread_key_create(&key, free_pipe);
}

static struct pipe *make_pipe(size_t bytes)
{
	struct pipe *pipe = malloc(sizeof(*pipe));
	int fds[2], size;

	if (!pipe)
		return NULL;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(pipe);
		return NULL;
	}
	if (fcntl(fds[1], F_SETPIPE_SZ, (int)bytes) < 0)
		(void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES_USUAL);
	size = fcntl(fds[1], F_GETPIPE_SZ);
	*pipe = (struct pipe){.in = fds[1], .out = fds[0], .bytes = (size_t)size};
	return pipe;
}

/* The calling thread's; NULL if there is none to be had. */
static struct pipe *my_pipe(size_t bytes)
{
	struct pipe *pipe;

	pthread_once(&once, make_key);
	if (key_error)
		return NULL;
	pipe = pthread_getspecific(key);
	if (pipe)
		return pipe;
	pipe = make_pipe(bytes);
	if (pipe && pthread_setspecific(key, pipe)) {
		free_pipe(pipe);
		return NULL;
	}
	return pipe;
}

/* Something may be left in it. */
static void drop_pipe(struct pipe *pipe)
{
	pthread_setspecific(key, NULL);
	free_pipe(pipe);
}

/* ------------------------------------------------------------------ the bypass */

/* Faults are for reads that the library makes. */
static bool is_worth_it(struct inode *inode, uint64_t offset, size_t len)
{
	const struct daemon *daemon = inode->daemon;
	const uint64_t size = cl_mapping_size(inode->mapping);

	return !FAULT_POINTS && daemon->splices && !daemon->options.no_open &&
	       len >= LEN_MIN && (offset | len) % CL_PAGE_SIZE == 0 &&
	       size > daemon->options.cache_size_bytes && len <= size &&
	       offset <= size - len && atomic_load(&inode->store_write_fd) < 0 &&
	       cl_mapping_dirty_pages(inode->mapping) == 0;
}

/*
 * Whether to ask the store, who may have to wait for its disk: then another thread is
 * to look for requests meanwhile. But what only we have in memory is better had from
 * us. The first byte stands for the rest: to look further would put the store off its
 * readahead. A store that cannot tell (tmpfs, for one) is taken to be quick.
 */
static bool ask_store(struct inode *inode, uint64_t offset, size_t len)
{
	char byte;
	const struct iovec iov = {&byte, 1};

	if (preadv2(inode->store_fd, &iov, 1, (off_t)offset, RWF_NOWAIT) >= 0 ||
	    errno != EAGAIN)
		return true;
	if (cl_mapping_caches(inode->mapping, (struct cl_range){offset, offset + len}))
		return false;
	serving_will_wait();
	return true;
}

/* @return whether all of it is in the pipe */
static bool gather(const struct pipe *pipe, int fd, uint64_t offset, size_t len)
{
	off_t position = (off_t)offset;
	ssize_t n;

	for (size_t got = 0; got < len; got += (size_t)n) {
		n = splice(fd, &position, pipe->in, NULL, len - got, SPLICE_F_NONBLOCK);
		if (n <= 0)
			return false;
	}
	return true;
}

bool bypass_read(fuse_req_t req, struct inode *inode, uint64_t offset, size_t len)
{
	struct fuse_bufvec answer = FUSE_BUFVEC_INIT(len);
	struct pipe *pipe;

	if (!is_worth_it(inode, offset, len))
		return false;
	pipe = my_pipe(inode->daemon->max_request_bytes + SLACK);
	if (!pipe || pipe->bytes < len + SLACK || !ask_store(inode, offset, len))
		return false;
	if (!gather(pipe, inode->store_fd, offset, len)) {
		drop_pipe(pipe);
		return false;
	}
	answer.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_RETRY;
	answer.buf[0].fd = pipe->out;
	atomic_fetch_add_explicit(&inode->daemon->bypassed_bytes, len,
				  memory_order_relaxed);
	if (fuse_reply_data(req, &answer, FUSE_BUF_SPLICE_NONBLOCK) != 0)
		drop_pipe(pipe);
	return true;
}
