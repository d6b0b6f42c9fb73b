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

#include "log_escape.h"
#include "log_rate.h"

/* Two paths, and what is said about them. */
#define LINE_BYTES (2 * PATH_MAX + 1024)

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

bool log_wants(int level, const char *kind)
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

void log_wanted(int level, const char *front, const char *format, va_list args)
{
	char line[LINE_BYTES];
	const int used = snprintf(line, sizeof(line), "%s", front);

	if (used < 0 || (size_t)used >= sizeof(line))
		return;
	vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
	write_line(level, line);
}

void log_msg(int level, const char *format, ...)
{
	va_list args;

	if (!log_wants(level, format))
		return;
	va_start(args, format);
	log_wanted(level, "", format, args);
	va_end(args);
}

void log_kind(int level, const char *kind, const char *format, ...)
{
	va_list args;

	if (!log_wants(level, kind))
		return;
	va_start(args, format);
	log_wanted(level, "", format, args);
	va_end(args);
}

void log_no_threads(int status)
{
	log_msg(LOG_ERR,
		"cannot start a thread: %s; raise the limit on processes (ulimit -u, "
		"TasksMax= of a systemd unit), or of memory",
		strerror(-status));
}
