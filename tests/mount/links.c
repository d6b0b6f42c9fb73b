/* SPDX-License-Identifier: MIT */
/*
 * Hard links share one inode, its bytes and its mappings; symbolic links keep their
 * text, and loops of them end.
 */

#include "files.h"

#include <limits.h>

START_TEST(hard_links_share_one_inode_and_count)
{
	struct stat a, b;

	make_text("a", "x");
	ok(link("a", "b"));
	a = stat_of("a");
	b = stat_of("b");
	ck_assert_uint_eq(a.st_ino, b.st_ino);
	ck_assert_uint_eq(a.st_dev, b.st_dev);
	ck_assert_uint_eq(a.st_nlink, 2);
	ck_assert_uint_eq(b.st_nlink, 2);
	ok(unlink("a"));
	ck_assert_uint_eq(stat_of("b").st_nlink, 1);
	has_text("b", "x");
}
END_TEST

START_TEST(a_link_moves_the_change_time)
{
	struct timespec before;

	make_text("a", "x");
	before = stat_of("a").st_ctim;
	sleep_ms(20);
	ok(link("a", "b"));
	ck_assert(later(stat_of("a").st_ctim, before));
}
END_TEST

START_TEST(what_is_written_by_one_name_is_read_by_the_other)
{
	const int a = make_file("a", 3 * PAGE, 1);
	int b;

	ok(link("a", "b"));
	b = ok(open("b", O_RDWR));
	put_bytes(a, 5000, 100, 2);
	has_bytes(b, 5000, 100, 2);
	ok(ftruncate(b, 100));
	ck_assert_int_eq(fstat_of(a).st_size, 100);
	ck_assert_int_eq(size_of("a"), 100);
}
END_TEST

START_TEST(mappings_of_two_names_are_the_same_memory)
{
	const int a = make_file("a", 2 * PAGE, 1);
	char *first, *second;
	int b;

	ok(link("a", "b"));
	b = ok(open("b", O_RDWR));
	first = map_shared(a, 2 * PAGE);
	second = map_shared(b, 2 * PAGE);
	first[PAGE + 7] = 'X';
	ck_assert_int_eq(second[PAGE + 7], 'X');
	second[3] = 'Y';
	ck_assert_int_eq(first[3], 'Y');
}
END_TEST

static void see_x_in_b(void *arg)
{
	struct signal_box *boxes = arg;
	const int b = ok(open("b", O_RDWR));
	char *memory = map_shared(b, PAGE);

	tell(&boxes[0]);
	await(&boxes[1]);
	ck_assert_int_eq(memory[9], 'X');
	memory[10] = 'Y';
}

START_TEST(two_processes_share_memory_through_two_names)
{
	struct signal_box boxes[2] = {make_signal_box(), make_signal_box()};
	const int a = make_file("a", PAGE, 1);
	char *memory = map_shared(a, PAGE);
	pid_t child;

	ok(link("a", "b"));
	child = start(see_x_in_b, boxes);
	await(&boxes[0]);
	memory[9] = 'X';
	tell(&boxes[1]);
	finish(child);
	ck_assert_int_eq(memory[10], 'Y');
}
END_TEST

START_TEST(directories_and_taken_names_cannot_be_linked)
{
	ok(mkdir("d", 0755));
	fails_with(EPERM, link("d", "e"));
	make_text("f", "x");
	fails_with(EEXIST, link("f", "d"));
	fails_with(ENOENT, link("absent", "x"));
}
END_TEST

START_TEST(a_symbolic_link_can_have_hard_links)
{
	ok(symlink("nowhere", "a"));
	ok(linkat(AT_FDCWD, "a", AT_FDCWD, "b", 0));
	ck_assert_uint_eq(lstat_of("a").st_ino, lstat_of("b").st_ino);
	ck_assert_uint_eq(lstat_of("b").st_mode & S_IFMT, S_IFLNK);
}
END_TEST

START_TEST(an_open_file_can_be_linked_through_proc)
{
	const int fd = make_file("a", 10, 1);
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ok(linkat(AT_FDCWD, path, AT_FDCWD, "b", AT_SYMLINK_FOLLOW));
	ck_assert_uint_eq(stat_of("b").st_ino, stat_of("a").st_ino);
}
END_TEST

START_TEST(a_symbolic_link_keeps_its_text)
{
	char buf[PATH_MAX];

	ok(symlink("any text / at all", "link"));
	ck_assert_int_eq(ok(readlink("link", buf, sizeof(buf))), 17);
	ck_assert_mem_eq(buf, "any text / at all", 17);
	ck_assert_int_eq(lstat_of("link").st_size, 17);
	ck_assert_int_eq(ok(readlink("link", buf, 4)), 4);
	fails_with(EEXIST, symlink("x", "link"));
	fails_with(EINVAL, readlink(".", buf, sizeof(buf)));
}
END_TEST

START_TEST(a_symbolic_link_can_be_as_long_as_a_path)
{
	char text[PATH_MAX], buf[PATH_MAX];
	/* XFS: 1024 bytes at most. */
	const size_t len = store_is("xfs") ? 1023 : PATH_MAX - 1;

	memset(text, 'a', len);
	text[len] = '\0';
	ok(symlink(text, "link"));
	ck_assert_int_eq(ok(readlink("link", buf, sizeof(buf))), (ssize_t)len);
	ck_assert_mem_eq(buf, text, len);
}
END_TEST

START_TEST(a_symbolic_link_made_anew_under_the_same_name_shows_its_new_text)
{
	char buf[PATH_MAX];

	for (int i = 0; i < 20; i++) {
		char text[16];

		snprintf(text, sizeof(text), "target-%02d", i);
		ok(symlink(text, "link"));
		ck_assert_int_eq(ok(readlink("link", buf, sizeof(buf))), 9);
		ck_assert_mem_eq(buf, text, 9);
		ok(unlink("link"));
	}
}
END_TEST

START_TEST(links_are_followed_and_loops_end_with_eloop)
{
	ok(mkdir("d", 0755));
	make_text("d/f", "x");
	ok(symlink("d", "e"));
	has_text("e/f", "x");
	ok(symlink("two", "one"));
	ok(symlink("one", "two"));
	fails_with(ELOOP, open("one", O_RDONLY));
	ok(symlink("self/x", "self"));
	fails_with(ELOOP, open("self", O_RDONLY));
	fails_with(ELOOP, open("e", O_RDONLY | O_NOFOLLOW));
}
END_TEST

START_TEST(a_link_out_of_the_directory_is_followed_by_the_caller_alone)
{
	ok(symlink("/proc/self/status", "outside"));
	ck_assert_uint_eq(stat_of("outside").st_mode & S_IFMT, S_IFREG);
	ck_assert_uint_ne(stat_of("outside").st_dev, stat_of(".").st_dev);
	ck_assert_uint_eq(lstat_of(behind("outside")).st_mode & S_IFMT, S_IFLNK);
}
END_TEST

void describe(void)
{
	everyone(hard_links_share_one_inode_and_count);
	everyone(a_link_moves_the_change_time);
	everyone(what_is_written_by_one_name_is_read_by_the_other);
	everyone(mappings_of_two_names_are_the_same_memory);
	everyone(two_processes_share_memory_through_two_names);
	everyone(directories_and_taken_names_cannot_be_linked);
	everyone(a_symbolic_link_can_have_hard_links);
	everyone(an_open_file_can_be_linked_through_proc);
	everyone(a_symbolic_link_keeps_its_text);
	everyone(a_symbolic_link_can_be_as_long_as_a_path);
	everyone(a_symbolic_link_made_anew_under_the_same_name_shows_its_new_text);
	everyone(links_are_followed_and_loops_end_with_eloop);
	everyone(a_link_out_of_the_directory_is_followed_by_the_caller_alone);
}
