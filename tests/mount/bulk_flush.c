/* SPDX-License-Identifier: MIT */
/*
 * Range operations of files with many dirty mapped pages: those are written back in
 * bulk, and none is lost, however the file can be reached.
 *
 * What counts flushes is foldfs's own, so there is no reference to run this on.
 */

#include <string.h>
#include <sys/xattr.h>

#include <foldfs.h>
#include <json-c/json.h>

#include "files.h"

/* Less than what a machine with little memory lets a FUSE mount have dirty. */
#define PAGES  512
#define LENGTH (PAGES * PAGE)
#define CUT    4

static uint64_t flushes_of(int fd)
{
	static char text[65536];
	struct json_object *stats, *range, *flushes;
	const ssize_t len =
		ok(fgetxattr(fd, "user.foldfs.stats", text, sizeof(text) - 1));
	uint64_t count;

	text[len] = '\0';
	stats = json_tokener_parse(text);
	ck_assert_ptr_nonnull(stats);
	ck_assert(json_object_object_get_ex(stats, "range_operations", &range));
	ck_assert(json_object_object_get_ex(range, "bulk_flushes", &flushes));
	count = json_object_get_uint64(flushes);
	json_object_put(stats);
	return count;
}

/* A file, mapped, with other bytes stored to so many of its pages: at once, or a slow
 * machine's kernel writes them back by itself meanwhile. */
static char *dirty_file(const char *name, unsigned pages, int *ret_fd)
{
	static char bytes[LENGTH];
	const int fd = make_file(name, LENGTH, 1);
	char *map = map_shared(fd, LENGTH);

	for (size_t at = 0; at < pages * PAGE; at++)
		bytes[at] = (char)byte_at(2, (off_t)at);
	memory_has_bytes(map, 0, LENGTH, 1);
	memcpy(map, bytes, pages * PAGE);
	*ret_fd = fd;
	return map;
}

/* What was at `at + CUT` pages is now at `at`. */
static void is_shifted(const char *map)
{
	memory_has_bytes(map, CUT * PAGE, LENGTH - CUT * PAGE, 2);
}

static void collapse(int fd)
{
	ok(fsetxattr(fd, FOLDFS_XATTR_COLLAPSE, "0+16384", 7, XATTR_REPLACE));
	ck_assert_int_eq(fstat_of(fd).st_size, LENGTH - CUT * PAGE);
}

START_TEST(dirty_pages_leave_in_bulk)
{
	int fd;
	char *map = dirty_file("f", PAGES, &fd);

	collapse(fd);
	ck_assert_uint_ge(flushes_of(fd), 1);
	is_shifted(map);
	ok(fsync(fd));
	is_shifted(map);
}
END_TEST

START_TEST(those_of_a_file_without_a_name_too)
{
	int fd;
	char *map = dirty_file("f", PAGES, &fd);

	ok(unlink("f"));
	collapse(fd);
	ck_assert_uint_ge(flushes_of(fd), 1);
	is_shifted(map);
}
END_TEST

START_TEST(those_of_a_file_that_has_moved_too)
{
	int fd;
	char *map = dirty_file("f", PAGES, &fd);

	ok(mkdir("d", 0755));
	ok(rename("f", "d/g"));
	ok(mkfifo("f", 0644)); /* opening this would wait */
	collapse(fd);
	ck_assert_uint_ge(flushes_of(fd), 1);
	is_shifted(map);
}
END_TEST

/* The daemon of an unprivileged user may not open it: then they leave one by one. */
START_TEST(those_of_a_file_that_may_not_be_opened_are_not_lost)
{
	int fd;
	char *map = dirty_file("f", PAGES, &fd);

	ok(fchmod(fd, 0200));
	collapse(fd);
	is_shifted(map);
	ok(fchmod(fd, 0600));
}
END_TEST

START_TEST(a_few_dirty_pages_are_not_worth_it)
{
	int fd;
	char *map = dirty_file("f", 4, &fd);

	collapse(fd);
	ck_assert_uint_eq(flushes_of(fd), 0);
	memory_has_bytes(map, CUT * PAGE, LENGTH - CUT * PAGE, 1);
}
END_TEST

void describe(void)
{
	everyone(dirty_pages_leave_in_bulk);
	everyone(those_of_a_file_without_a_name_too);
	everyone(those_of_a_file_that_has_moved_too);
	everyone(those_of_a_file_that_may_not_be_opened_are_not_lost);
	everyone(a_few_dirty_pages_are_not_worth_it);
}
