/* SPDX-License-Identifier: MIT */
/*
 * Lines of the log that are about a file.
 */

#include "inode_log.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
	char front[PATH_MAX + 64], path[PATH_MAX];

	path_in_source(inode, path, sizeof(path));
	snprintf(front, sizeof(front),
		 "inode %llu (%s): ", (unsigned long long)inode->ino, path);
	log_wanted(level, front, format, args);
}

void log_inode(int level, struct inode *inode, const char *format, ...)
{
	va_list args;

	if (!log_wants(level, format))
		return;
	va_start(args, format);
	write_about_inode(level, inode, format, args);
	va_end(args);
}

void log_inode_kind(int level, const char *kind, struct inode *inode,
		    const char *format, ...)
{
	va_list args;

	if (!log_wants(level, kind))
		return;
	va_start(args, format);
	write_about_inode(level, inode, format, args);
	va_end(args);
}
