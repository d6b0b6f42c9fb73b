/* SPDX-License-Identifier: MIT */
/* See platform.h. */

#include "platform.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HELPER_PATH "/usr/bin:/bin:/usr/local/bin:/usr/sbin:/sbin"

int platform_fuse_device(void)
{
	const int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static bool find_in(const char *path, char *ret_path, size_t size)
{
	char candidate[PATH_MAX];
	size_t len;

	for (; path && *path != '\0'; path += len + (path[len] == ':')) {
		len = strcspn(path, ":");
		snprintf(candidate, sizeof(candidate), "%.*s/" PLATFORM_HELPER,
			 (int)len, path);
		if (access(candidate, X_OK) == 0) {
			snprintf(ret_path, size, "%s", candidate);
			return true;
		}
	}
	return false;
}

bool platform_find_helper(char *ret_path, size_t size)
{
	return find_in(HELPER_PATH, ret_path, size) ||
	       find_in(getenv("PATH"), ret_path, size);
}

bool platform_users_allow_other(void)
{
	FILE *conf = fopen(PLATFORM_FUSE_CONF, "re");
	bool allowed = false;
	char line[256], *start, *end;

	if (!conf)
		return false;
	while (!allowed && fgets(line, sizeof(line), conf)) {
		for (start = line; isspace((unsigned char)*start); start++)
			continue;
		for (end = start + strlen(start);
		     end > start && isspace((unsigned char)end[-1]); end--)
			continue;
		*end = '\0';
		allowed = strcmp(start, "user_allow_other") == 0;
	}
	fclose(conf);
	return allowed;
}

unsigned long platform_number(const char *path)
{
	unsigned long number = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &number) != 1)
		number = 0;
	fclose(file);
	return number;
}
