/* SPDX-License-Identifier: MIT */
/* A pipe for requests; see the header. */

#include "request_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Beside its pages, one more that the data begins in the middle of, and one for the
 * header. */
#define MORE_PAGES 2

static void close_both(const int fds[2])
{
	if (fds[0] >= 0) {
		close(fds[0]);
		close(fds[1]);
	}
}

void request_pipe_close(struct request_pipe *pipe)
{
	close_both(pipe->fds);
	close_both(pipe->peek_fds);
	*pipe = REQUEST_PIPE_NONE;
}

bool request_pipe_is_empty(const struct request_pipe *pipe)
{
	int left = 0;

	return ioctl(pipe->fds[0], FIONREAD, &left) == 0 && left == 0;
}

int request_pipe_ensure(struct request_pipe *pipe, size_t max_bytes)
{
	const int wanted = (int)(max_bytes + MORE_PAGES * (size_t)getpagesize());
	int bytes;

	if (pipe->fds[0] >= 0) {
		if (request_pipe_is_empty(pipe))
			return 0;
		request_pipe_close(pipe);
	}
	if (pipe2(pipe->fds, O_CLOEXEC) < 0 ||
	    pipe2(pipe->peek_fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		const int error = errno;

		request_pipe_close(pipe);
		return -error;
	}
	bytes = fcntl(pipe->fds[1], F_SETPIPE_SZ, wanted);
	if (bytes < wanted) {
		const int error = bytes < 0 ? -errno : -ENOMEM;

		request_pipe_close(pipe);
		return error;
	}
	pipe->bytes = (size_t)bytes;
	return 0;
}

int request_pipe_receive(struct request_pipe *pipe, int device_fd)
{
	ssize_t n;

	/* ENOENT: the request was interrupted before it was ours. */
	do
		n = splice(device_fd, NULL, pipe->fds[1], NULL, pipe->bytes, 0);
	while (n < 0 && errno == ENOENT);
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return n > 0 ? (int)n : -EIO;
}

ssize_t request_pipe_peek(const struct request_pipe *pipe, void *buf, size_t len)
{
	ssize_t n;

	do
		n = tee(pipe->fds[0], pipe->peek_fds[1], len, SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		n = read(pipe->peek_fds[0], buf, len);
	return n < 0 ? -errno : n;
}

int request_pipe_take(int fd, size_t len, char **ret_buf)
{
	char *buf = malloc(len);
	size_t done = 0;
	ssize_t n = buf ? 0 : -ENOMEM;

	while (n >= 0 && done < len) {
		n = read(fd, buf + done, len - done);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n <= 0)
			n = n < 0 ? -errno : -EIO;
		else
			done += (size_t)n;
	}
	if (n < 0) {
		free(buf);
		return (int)n;
	}
	*ret_buf = buf;
	return 0;
}
