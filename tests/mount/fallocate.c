/* SPDX-License-Identifier: MIT */
/*
 * fallocate(2): plain, KEEP_SIZE, PUNCH_HOLE and ZERO_RANGE, whatever the store below
 * can do by itself; and what is refused.
 */

#include "files.h"

#define KEEP  FALLOC_FL_KEEP_SIZE
#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO  FALLOC_FL_ZERO_RANGE

START_TEST(plain_allocation_extends_the_file_with_zeros)
{
	const int fd = make_file("f", 100, 1);

	ok(fallocate(fd, 0, 50, 10000));
	ck_assert_int_eq(fstat_of(fd).st_size, 10050);
	ck_assert_int_eq(size_of(behind("f")), 10050);
	ck_assert_int_ge(fstat_of(fd).st_blocks, 10050 / 512);
	has_bytes(fd, 0, 100, 1);
	has_zeros(fd, 100, 9950);
}
END_TEST

START_TEST(plain_allocation_inside_the_file_changes_no_byte)
{
	const int fd = make_file("f", 100000, 1);

	ok(fallocate(fd, 0, 1000, 50000));
	ck_assert_int_eq(fstat_of(fd).st_size, 100000);
	has_bytes(fd, 0, 100000, 1);
}
END_TEST

START_TEST(keep_size_reserves_space_and_leaves_the_size)
{
	const int fd = make_file("f", 100, 1);

	if (store_is("ext3")) {
		/* A file without extents has no blocks past its end. */
		fails_with(EOPNOTSUPP, fallocate(fd, KEEP, 0, MIB));
		ck_assert_int_eq(fstat_of(fd).st_size, 100);
		return;
	}
	ok(fallocate(fd, KEEP, 0, MIB));
	ck_assert_int_eq(fstat_of(fd).st_size, 100);
	ck_assert_int_ge(fstat_of(fd).st_blocks, MIB / 512);
	has_bytes(fd, 0, 100, 1);
}
END_TEST

START_TEST(a_punched_hole_reads_as_zeros_and_frees_space)
{
	const int fd = make_file("f", MIB, 1);
	blkcnt_t before;

	ok(fsync(fd));
	before = fstat_of(fd).st_blocks;
	ok(fallocate(fd, PUNCH, 64 * KIB, 512 * KIB));
	ck_assert_int_eq(fstat_of(fd).st_size, MIB);
	ck_assert_int_lt(fstat_of(fd).st_blocks, before - 256 * (int)KIB / 512);
	has_bytes(fd, 0, 64 * KIB, 1);
	has_zeros(fd, 64 * KIB, 512 * KIB);
	has_bytes(fd, 576 * KIB, 448 * KIB, 1);
}
END_TEST

START_TEST(a_hole_need_not_begin_or_end_at_a_page)
{
	const int fd = make_file("f", 5 * PAGE, 1);

	ok(fallocate(fd, PUNCH, 100, 3 * PAGE + 7));
	has_bytes(fd, 0, 100, 1);
	has_zeros(fd, 100, 3 * PAGE + 7);
	has_bytes(fd, 3 * PAGE + 107, 2 * PAGE - 107, 1);
}
END_TEST

START_TEST(a_hole_past_the_end_changes_nothing)
{
	const int fd = make_file("f", 1000, 1);

	ok(fallocate(fd, PUNCH, PAGE, PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, 1000);
	ok(fallocate(fd, PUNCH, 500, 10 * PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, 1000);
	has_bytes(fd, 0, 500, 1);
	has_zeros(fd, 500, 500);
}
END_TEST

START_TEST(a_hole_is_seen_by_shared_mappings_and_by_private_ones_that_copied_nothing)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	char *shared = map_shared(fd, 4 * PAGE);
	char *private = map_private(fd, 4 * PAGE);

	memory_has_bytes(shared, 0, 4 * PAGE, 1);
	memory_has_bytes(private, 0, 4 * PAGE, 1);
	private[2 * PAGE] = 'X';
	ok(fallocate(fd, PUNCH, PAGE, 2 * PAGE));
	memory_has_zeros(shared + PAGE, 2 * PAGE);
	memory_has_zeros(private + PAGE, PAGE);
	ck_assert_int_eq(private[2 * PAGE], 'X');
	memory_has_bytes(private + 2 * PAGE + 1, 2 * PAGE + 1, PAGE - 1, 1);
	memory_has_bytes(shared + 3 * PAGE, 3 * PAGE, PAGE, 1);
}
END_TEST

START_TEST(stores_not_yet_written_back_are_punched_too)
{
	const int fd = make_file("f", 8 * PAGE, 1);
	char *memory = map_shared(fd, 8 * PAGE);

	for (size_t i = 0; i < 8; i++)
		memory[i * PAGE + 5] = 'X';
	ok(fallocate(fd, PUNCH, 2 * PAGE, 4 * PAGE));
	ok(msync(memory, 8 * PAGE, MS_SYNC));
	has_zeros(fd, 2 * PAGE, 4 * PAGE);
	ck_assert_int_eq(memory[PAGE + 5], 'X');
	ck_assert_int_eq(memory[6 * PAGE + 5], 'X');
}
END_TEST

START_TEST(a_zeroed_range_reads_as_zeros_and_may_extend_the_file)
{
	const int fd = make_file("f", 5 * PAGE, 1);

	reference_lacks("tmpfs", "has no ZERO_RANGE");
	needs_zero_range();
	ok(fallocate(fd, ZERO, PAGE + 10, PAGE));
	has_bytes(fd, 0, PAGE + 10, 1);
	has_zeros(fd, PAGE + 10, PAGE);
	has_bytes(fd, 2 * PAGE + 10, 3 * PAGE - 10, 1);
	ok(fallocate(fd, ZERO, 4 * PAGE, 4 * PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, 8 * PAGE);
	has_zeros(fd, 4 * PAGE, 4 * PAGE);
	ck_assert_int_eq(size_of(behind("f")), 8 * PAGE);
}
END_TEST

START_TEST(a_zeroed_range_may_leave_the_size)
{
	const int fd = make_file("f", 5 * PAGE, 1);
	char *memory = map_shared(fd, 5 * PAGE);

	reference_lacks("tmpfs", "has no ZERO_RANGE");
	needs_zero_range();
	memory_has_bytes(memory, 0, 5 * PAGE, 1);
	ok(fallocate(fd, ZERO | KEEP, 4 * PAGE, 4 * PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, 5 * PAGE);
	memory_has_zeros(memory + 4 * PAGE, PAGE);
	memory_has_bytes(memory, 0, 4 * PAGE, 1);
}
END_TEST

START_TEST(every_change_moves_the_times)
{
	static const int modes[] = {0, KEEP, PUNCH};
	const struct timespec past[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
	const int fd = make_file("f", 5 * PAGE, 1);

	reference_lacks("tmpfs", "leaves the times on a plain allocation");
	for (size_t i = 0; i < 3; i++) {
		ok(futimens(fd, past));
		ok(fallocate(fd, modes[i], PAGE, 8 * PAGE));
		ck_assert_msg(fstat_of(fd).st_mtim.tv_sec > 1, "mode %#x", modes[i]);
	}
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	const int fd = make_file("f", PAGE, 1);
	int reader, fifo;

	fails_with(EINVAL, fallocate(fd, 0, 0, 0));
	fails_with(EINVAL, fallocate(fd, 0, -1, 10));
	fails_with(EINVAL, fallocate(fd, 0, 0, -1));
	fails_with(EFBIG, fallocate(fd, 0, INT64_MAX - 10, 11));
	fails_with(EOPNOTSUPP, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE));
	fails_with(EOPNOTSUPP, fallocate(fd, 0x4000, 0, PAGE));
	reader = ok(open("f", O_RDONLY));
	fails_with(EBADF, fallocate(reader, 0, 0, PAGE));
	ok(mkfifo("fifo", 0644));
	fifo = ok(open("fifo", O_RDWR));
	fails_with(ESPIPE, fallocate(fifo, 0, 0, PAGE));
}
END_TEST

/* Written as zeros where the store cannot do it: what is there must not be. */
START_TEST(allocating_over_holes_and_data_keeps_the_data)
{
	const int fd = make_file("f", 2 * PAGE, 1);

	ok(ftruncate(fd, 20 * PAGE));
	put_bytes(fd, 10 * PAGE, PAGE, 2);
	ok(fallocate(fd, 0, 100, 40 * PAGE));
	ck_assert_int_eq(fstat_of(fd).st_size, 40 * PAGE + 100);
	ck_assert_int_ge(fstat_of(fd).st_blocks, 40 * PAGE / 512);
	has_bytes(fd, 0, 2 * PAGE, 1);
	has_zeros(fd, 2 * PAGE, 8 * PAGE);
	has_bytes(fd, 10 * PAGE, PAGE, 2);
	has_zeros(fd, 11 * PAGE, 29 * PAGE + 100);
}
END_TEST

START_TEST(posix_fallocate_is_served)
{
	const int fd = make_file("f", 0, 1);

	ck_assert_int_eq(posix_fallocate(fd, 0, 100000), 0);
	ck_assert_int_eq(fstat_of(fd).st_size, 100000);
	has_zeros(fd, 0, 100000);
}
END_TEST

void describe(void)
{
	everyone(plain_allocation_extends_the_file_with_zeros);
	everyone(plain_allocation_inside_the_file_changes_no_byte);
	everyone(keep_size_reserves_space_and_leaves_the_size);
	everyone(a_punched_hole_reads_as_zeros_and_frees_space);
	everyone(a_hole_need_not_begin_or_end_at_a_page);
	everyone(a_hole_past_the_end_changes_nothing);
	everyone(
		a_hole_is_seen_by_shared_mappings_and_by_private_ones_that_copied_nothing);
	everyone(stores_not_yet_written_back_are_punched_too);
	everyone(a_zeroed_range_reads_as_zeros_and_may_extend_the_file);
	everyone(a_zeroed_range_may_leave_the_size);
	everyone(every_change_moves_the_times);
	everyone(what_makes_no_sense_is_refused);
	everyone(allocating_over_holes_and_data_keeps_the_data);
	everyone(posix_fallocate_is_served);
}
