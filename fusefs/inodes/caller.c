/* SPDX-License-Identifier: MIT */
/*
 * Callers: groups and capabilities from /proc/PID/status.
 *
 * A name of a process cannot forge a line there: the kernel escapes its new lines.
 */

#include "caller.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the kernel shows in place of an id that has no meaning in our namespace. */
#define OVERFLOW_ID 65534
/* Room for a status with some hundred groups; the rest takes memory. */
#define TEXT_BYTES  4096
#define TEXT_MAX    ((size_t)1 << 20)

/* ---------------------------------------------------------------- reading /proc */

/* A file of /proc, all of it. */
struct text {
	char on_stack[TEXT_BYTES];
	char *start; /* on_stack, or allocated; NUL-terminated */
	size_t len;
};

enum map { USERS, GROUPS, MAPS };
static const char *const map_names[MAPS] = {"uid_map", "gid_map"};

/* Set once. */
static bool proc_is_ours;
static struct text our_maps[MAPS];

static void text_free(struct text *text)
{
	if (text->start != text->on_stack)
		free(text->start);
}

static bool make_room(struct text *text, size_t *room)
{
	const bool first = text->start == text->on_stack;
	char *bigger;

	if (*room >= TEXT_MAX)
		return false;
	bigger = realloc(first ? NULL : text->start, 2 * *room);
	if (!bigger)
		return false;
	if (first)
		memcpy(bigger, text->on_stack, text->len);
	text->start = bigger;
	*room *= 2;
	return true;
}

static bool read_to_end(int fd, struct text *text)
{
	size_t room = sizeof(text->on_stack);
	ssize_t n;

	do {
		if (text->len + 1 == room && !make_room(text, &room))
			return false;
		n = read(fd, text->start + text->len, room - 1 - text->len);
		if (n > 0)
			text->len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	text->start[text->len] = '\0';
	return n == 0;
}

/* text_free() is owed, whatever is returned. */
__attribute__((format(printf, 2, 3))) static bool read_proc(struct text *text,
							    const char *format, ...)
{
	char path[64];
	va_list args;
	bool whole;
	int fd;

	text->start = text->on_stack;
	text->len = 0;
	va_start(args, format);
	vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	whole = read_to_end(fd, text);
	close(fd);
	return whole;
}

/* What follows a name at the beginning of a line; or NULL. */
static const char *line_of(const struct text *text, const char *name)
{
	const char *at = strstr(text->start, name);

	return at ? at + strlen(name) : NULL;
}

/* ------------------------------------------------------------------ the parts */

/* The fourth of four numbers: real, effective, saved, file system. */
static bool fs_id_is(const struct text *status, const char *name, unsigned id)
{
	const char *line = line_of(status, name);
	unsigned shown;

	return line && sscanf(line, "%*u %*u %*u %u", &shown) == 1 && shown == id;
}

static void take_groups(const struct text *status, struct caller *caller)
{
	const char *at = line_of(status, "\nGroups:");
	char *end;

	caller->group_count = 0;
	while (at && *at != '\n' && caller->group_count < CALLER_GROUPS_MAX) {
		const unsigned long group = strtoul(at, &end, 10);

		if (end == at)
			return;
		if (group != OVERFLOW_ID)
			caller->groups[caller->group_count++] = (gid_t)group;
		at = end + strspn(end, " \t");
	}
}

/* Whether a namespace of users is like ours in what it maps: a child of ours is shown
 * by our ids, and only one that maps all of them as they are looks the same. What it
 * says of a capability is then true of every file that we can have, as on the store. */
static bool maps_as_we_do(pid_t pid, enum map map)
{
	struct text his;
	const bool same = read_proc(&his, "/proc/%ld/%s", (long)pid, map_names[map]) &&
			  his.len > 0 && his.len == our_maps[map].len &&
			  memcmp(his.start, our_maps[map].start, his.len) == 0;

	text_free(&his);
	return same;
}

static void take_caps(pid_t pid, const struct text *status, struct caller *caller)
{
	const char *line = line_of(status, "\nCapEff:");

	caller->caps = line ? strtoull(line, NULL, 16) : 0;
	if (caller->caps != 0 &&
	    !(maps_as_we_do(pid, USERS) && maps_as_we_do(pid, GROUPS)))
		caller->caps = 0;
}

/* -------------------------------------------------------------------- outside */

bool caller_check_proc(void)
{
	struct text status;
	const char *line = NULL;
	char *end;

	/* One number for each namespace, from that of /proc down to ours. */
	if (read_proc(&status, "/proc/self/status"))
		line = line_of(&status, "\nNSpid:");
	proc_is_ours = line && strtol(line, &end, 10) == getpid() && *end == '\n';
	text_free(&status);
	for (unsigned map = 0; map < MAPS; map++)
		if (!read_proc(&our_maps[map], "/proc/self/%s", map_names[map]))
			proc_is_ours = false;
	return proc_is_ours;
}

bool caller_look_up(fuse_req_t req, struct caller *ret_caller)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct text status;
	bool seen;

	if (!proc_is_ours || ctx->pid <= 0)
		return false;
	seen = read_proc(&status, "/proc/%ld/status", (long)ctx->pid) &&
	       fs_id_is(&status, "\nUid:", ctx->uid) &&
	       fs_id_is(&status, "\nGid:", ctx->gid);
	if (seen) {
		take_groups(&status, ret_caller);
		take_caps(ctx->pid, &status, ret_caller);
	}
	text_free(&status);
	return seen && (ret_caller->group_count > 0 || ret_caller->caps != 0);
}
