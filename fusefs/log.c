/* SPDX-License-Identifier: MIT */
/*
 * Log: one line per event, to people in the foreground, to syslog otherwise.
 *
 * Nothing is logged per request at the usual level: a line means that somebody should
 * look.
 */

#include "log.h"

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "inode_table.h"

#define LINE_BYTES (PATH_MAX + 512)

/* Written while there is one thread. */
static int log_level = LOG_NOTICE;
static bool log_to_syslog;

void log_setup(int level, bool to_syslog)
{
	log_level = level;
	if (to_syslog && !log_to_syslog)
		openlog("foldfs", LOG_PID, LOG_DAEMON);
	log_to_syslog = to_syslog;
}

static void write_line(int level, const char *line)
{
	if (log_to_syslog)
		syslog(level, "%s", line);
	else
		fprintf(stderr, "foldfs: %s\n", line);
}

void log_msg(int level, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	if (level > log_level)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	write_line(level, line);
}

/* The path of an open descriptor below another one, or the whole path if it is not
 * below: a file that was moved out, or deleted. */
static void path_in_source(const struct inode *inode, char *path, size_t size)
{
	char link[32], root[PATH_MAX];
	ssize_t len, root_len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", inode->fd);
	len = readlink(link, path, size - 1);
	path[len > 0 ? len : 0] = '\0';
	snprintf(link, sizeof(link), "/proc/self/fd/%d", inode->daemon->source_fd);
	root_len = readlink(link, root, sizeof(root));
	if (root_len <= 0 || len < root_len ||
	    memcmp(path, root, (size_t)root_len) != 0)
		return;
	if (len == root_len)
		snprintf(path, size, ".");
	else if (root_len == 1)
		memmove(path, path + 1, (size_t)len);
	else if (path[root_len] == '/')
		memmove(path, path + root_len + 1, (size_t)(len - root_len));
}

void log_inode(int level, struct inode *inode, const char *format, ...)
{
	char line[LINE_BYTES], path[PATH_MAX];
	va_list args;
	int used;

	if (level > log_level)
		return;
	path_in_source(inode, path, sizeof(path));
	used = snprintf(line, sizeof(line),
			"inode %llu (%s): ", (unsigned long long)inode->ino, path);
	if (used < 0 || (size_t)used >= sizeof(line))
		return;
	va_start(args, format);
	vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
	va_end(args);
	write_line(level, line);
}

void log_no_threads(int status)
{
	log_msg(LOG_ERR,
		"cannot start a thread: %s; raise the limit on processes (ulimit -u, "
		"TasksMax= of a systemd unit), or of memory",
		strerror(-status));
}
