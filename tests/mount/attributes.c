/* SPDX-License-Identifier: MIT */
/*
 * Attributes: what stat(2) tells, and every field that can be set, by name and through
 * an open file. Times are kept to the nanosecond.
 */

#include "files.h"

#include <sys/sysmacros.h>
#include <sys/time.h>

static const struct timespec past[2] = {
	{.tv_sec = 1000000001, .tv_nsec = 123456789}, /* access */
	{.tv_sec = 1000000002, .tv_nsec = 987654321}, /* modification */
};

START_TEST(a_new_file_has_the_mode_less_the_umask)
{
	umask(027);
	ok(close(ok(open("file", O_CREAT | O_WRONLY, 0666))));
	ok(mkdir("directory", 0777));
	ok(mkfifo("fifo", 0666));
	ck_assert_uint_eq(stat_of("file").st_mode, S_IFREG | 0640);
	ck_assert_uint_eq(stat_of("directory").st_mode, S_IFDIR | 0750);
	ck_assert_uint_eq(stat_of("fifo").st_mode, S_IFIFO | 0640);
}
END_TEST

START_TEST(a_new_file_is_empty_has_one_link_and_the_times_of_now)
{
	struct timespec before, after;
	struct stat st;

	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	ok(close(make_file("f", 0, 1)));
	clock_gettime(CLOCK_REALTIME, &after);
	st = stat_of("f");
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_uint_eq(st.st_nlink, 1);
	ck_assert(!later(before, st.st_mtim) && !later(st.st_mtim, after));
	ck_assert(same_time(st.st_mtim, st.st_ctim));
	ck_assert(same_time(st.st_mtim, st.st_atim));
}
END_TEST

static bool birth_of(const char *path, struct timespec *ret_birth)
{
	struct statx attr;

	ok(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, &attr));
	*ret_birth = (struct timespec){attr.stx_btime.tv_sec, attr.stx_btime.tv_nsec};
	return attr.stx_mask & STATX_BTIME;
}

/* FUSE asks since Linux 6.6. */
START_TEST(when_a_file_was_made_is_what_the_store_says)
{
	const char *const names[] = {"f", "d", "l"};
	struct timespec birth, birth_behind;
	struct stat before, after;

	if (on_foldfs() && !kernel_is(6, 6))
		skip("this kernel does not ask a FUSE file system");
	make_text("f", "x");
	ok(mkdir("d", 0700));
	ok(symlink("f", "l"));
	before = stat_of("f");
	for (int i = 0; i < 3; i++) {
		const bool known = birth_of(behind(names[i]), &birth_behind);

		ck_assert_int_eq(birth_of(names[i], &birth), known);
		ck_assert(!known || same_time(birth, birth_behind));
	}
	/* And all else is what it was: it comes with the same answer. */
	after = stat_of("f");
	ck_assert_int_eq(after.st_size, before.st_size);
	ck_assert_uint_eq(after.st_mode, before.st_mode);
	ck_assert_uint_eq(after.st_ino, before.st_ino);
	ck_assert_uint_eq(after.st_uid, before.st_uid);
	ck_assert_uint_eq(after.st_nlink, before.st_nlink);
	ck_assert_int_eq(after.st_blocks, before.st_blocks);
	ck_assert(same_time(after.st_mtim, before.st_mtim));
	ck_assert(same_time(after.st_ctim, before.st_ctim));
}
END_TEST

START_TEST(times_are_set_to_the_nanosecond)
{
	struct stat st;

	make_text("f", "x");
	ok(utimensat(AT_FDCWD, "f", past, 0));
	st = stat_of("f");
	ck_assert(same_time(st.st_atim, past[0]));
	ck_assert(same_time(st.st_mtim, past[1]));
	ck_assert(later(st.st_ctim, past[1]));
}
END_TEST

START_TEST(times_are_set_through_an_open_file)
{
	const int fd = make_file("f", 10, 1);

	ok(futimens(fd, past));
	ck_assert(same_time(fstat_of(fd).st_mtim, past[1]));
	ck_assert(same_time(stat_of("f").st_atim, past[0]));
	ck_assert(same_time(stat_of(behind("f")).st_mtim, past[1]));
}
END_TEST

START_TEST(times_are_set_through_an_open_file_that_has_no_name)
{
	const int fd = make_file("f", 10, 1);

	ok(unlink("f"));
	ok(futimens(fd, past));
	ck_assert(same_time(fstat_of(fd).st_mtim, past[1]));
}
END_TEST

START_TEST(utime_omit_leaves_a_time_alone)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
				    {.tv_sec = 77, .tv_nsec = 7}};
	struct stat st;

	make_text("f", "x");
	ok(utimensat(AT_FDCWD, "f", past, 0));
	ok(utimensat(AT_FDCWD, "f", times, 0));
	st = stat_of("f");
	ck_assert(same_time(st.st_atim, past[0]));
	ck_assert_int_eq(st.st_mtim.tv_sec, 77);
	ck_assert_int_eq(st.st_mtim.tv_nsec, 7);
}
END_TEST

START_TEST(utime_now_sets_the_present)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
	struct timespec before;
	struct stat st;

	make_text("f", "x");
	ok(utimensat(AT_FDCWD, "f", past, 0));
	clock_gettime(CLOCK_REALTIME_COARSE, &before);
	ok(utimensat(AT_FDCWD, "f", times, 0));
	st = stat_of("f");
	ck_assert(same_time(st.st_atim, past[0]));
	ck_assert(!later(before, st.st_mtim));
}
END_TEST

START_TEST(times_before_1970_are_kept)
{
	const struct timespec old[2] = {{.tv_sec = -1000, .tv_nsec = 5},
					{.tv_sec = -2000, .tv_nsec = 6}};

	make_text("f", "x");
	ok(utimensat(AT_FDCWD, "f", old, 0));
	ck_assert(same_time(stat_of("f").st_mtim, old[1]));
	ck_assert(same_time(stat_of("f").st_atim, old[0]));
}
END_TEST

START_TEST(the_times_of_a_symbolic_link_are_its_own)
{
	make_text("f", "x");
	ok(symlink("f", "link"));
	ok(utimensat(AT_FDCWD, "link", past, AT_SYMLINK_NOFOLLOW));
	ck_assert(same_time(lstat_of("link").st_mtim, past[1]));
	ck_assert(later(stat_of("f").st_mtim, past[1]));
}
END_TEST

START_TEST(a_write_moves_modification_and_change_time)
{
	const int fd = make_file("f", 10, 1);
	struct stat before, after;

	ok(futimens(fd, past));
	before = fstat_of(fd);
	sleep_ms(20);
	put_bytes(fd, 0, 1, 2);
	after = fstat_of(fd);
	ck_assert(later(after.st_mtim, before.st_mtim));
	ck_assert(later(after.st_ctim, before.st_ctim));
}
END_TEST

START_TEST(a_change_of_mode_moves_the_change_time_only)
{
	struct stat before, after;

	make_text("f", "x");
	before = stat_of("f");
	sleep_ms(20);
	ok(chmod("f", 0600));
	after = stat_of("f");
	ck_assert_uint_eq(after.st_mode, S_IFREG | 0600);
	ck_assert(same_time(after.st_mtim, before.st_mtim));
	ck_assert(later(after.st_ctim, before.st_ctim));
}
END_TEST

START_TEST(every_bit_of_the_mode_is_kept)
{
	/* The sticky bit of a file is root's on some systems, and means nothing. */
	static const mode_t modes[] = {0000, 0777, 0124, 04755, 02755, 06711};
	const int fd = make_file("f", 0, 1);

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		ok(chmod("f", modes[i]));
		ck_assert_uint_eq(stat_of("f").st_mode & 07777, modes[i]);
		ok(fchmod(fd, modes[i] ^ 0111));
		ck_assert_uint_eq(fstat_of(fd).st_mode & 07777, modes[i] ^ 0111);
	}
}
END_TEST

START_TEST(the_mode_of_a_file_without_a_name_can_be_changed)
{
	const int fd = make_file("f", 0, 1);

	ok(unlink("f"));
	ok(fchmod(fd, 0601));
	ck_assert_uint_eq(fstat_of(fd).st_mode, S_IFREG | 0601);
}
END_TEST

START_TEST(a_file_that_nobody_may_read_cannot_be_opened)
{
	make_text("f", "x");
	ok(chmod("f", 0));
	fails_with(EACCES, open("f", O_RDONLY));
	fails_with(EACCES, access("f", R_OK));
	ok(access("f", F_OK));
	ok(chmod("f", 0400));
	fails_with(EACCES, open("f", O_WRONLY));
	has_text("f", "x");
}
END_TEST

START_TEST(a_directory_without_search_permission_hides_its_files)
{
	ok(mkdir("d", 0755));
	make_text("d/f", "x");
	ok(chmod("d", 0600));
	fails_with(EACCES, open("d/f", O_RDONLY));
	ok(chmod("d", 0100));
	has_text("d/f", "x");
	fails_with(EACCES, open("d", O_RDONLY | O_DIRECTORY));
	ok(chmod("d", 0755));
}
END_TEST

START_TEST(a_stranger_s_owner_cannot_be_set)
{
	make_text("f", "x");
	fails_with(EPERM, chown("f", 0, (gid_t)-1));
	ok(chown("f", geteuid(), getegid()));
	ok(chown("f", (uid_t)-1, (gid_t)-1));
}
END_TEST

START_TEST(the_size_can_be_set_by_name_and_through_an_open_file)
{
	const int fd = make_file("f", 10000, 1);

	ok(truncate("f", 5000));
	ck_assert_int_eq(fstat_of(fd).st_size, 5000);
	ok(ftruncate(fd, 20000));
	ck_assert_int_eq(size_of("f"), 20000);
	has_bytes(fd, 0, 5000, 1);
	has_zeros(fd, 5000, 15000);
	ck_assert_int_eq(size_of(behind("f")), 20000);
}
END_TEST

START_TEST(truncation_moves_the_modification_time_even_to_the_same_size)
{
	const int fd = make_file("f", 10, 1);

	ok(futimens(fd, past));
	ok(ftruncate(fd, 10));
	ck_assert(later(fstat_of(fd).st_mtim, past[1]));
}
END_TEST

START_TEST(a_file_open_for_reading_cannot_be_truncated)
{
	make_text("f", "x");
	fails_with(EINVAL, ftruncate(ok(open("f", O_RDONLY)), 0));
	fails_with(EINVAL, truncate("f", -1));
	fails_with(EISDIR, truncate(".", 0));
}
END_TEST

START_TEST(the_number_of_blocks_follows_what_is_stored)
{
	const int fd = make_file("f", 0, 1);

	ok(ftruncate(fd, (off_t)(10 * MIB)));
	ck_assert_int_lt(fstat_of(fd).st_blocks, 100);
	put_bytes(fd, 0, MIB, 1);
	ok(fsync(fd));
	ck_assert_int_ge(fstat_of(fd).st_blocks, MIB / 512);
	ck_assert_int_lt(fstat_of(fd).st_blocks, 3 * MIB / 512);
}
END_TEST

START_TEST(statx_tells_what_stat_tells)
{
	struct statx stx;
	struct stat st;

	make_text("f", "x");
	st = stat_of("f");
	ok(statx(AT_FDCWD, "f", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &stx));
	ck_assert_uint_eq(stx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	ck_assert_uint_eq(stx.stx_ino, st.st_ino);
	ck_assert_uint_eq(makedev(stx.stx_dev_major, stx.stx_dev_minor), st.st_dev);
	ck_assert_int_eq(stx.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
}
END_TEST

START_TEST(an_inode_number_is_the_same_for_every_way_of_asking)
{
	const int fd = make_file("f", 0, 1);
	const ino_t ino = stat_of("f").st_ino;

	ck_assert_uint_eq(fstat_of(fd).st_ino, ino);
	ck_assert_uint_eq(lstat_of("./f").st_ino, ino);
	ck_assert_uint_eq(stat_of(behind("f")).st_ino, ino);
}
END_TEST

START_TEST(what_does_not_exist_is_enoent_and_what_is_no_directory_enotdir)
{
	struct stat st;

	make_text("f", "x");
	fails_with(ENOENT, stat("absent", &st));
	fails_with(ENOENT, open("absent/f", O_RDONLY));
	fails_with(ENOTDIR, stat("f/x", &st));
	fails_with(ENOENT, chmod("absent", 0644));
	fails_with(ENOENT, utimensat(AT_FDCWD, "absent", NULL, 0));
}
END_TEST

void describe(void)
{
	everyone(a_new_file_has_the_mode_less_the_umask);
	everyone(a_new_file_is_empty_has_one_link_and_the_times_of_now);
	everyone(when_a_file_was_made_is_what_the_store_says);
	everyone(times_are_set_to_the_nanosecond);
	everyone(times_are_set_through_an_open_file);
	everyone(times_are_set_through_an_open_file_that_has_no_name);
	everyone(utime_omit_leaves_a_time_alone);
	everyone(utime_now_sets_the_present);
	everyone(times_before_1970_are_kept);
	everyone(the_times_of_a_symbolic_link_are_its_own);
	everyone(a_write_moves_modification_and_change_time);
	everyone(a_change_of_mode_moves_the_change_time_only);
	everyone(every_bit_of_the_mode_is_kept);
	everyone(the_mode_of_a_file_without_a_name_can_be_changed);
	user_only(a_file_that_nobody_may_read_cannot_be_opened);
	user_only(a_directory_without_search_permission_hides_its_files);
	user_only(a_stranger_s_owner_cannot_be_set);
	everyone(the_size_can_be_set_by_name_and_through_an_open_file);
	everyone(truncation_moves_the_modification_time_even_to_the_same_size);
	everyone(a_file_open_for_reading_cannot_be_truncated);
	everyone(the_number_of_blocks_follows_what_is_stored);
	everyone(statx_tells_what_stat_tells);
	everyone(an_inode_number_is_the_same_for_every_way_of_asking);
	everyone(what_does_not_exist_is_enoent_and_what_is_no_directory_enotdir);
}
