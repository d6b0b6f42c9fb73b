/* SPDX-License-Identifier: MIT */
/*
 * What our threads are at; see the header.
 */

#include "own_threads.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

char own_thread_state(pid_t tid)
{
	char path[64], line[512], *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", (long)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return '?';
	line[n] = '\0';
	state = strrchr(line, ')');
	return state && state[1] == ' ' ? state[2] : '?';
}

bool own_threads_any_runnable(void)
{
	const pid_t self = (pid_t)syscall(SYS_gettid);
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	bool any = false;

	while (tasks && !any && (entry = readdir(tasks))) {
		const pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		any = tid > 0 && tid != self && own_thread_state(tid) == 'R';
	}
	if (tasks)
		closedir(tasks);
	return any;
}
