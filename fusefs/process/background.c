/* SPDX-License-Identifier: MIT */
/*
 * Background: the parent waits for one byte.
 *
 * The child does everything, mounting included, so that no thread and no descriptor has
 * to survive the fork.
 */

#include "background.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

/* To the parent; -1 in the foreground. */
static int ready_fd = -1;

/* Never returns. */
static void wait_for_child(pid_t child, int fd)
{
	ssize_t len;
	char byte;
	int status;

	do
		len = read(fd, &byte, 1);
	while (len < 0 && errno == EINTR);
	if (len == 1)
		_exit(EXIT_SUCCESS);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status)
							    : EXIT_FAILURE);
}

/* Whoever started us without standard descriptors must not find our files in their
 * place. */
static void open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int background_start(bool foreground)
{
	int fds[2];
	pid_t child;

	open_standard_descriptors();
	if (foreground)
		return 0;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child < 0) {
		const int error = errno;

		close(fds[0]);
		close(fds[1]);
		return -error;
	}
	if (child > 0) {
		close(fds[1]);
		wait_for_child(child, fds[0]);
	}
	close(fds[0]);
	ready_fd = fds[1];
	return 0;
}

void background_ready(int log_level)
{
	int null;

	/* Not to keep somebody's file system busy. */
	if (chdir("/") < 0)
		log_msg(LOG_WARNING, "cannot change to /");
	if (ready_fd < 0)
		return;
	setsid();
	log_setup(log_level, true);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		/* The copies are not closed on exec: fusermount3 wants all three. */
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		if (null > STDERR_FILENO)
			close(null);
	}
	if (write(ready_fd, "", 1) != 1)
		log_msg(LOG_WARNING, "whoever started us has not waited");
	close(ready_fd);
	ready_fd = -1;
}
