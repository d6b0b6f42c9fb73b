/* SPDX-License-Identifier: MIT */
/*
 * Doubts about stores, by what the list of mounts says they are.
 *
 * Not tried out: a number that is used again shows when it is too late. File systems of
 * this kernel hold the number of a file that is open. What others tell us is a server's,
 * who may not know that we have it open, or the invention of a client.
 */

#include "store_doubt.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_stat.h"

struct mount_entry {
	char type[64];
	char *options; /* the superblock's; free() it */
};

/* A line of /proc/self/mountinfo: "ID … - TYPE SOURCE OPTIONS". */
static bool parse(const char *line, uint64_t id, struct mount_entry *ret_entry)
{
	const char *separator = strstr(line, " - ");
	char type[sizeof(ret_entry->type)], *options = NULL;

	if (strtoull(line, NULL, 10) != id || !separator ||
	    sscanf(separator, " - %63s %*s %ms", type, &options) != 2)
		return false;
	memcpy(ret_entry->type, type, sizeof(type));
	ret_entry->options = options;
	return true;
}

static int find_mount(int fd, struct mount_entry *ret_entry)
{
	struct store_id id;
	char *line = NULL;
	size_t room = 0;
	bool found = false;
	FILE *mounts;
	int status;

	status = store_identify(fd, "", &id);
	if (status < 0)
		return status;
	mounts = fopen("/proc/self/mountinfo", "re");
	if (!mounts)
		return -errno;
	while (!found && getline(&line, &room, mounts) > 0)
		found = parse(line, id.mount, ret_entry);
	free(line);
	fclose(mounts);
	return found ? 0 : -ENOENT;
}

static bool has_option(const char *options, const char *wanted)
{
	const size_t len = strlen(wanted);

	for (const char *at = options; (at = strstr(at, wanted)); at += len)
		if ((at == options || at[-1] == ',') && (at[len] == ',' || !at[len]))
			return true;
	return false;
}

static const char *doubt(const struct mount_entry *entry)
{
	const char *type = entry->type;

	if (strcmp(type, "fuse.foldfs") == 0)
		return "";
	if (strncmp(type, "fuse", 4) == 0)
		return "its daemon chooses the numbers of files, which may change or be "
		       "used for two (mount it with use_ino, noforget or the like, if it "
		       "has such options)";
	if (strcmp(type, "virtiofs") == 0 || strcmp(type, "9p") == 0)
		return "its server may use the number of a removed file again, or for "
		       "files of two file systems (share one, or have the numbers "
		       "remapped)";
	if ((strcmp(type, "cifs") == 0 || strcmp(type, "smb3") == 0) &&
	    has_option(entry->options, "noserverino"))
		return "the numbers of files are made up and change (mount it with "
		       "serverino)";
	return "";
}

int store_doubt_identity(int fd, char *ret_why, size_t size)
{
	struct mount_entry entry;
	const char *why;
	int status;

	status = find_mount(fd, &entry);
	if (status < 0)
		return status;
	why = doubt(&entry);
	if (*why)
		snprintf(ret_why, size, "%s: %s", entry.type, why);
	else
		ret_why[0] = '\0';
	free(entry.options);
	return 0;
}

int store_doubt_type(int fd, char *ret_type, size_t size)
{
	struct mount_entry entry;
	const int status = find_mount(fd, &entry);

	if (status < 0)
		return status;
	snprintf(ret_type, size, "%s", entry.type);
	free(entry.options);
	return 0;
}
