/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_LOG_H
#define FUSEFS_LOG_H

#include <stdarg.h>
#include <stdbool.h>
#include <syslog.h>

/*
 * Lines for people. Names in them are escaped (log_escape.h), and of each kind there are
 * only so many (log_rate.h), then one line that says how many more there were. A kind is
 * what has the same format; log_kind() and log_inode_kind() (inode_log.h) are for lines
 * whose format says nothing. LOG_INFO and LOG_DEBUG, which somebody asked for, are not
 * counted.
 */

/** To stderr in the foreground, to syslog otherwise. level: LOG_ERR … LOG_DEBUG; what
 * is above the level asked for is dropped before its arguments are formatted. */
void log_setup(int level, bool to_syslog);
__attribute__((format(printf, 2, 3))) void log_msg(int level, const char *format, ...);
/** kind: a string that lives for ever, a few words. */
__attribute__((format(printf, 3, 4))) void log_kind(int level, const char *kind,
						    const char *format, ...);
/** The two halves of log_kind(), for log_inode(), which puts something in front.
 *  @return whether a line is wanted at all, and not one too many of its kind */
bool log_wants(int level, const char *kind);
/** A line that is wanted. @param front  what comes before it; "" for nothing */
__attribute__((format(printf, 3, 0))) void log_wanted(int level, const char *front,
						      const char *format, va_list args);
/** Say how many lines were held back, of kinds whose interval is over: whenever SIGALRM
 *  says so. Or of all: at the end. */
void log_tell_held(bool all);
/** Say that a thread cannot be had, and the remedy. */
void log_no_threads(int status);

#endif
