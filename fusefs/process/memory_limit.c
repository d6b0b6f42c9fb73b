/* SPDX-License-Identifier: MIT */
/* See memory_limit.h, and cgroups(7). */

#include "memory_limit.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where groups are, and what their limit is called. */
struct hierarchy {
	const char *root;
	const char *file;
};

static const struct hierarchy version1 = {"/sys/fs/cgroup/memory",
					  "memory.limit_in_bytes"};
static const struct hierarchy version2[] = {
	{"/sys/fs/cgroup", "memory.max"},
	{"/sys/fs/cgroup/unified", "memory.max"},
};

/* @return UINT64_MAX for "max", for no such file, and for version 1's "no limit", which
 *         is a number that is as good as that */
static uint64_t limit_of(const struct hierarchy *hierarchy, const char *group)
{
	uint64_t bytes = UINT64_MAX;
	char path[PATH_MAX];
	FILE *file;

	if (snprintf(path, sizeof(path), "%s%s/%s", hierarchy->root, group,
		     hierarchy->file) >= (int)sizeof(path))
		return UINT64_MAX;
	file = fopen(path, "re");
	if (!file)
		return UINT64_MAX;
	if (fscanf(file, "%" SCNu64, &bytes) != 1)
		bytes = UINT64_MAX;
	fclose(file);
	return bytes;
}

/* Of the group and of all above it. In a container the group may be none that can be
 * seen, and the root is the container's. */
static uint64_t least_limit(const struct hierarchy *hierarchy, char *group)
{
	uint64_t least = UINT64_MAX, bytes;
	char *slash;

	for (;;) {
		bytes = limit_of(hierarchy, group);
		least = bytes < least ? bytes : least;
		slash = strrchr(group, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

static bool is_listed(const char *controllers, const char *wanted)
{
	const size_t len = strlen(wanted);

	for (const char *at = controllers; (at = strstr(at, wanted)); at += len)
		if ((at == controllers || at[-1] == ',') &&
		    (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

/* A line is "number:controllers:group"; version 2's has the number 0 and no controllers.
 */
static uint64_t limit_of_line(char *line)
{
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;
	uint64_t least = UINT64_MAX, bytes;
	char copy[PATH_MAX];

	if (!group)
		return UINT64_MAX;
	controllers++;
	*group++ = '\0';
	group[strcspn(group, "\n")] = '\0';
	if (is_listed(controllers, "memory"))
		return least_limit(&version1, group);
	if (*controllers != '\0')
		return UINT64_MAX;
	for (size_t i = 0; i < sizeof(version2) / sizeof(*version2); i++) {
		snprintf(copy, sizeof(copy), "%s", group);
		bytes = least_limit(&version2[i], copy);
		least = bytes < least ? bytes : least;
	}
	return least;
}

uint64_t memory_limit_bytes(void)
{
	uint64_t least = UINT64_MAX, bytes;
	FILE *file = fopen("/proc/self/cgroup", "re");
	char *line = NULL;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		bytes = limit_of_line(line);
		least = bytes < least ? bytes : least;
	}
	free(line);
	if (file)
		fclose(file);
	return least;
}
