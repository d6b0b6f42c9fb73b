/* SPDX-License-Identifier: MIT */
/*
 * rename(2) and renameat2(2): open files, mappings and inode numbers follow the file, a
 * replaced file lives on for who has it open, and the flags do what they say.
 */

#include "files.h"

#include <sys/syscall.h>

START_TEST(a_renamed_file_keeps_its_inode_its_bytes_and_its_readers)
{
	const int fd = make_file("a", 10000, 1);
	const ino_t ino = fstat_of(fd).st_ino;
	char *memory = map_shared(fd, 10000);

	ok(rename("a", "b"));
	ck_assert(!exists("a"));
	ck_assert_uint_eq(stat_of("b").st_ino, ino);
	has_bytes(fd, 0, 10000, 1);
	put_bytes(fd, 10000, 10, 1);
	memory[0] = 'X';
	ok(msync(memory, 10000, MS_SYNC));
	ck_assert_int_eq(size_of("b"), 10010);
	ck_assert_int_eq(size_of(behind("b")), 10010);
}
END_TEST

START_TEST(a_replaced_file_lives_on_for_who_has_it_open)
{
	const int old = make_file("target", 5000, 1);

	ok(close(make_file("new", 7000, 2)));
	ok(rename("new", "target"));
	ck_assert_int_eq(size_of("target"), 7000);
	ck_assert_uint_eq(fstat_of(old).st_nlink, 0);
	has_bytes(old, 0, 5000, 1);
	put_bytes(old, 5000, 5000, 1);
	has_bytes(old, 0, 10000, 1);
	has_bytes(ok(open("target", O_RDONLY)), 0, 7000, 2);
}
END_TEST

START_TEST(a_rename_between_two_links_of_one_file_does_nothing)
{
	make_text("a", "x");
	ok(link("a", "b"));
	ok(rename("a", "b"));
	ck_assert(exists("a") && exists("b"));
	ck_assert_uint_eq(stat_of("a").st_nlink, 2);
}
END_TEST

START_TEST(a_rename_moves_between_directories_and_counts_links)
{
	ok(mkdir("from", 0755));
	ok(mkdir("to", 0755));
	ok(mkdir("from/d", 0755));
	make_text("from/d/f", "x");
	ok(rename("from/d", "to/e"));
	has_text("to/e/f", "x");
	ck_assert(!exists("from/d"));
	if (!store_is("btrfs")) { /* which counts one link for every directory */
		ck_assert_uint_eq(stat_of("from").st_nlink, 2);
		ck_assert_uint_eq(stat_of("to").st_nlink, 3);
	}
	ck_assert_uint_eq(stat_of("to/e/..").st_ino, stat_of("to").st_ino);
}
END_TEST

START_TEST(a_process_inside_a_renamed_directory_goes_with_it)
{
	char cwd[4096];

	ok(mkdir("a", 0755));
	ok(chdir("a"));
	ok(rename("../a", "../b"));
	make_text("f", "x");
	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	ck_assert_str_eq(strrchr(cwd, '/'), "/b");
	ok(chdir(".."));
	has_text("b/f", "x");
}
END_TEST

START_TEST(impossible_renames_are_refused)
{
	ok(mkdir("d", 0755));
	ok(mkdir("d/sub", 0755));
	ok(mkdir("empty", 0755));
	make_text("f", "x");
	fails_with(EINVAL, rename("d", "d/sub/d"));
	fails_with(EISDIR, rename("f", "d"));
	fails_with(ENOTDIR, rename("d", "f"));
	fails_with(ENOENT, rename("absent", "x"));
	ck_assert_int_eq(rename("empty", "d"), -1);
	ck_assert(errno == ENOTEMPTY || errno == EEXIST);
	ok(rename("d", "empty"));
	ck_assert(exists("empty/sub"));
}
END_TEST

START_TEST(noreplace_refuses_to_replace)
{
	make_text("a", "a");
	make_text("b", "b");
	fails_with(EEXIST, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE));
	has_text("a", "a");
	has_text("b", "b");
	ok(renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
	has_text("c", "a");
	ck_assert(!exists("a"));
}
END_TEST

START_TEST(exchange_swaps_two_files)
{
	const int a = make_file("a", 100, 1);
	const int b = make_file("b", 200, 2);

	ok(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	ck_assert_int_eq(size_of("a"), 200);
	ck_assert_int_eq(size_of("b"), 100);
	ck_assert_uint_eq(stat_of("b").st_ino, fstat_of(a).st_ino);
	ck_assert_uint_eq(stat_of("a").st_ino, fstat_of(b).st_ino);
	put_bytes(a, 100, 50, 1);
	ck_assert_int_eq(size_of("b"), 150);
	fails_with(ENOENT,
		   renameat2(AT_FDCWD, "a", AT_FDCWD, "absent", RENAME_EXCHANGE));
}
END_TEST

START_TEST(exchange_swaps_a_file_and_a_directory)
{
	ok(mkdir("d", 0755));
	make_text("d/inside", "x");
	ok(mkdir("other", 0755));
	make_text("other/f", "f");
	ok(renameat2(AT_FDCWD, "d", AT_FDCWD, "other/f", RENAME_EXCHANGE));
	has_text("d", "f");
	has_text("other/f/inside", "x");
}
END_TEST

START_TEST(unknown_and_contradicting_flags_are_refused)
{
	make_text("a", "a");
	make_text("b", "b");
	fails_with(EINVAL, renameat2(AT_FDCWD, "a", AT_FDCWD, "b",
				     RENAME_EXCHANGE | RENAME_NOREPLACE));
	fails_with(EINVAL, renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 1u << 20));
}
END_TEST

START_TEST(a_rename_moves_the_times_of_both_directories)
{
	struct timespec from, to;

	ok(mkdir("from", 0755));
	ok(mkdir("to", 0755));
	make_text("from/f", "x");
	from = stat_of("from").st_mtim;
	to = stat_of("to").st_mtim;
	sleep_ms(20);
	ok(rename("from/f", "to/f"));
	ck_assert(later(stat_of("from").st_mtim, from));
	ck_assert(later(stat_of("to").st_mtim, to));
}
END_TEST

void describe(void)
{
	everyone(a_renamed_file_keeps_its_inode_its_bytes_and_its_readers);
	everyone(a_replaced_file_lives_on_for_who_has_it_open);
	everyone(a_rename_between_two_links_of_one_file_does_nothing);
	everyone(a_rename_moves_between_directories_and_counts_links);
	everyone(a_process_inside_a_renamed_directory_goes_with_it);
	everyone(impossible_renames_are_refused);
	everyone(noreplace_refuses_to_replace);
	everyone(exchange_swaps_two_files);
	everyone(exchange_swaps_a_file_and_a_directory);
	everyone(unknown_and_contradicting_flags_are_refused);
	everyone(a_rename_moves_the_times_of_both_directories);
}
