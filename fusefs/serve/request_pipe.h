/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_REQUEST_PIPE_H
#define FUSEFS_REQUEST_PIPE_H

/*
 * A pipe that takes a request from the kernel without copying it: what a long WRITE
 * brings stays in the pages it was in, and splice(2) takes it on to the store.
 *
 * A short request costs more this way, so it is for who expects a long one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct request_pipe {
	int fds[2]; /* to read from and to write to; -1: there is none */
	size_t bytes;
	int peek_fds[2]; /* another, of one page, for request_pipe_peek() */
};

#define REQUEST_PIPE_NONE ((struct request_pipe){.fds = {-1, -1}, .peek_fds = {-1, -1}})

/**
 * Have a pipe with room for any request. A pipe that is there, and is empty, stays.
 * @param max_bytes  most bytes of data in one request
 * @return 0 or a negative errno: -EPERM: users may not have pipes that large
 *         (/proc/sys/fs/pipe-max-size); -EMFILE, -ENFILE, -ENOMEM. Then there is none.
 */
int request_pipe_ensure(struct request_pipe *pipe, size_t max_bytes);
/** Close it, with what is in it. */
void request_pipe_close(struct request_pipe *pipe);

/**
 * Take a request into the pipe, which is empty.
 * @param device_fd  /dev/fuse, O_NONBLOCK
 * @return its bytes; -EAGAIN: there is none now; -ENODEV: the session has ended;
 * another negative errno of reading /dev/fuse
 */
int request_pipe_receive(struct request_pipe *pipe, int device_fd);

/**
 * Look at the first bytes of the request in the pipe, and leave them there.
 * @param len  bytes, at most PIPE_BUF
 * @return how many of them the request has; a negative errno of tee(2) or read(2)
 */
ssize_t request_pipe_peek(const struct request_pipe *pipe, void *buf, size_t len);

/**
 * Take bytes out of a pipe that has them.
 * @param fd       its reading end
 * @param ret_buf  free() it
 * @return 0; -ENOMEM; what read(2) said
 */
int request_pipe_take(int fd, size_t len, char **ret_buf);

/** Whether somebody has taken all that was in it. */
bool request_pipe_is_empty(const struct request_pipe *pipe);

#endif
