/* SPDX-License-Identifier: MIT */
/*
 * Range operations that must be refused, and how; and what an operation does to a file
 * beside moving its bytes. As fallocate(2) does on XFS.
 */

#include <linux/fs.h>
#include <sys/ioctl.h>

#include <foldfs.h>

#include "files.h"

#define PAGES  16
#define LENGTH (PAGES * PAGE)

typedef int range_function(int fd, off_t offset, off_t len);

static void needs_collapse_and_insert(void)
{
	reference_lacks("tmpfs", "neither collapses nor inserts");
	reference_lacks("btrfs", "neither collapses nor inserts");
}

static void needs_move(void)
{
	if (!on_foldfs())
		skip("no file system of the kernel's moves ranges");
}

static void is_unchanged(int fd)
{
	ck_assert_int_eq(fstat_of(fd).st_size, LENGTH);
	has_bytes(fd, 0, LENGTH, 1);
}

/* ------------------------------------------------------------------- the range */

START_TEST(collapse_and_insert_take_whole_pages_only)
{
	static range_function *const functions[] = {foldfs_collapse_range,
						    foldfs_insert_range};
	static const off_t crooked[] = {1, 100, 511, 1000, 4095, 4097, 6000};
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	for (size_t f = 0; f < 2; f++) {
		for (size_t i = 0; i < sizeof(crooked) / sizeof(crooked[0]); i++) {
			fails_with(EINVAL, functions[f](fd, crooked[i], PAGE));
			fails_with(EINVAL, functions[f](fd, PAGE, crooked[i]));
		}
	}
	is_unchanged(fd);
}
END_TEST

START_TEST(punch_and_zero_take_any_bytes)
{
	const int fd = make_file("f", LENGTH, 1);

	reference_lacks("tmpfs", "has no FALLOC_FL_ZERO_RANGE");
	ok(foldfs_punch_hole(fd, PAGE + 100, 2 * PAGE));
	ok(foldfs_zero_range(fd, 8 * PAGE + 1, 3));
	has_bytes(fd, 0, PAGE + 100, 1);
	has_zeros(fd, PAGE + 100, 2 * PAGE);
	has_bytes(fd, 3 * PAGE + 100, 5 * PAGE - 99, 1);
	has_zeros(fd, 8 * PAGE + 1, 3);
	has_bytes(fd, 8 * PAGE + 4, LENGTH - 8 * PAGE - 4, 1);
}
END_TEST

START_TEST(punch_and_zero_past_the_end_keep_the_size)
{
	const int fd = make_file("f", LENGTH, 1);

	reference_lacks("tmpfs", "has no FALLOC_FL_ZERO_RANGE");
	ok(foldfs_punch_hole(fd, LENGTH + PAGE, PAGE));
	ok(foldfs_zero_range(fd, LENGTH + PAGE, PAGE));
	is_unchanged(fd);
	ok(foldfs_punch_hole(fd, LENGTH - PAGE, 10 * PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, LENGTH);
	has_bytes(fd, 0, LENGTH - PAGE, 1);
	has_zeros(fd, LENGTH - PAGE, PAGE);
}
END_TEST

START_TEST(a_collapse_must_end_before_the_end_of_the_file)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	fails_with(EINVAL, foldfs_collapse_range(fd, 0, LENGTH));
	fails_with(EINVAL, foldfs_collapse_range(fd, LENGTH - PAGE, PAGE));
	fails_with(EINVAL, foldfs_collapse_range(fd, LENGTH, PAGE));
	fails_with(EINVAL, foldfs_collapse_range(fd, PAGE, 1 << 30));
	is_unchanged(fd);
	ok(ftruncate(fd, LENGTH - PAGE + 1));
	ok(foldfs_collapse_range(fd, LENGTH - 2 * PAGE, PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, LENGTH - 2 * PAGE + 1);
}
END_TEST

START_TEST(an_insert_must_begin_before_the_end_of_the_file)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	fails_with(EINVAL, foldfs_insert_range(fd, LENGTH, PAGE));
	fails_with(EINVAL, foldfs_insert_range(fd, LENGTH + PAGE, PAGE));
	is_unchanged(fd);
	ok(foldfs_insert_range(fd, LENGTH - PAGE, PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, LENGTH + PAGE);
	has_zeros(fd, LENGTH - PAGE, PAGE);
}
END_TEST

START_TEST(nothing_is_inserted_into_or_taken_from_an_empty_file)
{
	const int fd = make_file("f", 0, 1);

	needs_collapse_and_insert();
	fails_with(EINVAL, foldfs_insert_range(fd, 0, PAGE));
	fails_with(EINVAL, foldfs_collapse_range(fd, 0, PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, 0);
}
END_TEST

START_TEST(an_empty_or_negative_range_is_invalid)
{
	static range_function *const functions[] = {
		foldfs_collapse_range, foldfs_insert_range, foldfs_punch_hole,
		foldfs_zero_range};
	const int fd = make_file("f", LENGTH, 1);

	reference_lacks("tmpfs", "says EOPNOTSUPP first");
	reference_lacks("btrfs", "says EOPNOTSUPP first");
	for (size_t f = 0; f < 4; f++) {
		fails_with(EINVAL, functions[f](fd, PAGE, 0));
		fails_with(EINVAL, functions[f](fd, PAGE, -(off_t)PAGE));
		fails_with(EINVAL, functions[f](fd, -(off_t)PAGE, PAGE));
	}
	is_unchanged(fd);
}
END_TEST

START_TEST(a_file_does_not_grow_past_the_limit)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	fails_with(EFBIG, foldfs_insert_range(fd, 0, INT64_MAX & ~(off_t)(PAGE - 1)));
	fails_with(EFBIG, foldfs_insert_range(fd, PAGE, INT64_MAX - LENGTH + 1));
	is_unchanged(fd);
}
END_TEST

START_TEST(a_move_takes_whole_pages_inside_the_file_that_do_not_overlap)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_move();
	fails_with(EINVAL, foldfs_move_range(fd, 100, PAGE, 4 * PAGE));
	fails_with(EINVAL, foldfs_move_range(fd, 0, 100, 4 * PAGE));
	fails_with(EINVAL, foldfs_move_range(fd, 0, PAGE, 4 * PAGE + 100));
	fails_with(EINVAL, foldfs_move_range(fd, 0, 0, 4 * PAGE));
	fails_with(EINVAL, foldfs_move_range(fd, -(off_t)PAGE, PAGE, 4 * PAGE));
	fails_with(EINVAL, foldfs_move_range(fd, 0, PAGE, -(off_t)PAGE));
	fails_with(EINVAL, foldfs_move_range(fd, 0, 2 * PAGE, PAGE));
	fails_with(EINVAL, foldfs_move_range(fd, PAGE, 2 * PAGE, 0));
	fails_with(EINVAL, foldfs_move_range(fd, PAGE, PAGE, PAGE));
	fails_with(EINVAL, foldfs_move_range(fd, LENGTH, PAGE, 0));
	fails_with(EINVAL, foldfs_move_range(fd, 0, PAGE, LENGTH));
	fails_with(EINVAL, foldfs_move_range(fd, 0, 2 * PAGE, LENGTH - PAGE));
	fails_with(EINVAL, foldfs_move_range(fd, 0, 1 << 30, LENGTH / 2));
	is_unchanged(fd);
	ok(foldfs_move_range(fd, 0, LENGTH / 2, LENGTH / 2));
	has_zeros(fd, 0, LENGTH / 2);
}
END_TEST

/* -------------------------------------------------------------- the descriptor */

START_TEST(a_descriptor_that_is_not_writable_is_refused)
{
	static range_function *const functions[] = {
		foldfs_collapse_range, foldfs_insert_range, foldfs_punch_hole,
		foldfs_zero_range};
	const int fd = make_file("f", LENGTH, 1);
	const int read_only = ok(open("f", O_RDONLY));
	const int path_only = ok(open("f", O_PATH));

	reference_lacks("tmpfs", "says EOPNOTSUPP first");
	reference_lacks("btrfs", "says EOPNOTSUPP first");
	for (size_t f = 0; f < 4; f++) {
		fails_with(EBADF, functions[f](read_only, PAGE, PAGE));
		fails_with(EBADF, functions[f](path_only, PAGE, PAGE));
		fails_with(EBADF, functions[f](-1, PAGE, PAGE));
	}
	fails_with(EBADF, foldfs_move_range(read_only, 0, PAGE, PAGE));
	fails_with(EBADF, foldfs_move_range(-1, 0, PAGE, PAGE));
	is_unchanged(fd);
}
END_TEST

START_TEST(a_write_only_descriptor_is_enough)
{
	const int fd = make_file("f", LENGTH, 1);
	const int write_only = ok(open("f", O_WRONLY));

	needs_collapse_and_insert();
	ok(foldfs_collapse_range(write_only, PAGE, PAGE));
	ok(foldfs_insert_range(write_only, PAGE, PAGE));
	has_zeros(fd, PAGE, PAGE);
}
END_TEST

START_TEST(a_file_that_may_be_written_but_not_read_will_do)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	ok(fchmod(fd, 0200));
	ok(foldfs_collapse_range(fd, PAGE, PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, LENGTH - PAGE);
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused)
{
	int fd;

	ok(mkdir("d", 0755));
	ok(mkfifo("p", 0644));
	fd = ok(open("d", O_RDONLY));
	fails_with(EBADF, foldfs_punch_hole(fd, 0, PAGE));
	fd = ok(open("p", O_RDWR));
	fails_with(ESPIPE, foldfs_punch_hole(fd, 0, PAGE));
	fd = ok(open("/dev/null", O_RDWR));
	fails_with(ENODEV, foldfs_punch_hole(fd, 0, PAGE));
}
END_TEST

/* Where foldfs differs: its operations are attributes, so the file's mode is looked at
 * again, and what was opened in time no longer helps. <foldfs.h> says so. */
START_TEST(a_file_made_read_only_since_is_refused_on_foldfs_alone)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	ok(fchmod(fd, 0444));
	if (on_foldfs())
		fails_with(EACCES, foldfs_collapse_range(fd, PAGE, PAGE));
	else
		ok(foldfs_collapse_range(fd, PAGE, PAGE));
}
END_TEST

/* Behind the mount, as chattr(1) would: one of the two flags, or none. */
static void set_flag(const char *name, int flag)
{
	const int fd = ok(open(behind(name), O_RDONLY));
	int flags;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == -1)
		skip("the store has no file flags: %s", strerror(errno));
	flags = (flags & ~(FS_APPEND_FL | FS_IMMUTABLE_FL)) | flag;
	ok(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	ok(close(fd));
}

START_TEST(append_only_and_immutable_files_are_left_alone)
{
	static range_function *const functions[] = {
		foldfs_collapse_range, foldfs_insert_range, foldfs_punch_hole,
		foldfs_zero_range};
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	ok(fsync(fd));
	set_flag("f", FS_APPEND_FL);
	for (size_t f = 0; f < 4; f++)
		fails_with(EPERM, functions[f](fd, PAGE, PAGE));
	if (on_foldfs())
		fails_with(EPERM, foldfs_move_range(fd, 0, PAGE, PAGE));
	set_flag("f", FS_IMMUTABLE_FL);
	for (size_t f = 0; f < 4; f++)
		fails_with(EPERM, functions[f](fd, PAGE, PAGE));
	if (on_foldfs())
		fails_with(EPERM, foldfs_move_range(fd, 0, PAGE, PAGE));
	set_flag("f", 0);
	is_unchanged(fd);
}
END_TEST

/* ---------------------------------------------------------- beside the bytes */

START_TEST(success_leaves_errno_alone)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	errno = ENOTTY;
	ok(foldfs_collapse_range(fd, PAGE, PAGE));
	ok(foldfs_insert_range(fd, PAGE, PAGE));
	ok(foldfs_punch_hole(fd, PAGE, PAGE));
	ck_assert_int_eq(foldfs_is_mount(fd) > 0, on_foldfs());
	ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

START_TEST(it_can_be_asked_who_serves_a_file)
{
	const int fd = make_file("f", LENGTH, 1);
	const int directory = ok(open(".", O_RDONLY));

	ck_assert_int_eq(foldfs_is_mount(fd),
			 on_foldfs() ? FOLDFS_PROTOCOL_VERSION : 0);
	ck_assert_int_eq(foldfs_is_mount(directory),
			 on_foldfs() ? FOLDFS_PROTOCOL_VERSION : 0);
	fails_with(EBADF, foldfs_is_mount(-1));
}
END_TEST

START_TEST(an_operation_changes_mtime_and_ctime)
{
	const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	const int fd = make_file("f", LENGTH, 1);
	struct stat before, after;

	needs_collapse_and_insert();
	ok(futimens(fd, past));
	before = fstat_of(fd);
	sleep_ms(20);
	ok(foldfs_collapse_range(fd, PAGE, PAGE));
	after = fstat_of(fd);
	ck_assert(later(after.st_mtim, before.st_mtim));
	ck_assert(later(after.st_ctim, before.st_ctim));
	ok(futimens(fd, past));
	ok(foldfs_insert_range(fd, PAGE, PAGE));
	ck_assert(later(fstat_of(fd).st_mtim, before.st_mtim));
	ok(futimens(fd, past));
	ok(foldfs_punch_hole(fd, 4 * PAGE, PAGE));
	ck_assert(later(fstat_of(fd).st_mtim, before.st_mtim));
}
END_TEST

START_TEST(an_operation_clears_the_set_id_bits)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	ok(fchmod(fd, 06755));
	ok(foldfs_collapse_range(fd, PAGE, PAGE));
	ck_assert_int_eq(fstat_of(fd).st_mode & 07777, 0755);
	ok(fchmod(fd, 06755));
	ok(foldfs_insert_range(fd, PAGE, PAGE));
	ck_assert_int_eq(fstat_of(fd).st_mode & 07777, 0755);
}
END_TEST

START_TEST(the_gap_of_an_insert_is_a_hole)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	ok(foldfs_insert_range(fd, 4 * PAGE, 32 * PAGE));
	ok(fsync(fd));
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_HOLE)), 4 * PAGE);
	ck_assert_int_eq(ok(lseek(fd, 4 * PAGE, SEEK_DATA)), 36 * PAGE);
}
END_TEST

START_TEST(a_moved_range_leaves_a_hole)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_move();
	ok(foldfs_move_range(fd, 4 * PAGE, 4 * PAGE, 10 * PAGE));
	ok(fsync(fd));
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_HOLE)), 4 * PAGE);
	ck_assert_int_eq(ok(lseek(fd, 4 * PAGE, SEEK_DATA)), 8 * PAGE);
	ck_assert_int_eq(fstat_of(fd).st_size, LENGTH);
}
END_TEST

START_TEST(holes_move_as_holes)
{
	const int fd = make_file("f", LENGTH, 1);

	needs_collapse_and_insert();
	ok(foldfs_punch_hole(fd, 8 * PAGE, 4 * PAGE));
	ok(foldfs_collapse_range(fd, PAGE, 2 * PAGE));
	ok(fsync(fd));
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_HOLE)), 6 * PAGE);
	ck_assert_int_eq(ok(lseek(fd, 6 * PAGE, SEEK_DATA)), 10 * PAGE);
}
END_TEST

void describe(void)
{
	everyone(collapse_and_insert_take_whole_pages_only);
	everyone(punch_and_zero_take_any_bytes);
	everyone(punch_and_zero_past_the_end_keep_the_size);
	everyone(a_collapse_must_end_before_the_end_of_the_file);
	everyone(an_insert_must_begin_before_the_end_of_the_file);
	everyone(nothing_is_inserted_into_or_taken_from_an_empty_file);
	everyone(an_empty_or_negative_range_is_invalid);
	everyone(a_file_does_not_grow_past_the_limit);
	everyone(a_move_takes_whole_pages_inside_the_file_that_do_not_overlap);
	everyone(a_descriptor_that_is_not_writable_is_refused);
	everyone(a_write_only_descriptor_is_enough);
	everyone(a_file_that_may_be_written_but_not_read_will_do);
	everyone(what_is_no_regular_file_is_refused);
	user_only(a_file_made_read_only_since_is_refused_on_foldfs_alone);
	root_only(append_only_and_immutable_files_are_left_alone);
	everyone(success_leaves_errno_alone);
	everyone(it_can_be_asked_who_serves_a_file);
	everyone(an_operation_changes_mtime_and_ctime);
	user_only(an_operation_clears_the_set_id_bits);
	everyone(the_gap_of_an_insert_is_a_hole);
	everyone(a_moved_range_leaves_a_hole);
	everyone(holes_move_as_holes);
}
