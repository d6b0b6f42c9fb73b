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
#include <time.h>
#include <unistd.h>

#include "inode_table.h"
#include "log_escape.h"
#include "log_rate.h"
#include "store_event.h"

/* Two paths, and what is said about them. */
#define LINE_BYTES (PATH_MAX + STORE_EVENT_TEXT_MAX)

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
	char safe[LINE_BYTES];

	log_escape(line, safe, sizeof(safe));
	if (log_to_syslog)
		syslog(level, "%s", safe);
	else
		fprintf(stderr, "foldfs: %s\n", safe);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void log_tell_held(bool all)
{
	char line[256];
	const char *kind;
	unsigned held;
	int level;

	while ((held = log_rate_take_held(all ? UINT64_MAX : now_ms(), &kind,
					  &level))) {
		snprintf(line, sizeof(line), "%u more like it: %s", held, kind);
		write_line(level, line);
	}
}

/* Whether a line is wanted at all, and not one too many. */
static bool is_wanted(int level, const char *kind)
{
	if (level > log_level)
		return false;
	if (level > LOG_NOTICE)
		return true;
	log_tell_held(false);
	if (log_rate_admits(kind, level, now_ms()))
		return true;
	/* shutdown.c's thread gets the signal, and calls log_tell_held(). */
	alarm(LOG_RATE_MS / 1000 + 1);
	return false;
}

static void write_formatted(int level, const char *format, va_list args)
{
	char line[LINE_BYTES];

	vsnprintf(line, sizeof(line), format, args);
	write_line(level, line);
}

void log_msg(int level, const char *format, ...)
{
	va_list args;

	if (!is_wanted(level, format))
		return;
	va_start(args, format);
	write_formatted(level, format, args);
	va_end(args);
}

void log_kind(int level, const char *kind, const char *format, ...)
{
	va_list args;

	if (!is_wanted(level, kind))
		return;
	va_start(args, format);
	write_formatted(level, format, args);
	va_end(args);
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

static void write_about_inode(int level, struct inode *inode, const char *format,
			      va_list args)
{
	char line[LINE_BYTES], path[PATH_MAX];
	int used;

	path_in_source(inode, path, sizeof(path));
	used = snprintf(line, sizeof(line),
			"inode %llu (%s): ", (unsigned long long)inode->ino, path);
	if (used < 0 || (size_t)used >= sizeof(line))
		return;
	vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
	write_line(level, line);
}

void log_inode(int level, struct inode *inode, const char *format, ...)
{
	va_list args;

	if (!is_wanted(level, format))
		return;
	va_start(args, format);
	write_about_inode(level, inode, format, args);
	va_end(args);
}

void log_inode_kind(int level, const char *kind, struct inode *inode,
		    const char *format, ...)
{
	va_list args;

	if (!is_wanted(level, kind))
		return;
	va_start(args, format);
	write_about_inode(level, inode, format, args);
	va_end(args);
}

void log_no_threads(int status)
{
	log_msg(LOG_ERR,
		"cannot start a thread: %s; raise the limit on processes (ulimit -u, "
		"TasksMax= of a systemd unit), or of memory",
		strerror(-status));
}
