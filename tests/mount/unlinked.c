/* SPDX-License-Identifier: MIT */
/*
 * A file without a name, because the name was removed or because there never was one
 * (O_TMPFILE), works like any other until the last user lets go of it.
 */

#include "files.h"

START_TEST(an_unlinked_file_is_still_read_written_and_resized)
{
	const int fd = make_file("f", 10000, 1);

	ok(unlink("f"));
	ck_assert(!exists("f") && !exists(behind("f")));
	ck_assert_uint_eq(fstat_of(fd).st_nlink, 0);
	has_bytes(fd, 0, 10000, 1);
	put_bytes(fd, 10000, 10000, 1);
	has_bytes(fd, 0, 20000, 1);
	ok(ftruncate(fd, 100));
	ck_assert_int_eq(fstat_of(fd).st_size, 100);
	ok(fsync(fd));
	ok(ftruncate(fd, 5000));
	has_zeros(fd, 100, 4900);
}
END_TEST

START_TEST(an_unlinked_file_is_still_mapped)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	char *memory = map_shared(fd, 4 * PAGE);

	ok(unlink("f"));
	ok(close(fd));
	memory_has_bytes(memory, 0, 4 * PAGE, 1);
	memory[PAGE] = 'X';
	ok(msync(memory, 4 * PAGE, MS_SYNC));
	ok(madvise(memory, 4 * PAGE, MADV_DONTNEED));
	ck_assert_int_eq(memory[PAGE], 'X');
}
END_TEST

START_TEST(an_unlinked_file_is_opened_again_through_proc)
{
	const int fd = make_file("f", 5000, 1);
	char path[64];
	int again;

	ok(unlink("f"));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = ok(open(path, O_RDWR));
	has_bytes(again, 0, 5000, 1);
	put_bytes(again, 5000, 5000, 1);
	has_bytes(fd, 0, 10000, 1);
}
END_TEST

START_TEST(a_new_file_of_the_same_name_is_another_file)
{
	const int old = make_file("f", 5000, 1);
	int new;

	ok(unlink("f"));
	new = make_file("f", 6000, 2);
	ck_assert_uint_ne(fstat_of(old).st_ino, fstat_of(new).st_ino);
	has_bytes(old, 0, 5000, 1);
	has_bytes(new, 0, 6000, 2);
}
END_TEST

START_TEST(a_reused_inode_number_shows_nothing_of_the_old_file)
{
	for (unsigned i = 0; i < 200; i++) {
		const int fd = make_file("f", 100 + i, i);
		char *memory = map_shared(fd, 100 + i);

		memory_has_bytes(memory, 0, 100 + i, i);
		ck_assert_int_eq(fstat_of(fd).st_size, 100 + i);
		ok(munmap(memory, 100 + i));
		ok(close(fd));
		ok(unlink("f"));
	}
}
END_TEST

START_TEST(nothing_is_left_in_the_store_of_a_file_unlinked_while_open)
{
	const int fd = make_file("f", 5000, 1);

	ok(mkdir("d", 0755));
	ok(rename("f", "d/f"));
	ok(unlink("d/f"));
	ok(rmdir(behind("d")));
	has_bytes(fd, 0, 5000, 1);
}
END_TEST

START_TEST(a_removed_directory_that_is_still_used_is_empty_and_stays_so)
{
	int fd;

	ok(mkdir("d", 0755));
	fd = ok(open("d", O_RDONLY | O_DIRECTORY));
	ok(rmdir("d"));
	fails_with(ENOENT, openat(fd, "f", O_CREAT | O_WRONLY, 0644));
	fails_with(ENOENT, mkdirat(fd, "e", 0755));
	ck_assert_uint_eq(fstat_of(fd).st_mode & S_IFMT, S_IFDIR);
}
END_TEST

START_TEST(removing_what_is_not_there_or_not_empty_is_refused)
{
	ok(mkdir("d", 0755));
	make_text("d/f", "x");
	fails_with(ENOENT, unlink("absent"));
	fails_with(EISDIR, unlink("d"));
	fails_with(ENOTDIR, rmdir("d/f"));
	ck_assert_int_eq(rmdir("d"), -1);
	ck_assert(errno == ENOTEMPTY || errno == EEXIST);
	ok(unlink("d/f"));
	ok(rmdir("d"));
}
END_TEST

/* FUSE has it since Linux 6.1 (protocol 7.37), whatever libfuse. Before, the kernel refuses it, cleanly:
 * programs then make a named file and remove the name. */
static int open_nameless(mode_t mode)
{
	const int fd = open(".", O_TMPFILE | O_RDWR, mode);

	if (on_foldfs() && !kernel_is(6, 1)) {
		ck_assert_int_eq(fd, -1);
		ck_assert_int_eq(errno, EOPNOTSUPP);
		return -1;
	}
	return ok(fd);
}

START_TEST(a_file_is_made_without_a_name_or_refused_with_eopnotsupp)
{
	const int fd = open_nameless(0640);

	if (fd == -1)
		return;
	put_bytes(fd, 0, 10000, 1);
	has_bytes(fd, 0, 10000, 1);
	ck_assert_uint_eq(fstat_of(fd).st_nlink, 0);
	ck_assert_uint_eq(fstat_of(fd).st_mode, S_IFREG | 0640);
}
END_TEST

START_TEST(a_file_made_for_good_without_a_name_cannot_be_given_one)
{
	const int fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	char path[64];

	if (fd == -1)
		return; /* as above */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fails_with(ENOENT,
		   linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
}
END_TEST

START_TEST(a_file_made_without_a_name_can_be_given_one)
{
	const int fd = open_nameless(0600);
	char path[64];

	if (fd == -1)
		return;
	put_bytes(fd, 0, 5000, 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ok(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	has_bytes(ok(open("named", O_RDONLY)), 0, 5000, 1);
	ck_assert_uint_eq(fstat_of(fd).st_nlink, 1);
}
END_TEST

void describe(void)
{
	everyone(an_unlinked_file_is_still_read_written_and_resized);
	everyone(an_unlinked_file_is_still_mapped);
	everyone(an_unlinked_file_is_opened_again_through_proc);
	everyone(a_new_file_of_the_same_name_is_another_file);
	everyone(a_reused_inode_number_shows_nothing_of_the_old_file);
	everyone(nothing_is_left_in_the_store_of_a_file_unlinked_while_open);
	everyone(a_removed_directory_that_is_still_used_is_empty_and_stays_so);
	everyone(removing_what_is_not_there_or_not_empty_is_refused);
	everyone(a_file_is_made_without_a_name_or_refused_with_eopnotsupp);
	everyone(a_file_made_for_good_without_a_name_cannot_be_given_one);
	everyone(a_file_made_without_a_name_can_be_given_one);
}
