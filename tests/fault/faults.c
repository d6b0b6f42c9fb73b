/* SPDX-License-Identifier: MIT */
/* Faults of the daemon under test. */

#include "faults.h"

#include <sys/xattr.h>

#define ATTRIBUTE "user.foldfs.fault"

void arm(const char *path, const char *fault)
{
	ok(setxattr(path, ATTRIBUTE, fault, strlen(fault), XATTR_REPLACE));
}

unsigned long struck(void)
{
	char text[128];
	const ssize_t len = ok(getxattr(".", ATTRIBUTE, text, sizeof(text) - 1));
	const char *number;

	text[len] = '\0';
	number = strchr(text, ' ');
	ck_assert_msg(number != NULL, "no fault is armed, but: %s", text);
	return strtoul(number, NULL, 10);
}

int open_unread(const char *name, size_t size, unsigned seed, int flags)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s", behind(name));
	ok(close(make_file(path, size, seed)));
	return ok(open(name, flags));
}

void store_has(const char *name, off_t offset, size_t len, unsigned seed)
{
	const int fd = ok(open(behind(name), O_RDONLY));

	has_bytes(fd, offset, len, seed);
	ok(close(fd));
}

void others_are_served(void)
{
	const int fd = make_file("other", 5 * PAGE, 7);
	char *map = map_shared(fd, 5 * PAGE);

	has_bytes(fd, 0, 5 * PAGE, 7);
	ok(fsync(fd));
	map[PAGE] = 'x';
	ok(msync(map, 5 * PAGE, MS_SYNC));
	ok(munmap(map, 5 * PAGE));
	ok(close(fd));
	store_has("other", 2 * (off_t)PAGE, 3 * PAGE, 7);
	ok(unlink("other"));
}

void all_is_well(int fd, const char *name)
{
	put_bytes(fd, 0, 3 * PAGE, 9);
	ok(fsync(fd));
	has_bytes(fd, 0, 3 * PAGE, 9);
	store_has(name, 0, 3 * PAGE, 9);
	others_are_served();
}
