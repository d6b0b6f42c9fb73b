/* SPDX-License-Identifier: MIT */
/*
 * Names of any bytes and up to 255 of them; paths of any depth.
 */

#include "files.h"

#include <dirent.h>
#include <limits.h>

static void is_listed(const char *name)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	int found = 0;

	while ((entry = readdir(dir)))
		found += !strcmp(entry->d_name, name);
	closedir(dir);
	ck_assert_msg(found == 1, "'%s' is listed %d times", name, found);
}

START_TEST(a_name_may_have_255_bytes_and_not_one_more)
{
	char name[NAME_MAX + 2];

	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	make_text(name, "x");
	is_listed(name);
	has_text(name, "x");
	ok(rename(name, "short"));
	ok(rename("short", name));
	ok(link(name, "short"));
	ok(unlink(name));
	ok(mkdir(name, 0755));
	ok(rmdir(name));
	ok(symlink("short", name));
	has_text(name, "x");
	strcat(name, "n");
	fails_with(ENAMETOOLONG, open(name, O_CREAT | O_WRONLY, 0644));
	fails_with(ENAMETOOLONG, mkdir(name, 0755));
	fails_with(ENAMETOOLONG, rename("short", name));
	fails_with(ENAMETOOLONG, symlink("x", name));
	fails_with(ENAMETOOLONG, unlink(name));
}
END_TEST

START_TEST(a_name_may_have_any_bytes)
{
	/* XFS refuses none of these either; ext4 would, in directories that fold case.
	 */
	static const char *const names[] = {
		" ",	    "a b",	   "new\nline",	 "\x01\x02\x7f",
		"\xff\xfe", "\xc3",	   "-rf",	 "...",
		"*?[",	    "back\\slash", "\"quoted\"", "\xf0\x9f\x98\x80",
		".hidden",  "~",	   "%s%n",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		make_text(names[i], names[i]);
		is_listed(names[i]);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		has_text(names[i], names[i]);
		has_text(behind(names[i]), names[i]);
		ok(unlink(names[i]));
	}
}
END_TEST

START_TEST(names_that_differ_in_case_are_two)
{
	make_text("name", "small");
	make_text("NAME", "large");
	has_text("name", "small");
	has_text("NAME", "large");
}
END_TEST

START_TEST(paths_go_deeper_than_any_path_can_be_written)
{
	enum { DEPTH = 60 };
	char name[151], long_path[PATH_MAX + 10];
	int fds[DEPTH + 1];

	memset(name, 'd', 150);
	name[150] = '\0';
	fds[0] = ok(open(".", O_RDONLY | O_DIRECTORY));
	for (int i = 0; i < DEPTH; i++) {
		ok(mkdirat(fds[i], name, 0755));
		fds[i + 1] = ok(openat(fds[i], name, O_RDONLY | O_DIRECTORY));
	}
	{
		const int fd = ok(openat(fds[DEPTH], "f", O_CREAT | O_RDWR, 0644));

		put_bytes(fd, 0, 10000, 1);
		memory_has_bytes(map_shared(fd, 10000), 0, 10000, 1);
		ok(close(fd));
	}
	ok(linkat(fds[DEPTH], "f", fds[0], "top", 0));
	ck_assert_int_eq(size_of("top"), 10000);
	ok(renameat(fds[DEPTH], "f", fds[DEPTH / 2], "g"));
	ok(unlinkat(fds[DEPTH / 2], "g", 0));
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	fails_with(ENAMETOOLONG, open(long_path, O_RDONLY));
	for (int i = DEPTH - 1; i >= 0; i--)
		ok(unlinkat(fds[i], name, AT_REMOVEDIR));
}
END_TEST

START_TEST(a_path_of_thousands_of_short_names_works)
{
	char path[PATH_MAX] = "";
	int n = 0;

	while (n < PATH_MAX / 2 - 200) {
		strcpy(path + n, n ? "/d" : "d");
		n = (int)strlen(path);
		ok(mkdir(path, 0755));
	}
	strcpy(path + n, "/f");
	make_text(path, "x");
	has_text(path, "x");
	ok(unlink(path));
	for (; n > 0; n -= 2) {
		path[n] = '\0';
		ok(rmdir(path));
	}
}
END_TEST

START_TEST(dot_dot_leads_back_from_everywhere)
{
	ok(mkdir("a", 0755));
	ok(mkdir("a/b", 0755));
	make_text("f", "x");
	has_text("a/b/../../f", "x");
	ok(chdir("a/b"));
	has_text("../../f", "x");
	ok(rename("../../a/b", "../../c"));
	has_text("../f", "x");
	ok(chdir(".."));
}
END_TEST

START_TEST(dot_and_dot_dot_are_no_names_to_make_or_remove)
{
	ok(mkdir("d", 0755));
	fails_with(EEXIST, mkdir("d/.", 0755));
	fails_with(EEXIST, mkdir("d/..", 0755));
	fails_with(EINVAL, rmdir("d/."));
	ck_assert_int_eq(rmdir("d/.."), -1);
	ck_assert_int_eq(rename("d/.", "e"), -1);
	fails_with(ENOENT, open("", O_CREAT | O_WRONLY, 0644));
}
END_TEST

START_TEST(special_files_are_made_and_told_apart)
{
	ok(mkfifo("fifo", 0644));
	ok(mknod("socket", S_IFSOCK | 0644, 0));
	ok(mknod("file", S_IFREG | 0640, 0));
	ck_assert_uint_eq(lstat_of("fifo").st_mode, S_IFIFO | 0644);
	ck_assert_uint_eq(lstat_of("socket").st_mode, S_IFSOCK | 0644);
	ck_assert_uint_eq(lstat_of("file").st_mode, S_IFREG | 0640);
	fails_with(EEXIST, mkfifo("file", 0644));
}
END_TEST

void describe(void)
{
	everyone(a_name_may_have_255_bytes_and_not_one_more);
	everyone(a_name_may_have_any_bytes);
	everyone(names_that_differ_in_case_are_two);
	everyone(paths_go_deeper_than_any_path_can_be_written);
	everyone(a_path_of_thousands_of_short_names_works);
	everyone(dot_dot_leads_back_from_everywhere);
	everyone(dot_and_dot_dot_are_no_names_to_make_or_remove);
	everyone(special_files_are_made_and_told_apart);
}
