/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_LOG_H
#define FUSEFS_LOG_H

#include <stdbool.h>
#include <syslog.h>

struct inode;

/** To stderr in the foreground, to syslog otherwise. level: LOG_ERR … LOG_DEBUG; what
 * is above the level asked for is dropped before its arguments are formatted. */
void log_setup(int level, bool to_syslog);
__attribute__((format(printf, 2, 3))) void log_msg(int level, const char *format, ...);
/** Likewise, with the inode's number and its path in the source directory in front. */
__attribute__((format(printf, 3, 4))) void log_inode(int level, struct inode *inode,
						     const char *format, ...);
/** Say that a thread cannot be had, and the remedy. */
void log_no_threads(int status);

#endif
