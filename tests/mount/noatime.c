/* SPDX-License-Identifier: MIT */
/*
 * On a mount with noatime no way of reading a file or a directory moves its access time,
 * in the store neither. Symbolic links are left out: no system call reads a link of the
 * store without moving its time there, unless the store itself is mounted noatime.
 */

#include "files.h"

#include <dirent.h>

static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};

static void old_file(void)
{
	ok(close(make_file(behind("f"), 3 * PAGE, 1)));
	ok(utimensat(AT_FDCWD, behind("f"), old, 0));
}

static void access_time_has_not_moved(const char *name)
{
	ck_assert(same_time(lstat_of(behind(name)).st_atim, old[0]));
	ck_assert(same_time(lstat_of(name).st_atim, old[0]));
}

START_TEST(read_moves_nothing)
{
	int fd;

	old_file();
	fd = ok(open("f", O_RDONLY));
	has_bytes(fd, 0, 3 * PAGE, 1);
	ok(close(fd));
	access_time_has_not_moved("f");
}
END_TEST

START_TEST(a_load_through_a_mapping_moves_nothing)
{
	old_file();
	memory_has_bytes(map_readonly(ok(open("f", O_RDONLY)), 3 * PAGE), 0, 3 * PAGE,
			 1);
	access_time_has_not_moved("f");
}
END_TEST

START_TEST(a_direct_read_moves_nothing)
{
	void *buf;

	old_file();
	ck_assert_int_eq(posix_memalign(&buf, PAGE, PAGE), 0);
	ck_assert_int_eq(ok(read(ok(open("f", O_RDONLY | O_DIRECT)), buf, PAGE)), PAGE);
	access_time_has_not_moved("f");
}
END_TEST

START_TEST(a_partial_write_that_has_to_read_moves_nothing)
{
	int fd;

	old_file();
	fd = ok(open("f", O_RDWR));
	write_all(fd, "x", 1, 5000);
	has_bytes(fd, 0, 5000, 1);
	ok(close(fd));
	access_time_has_not_moved("f");
}
END_TEST

START_TEST(reading_a_directory_moves_nothing)
{
	DIR *dir;

	ok(mkdir("d", 0755));
	ok(utimensat(AT_FDCWD, behind("d"), old, 0));
	sleep_ms(1100);
	dir = opendir("d");
	while (readdir(dir))
		;
	closedir(dir);
	access_time_has_not_moved("d");
}
END_TEST

START_TEST(an_access_time_can_still_be_set)
{
	const struct timespec set[2] = {{.tv_sec = 5000, .tv_nsec = 5},
					{.tv_sec = 6000}};

	old_file();
	ok(utimensat(AT_FDCWD, "f", set, 0));
	ck_assert(same_time(stat_of("f").st_atim, set[0]));
}
END_TEST

void describe(void)
{
	everyone(read_moves_nothing);
	everyone(a_load_through_a_mapping_moves_nothing);
	everyone(a_direct_read_moves_nothing);
	everyone(a_partial_write_that_has_to_read_moves_nothing);
	everyone(reading_a_directory_moves_nothing);
	everyone(an_access_time_can_still_be_set);
}
