/* SPDX-License-Identifier: MIT */
/*
 * copy_file_range(2): what it copies is what a reader would have seen, and what it
 * writes is what a reader sees.
 */

#include "files.h"

static ssize_t copy(int from, off_t in, int to, off_t out, size_t len)
{
	return copy_file_range(from, &in, to, &out, len, 0);
}

START_TEST(a_range_is_copied_and_both_positions_move)
{
	const int from = make_file("from", 100000, 1);
	const int to = make_file("to", 0, 1);
	off_t in = 1000, out = 500;

	ck_assert_int_eq(ok(copy_file_range(from, &in, to, &out, 50000, 0)), 50000);
	ck_assert_int_eq(in, 51000);
	ck_assert_int_eq(out, 50500);
	ck_assert_int_eq(fstat_of(to).st_size, 50500);
	has_zeros(to, 0, 500);
	{
		char *bytes = map_readonly(to, 50500);

		memory_has_bytes(bytes + 500, 1000, 50000, 1);
	}
}
END_TEST

START_TEST(stores_not_yet_written_back_are_copied)
{
	const int from = make_file("from", 4 * PAGE, 1);
	const int to = make_file("to", 0, 1);
	char *memory = map_shared(from, 4 * PAGE);

	memory[2 * PAGE + 3] = 'X';
	ck_assert_int_eq(ok(copy(from, 0, to, 0, 4 * PAGE)), 4 * PAGE);
	memory_has_bytes(map_readonly(to, 4 * PAGE), 0, 2 * PAGE + 3, 1);
	ck_assert_int_eq(map_readonly(to, 4 * PAGE)[2 * PAGE + 3], 'X');
}
END_TEST

START_TEST(what_was_cached_of_the_destination_is_replaced)
{
	const int from = make_file("from", 4 * PAGE, 1);
	const int to = make_file("to", 8 * PAGE, 2);
	char *memory = map_shared(to, 8 * PAGE);

	memory_has_bytes(memory, 0, 8 * PAGE, 2);
	memory[2 * PAGE] = 'X';
	ck_assert_int_eq(ok(copy(from, 0, to, 0, 4 * PAGE)), 4 * PAGE);
	memory_has_bytes(memory, 0, 4 * PAGE, 1);
	memory_has_bytes(memory + 4 * PAGE, 4 * PAGE, 4 * PAGE, 2);
	has_bytes(to, 0, 4 * PAGE, 1);
}
END_TEST

START_TEST(a_copy_ends_at_the_end_of_the_source)
{
	const int from = make_file("from", 1000, 1);
	const int to = make_file("to", 0, 1);

	ck_assert_int_eq(ok(copy(from, 600, to, 600, 5000)), 400);
	ck_assert_int_eq(ok(copy(from, 1000, to, 0, 5000)), 0);
	ck_assert_int_eq(ok(copy(from, 5000, to, 0, 5000)), 0);
	ck_assert_int_eq(fstat_of(to).st_size, 1000);
}
END_TEST

START_TEST(a_file_is_copied_onto_another_part_of_itself)
{
	const int fd = make_file("f", 8 * PAGE, 1);

	ck_assert_int_eq(ok(copy(fd, 0, fd, 4 * PAGE, 2 * PAGE)), 2 * PAGE);
	memory_has_bytes(map_readonly(fd, 8 * PAGE) + 4 * PAGE, 0, 2 * PAGE, 1);
	fails_with(EINVAL, copy(fd, 0, fd, PAGE, 2 * PAGE));
}
END_TEST

START_TEST(a_large_copy_is_whole)
{
	const int from = make_file("from", 20 * MIB + 123, 1);
	const int to = make_file("to", 0, 1);
	off_t in = 0, out = 0;

	while (out < (off_t)(20 * MIB + 123))
		ck_assert_int_gt(ok(copy_file_range(from, &in, to, &out, 64 * MIB, 0)),
				 0);
	has_bytes(to, 0, 20 * MIB + 123, 1);
}
END_TEST

START_TEST(holes_past_the_data_are_copied_as_zeros)
{
	const int from = make_file("from", PAGE, 1);
	const int to = make_file("to", 10 * PAGE, 2);
	off_t in = 0, out = 0;

	ok(ftruncate(from, 10 * PAGE));
	while (out < (off_t)(10 * PAGE))
		ck_assert_int_gt(ok(copy_file_range(from, &in, to, &out, 10 * PAGE, 0)),
				 0);
	has_bytes(to, 0, PAGE, 1);
	has_zeros(to, PAGE, 9 * PAGE);
}
END_TEST

START_TEST(descriptors_must_allow_it)
{
	const int from = make_file("from", 1000, 1);
	const int to = make_file("to", 1000, 1);
	const int reader = ok(open("to", O_RDONLY));
	const int writer = ok(open("from", O_WRONLY));
	const int appender = ok(open("to", O_WRONLY | O_APPEND));
	const int directory = ok(open(".", O_RDONLY));

	fails_with(EBADF, copy(from, 0, reader, 0, 10));
	fails_with(EBADF, copy(writer, 0, to, 0, 10));
	fails_with(EBADF, copy(from, 0, appender, 0, 10));
	fails_with(EISDIR, copy(directory, 0, to, 0, 10));
}
END_TEST

void describe(void)
{
	everyone(a_range_is_copied_and_both_positions_move);
	everyone(stores_not_yet_written_back_are_copied);
	everyone(what_was_cached_of_the_destination_is_replaced);
	everyone(a_copy_ends_at_the_end_of_the_source);
	everyone(a_file_is_copied_onto_another_part_of_itself);
	everyone(a_large_copy_is_whole);
	everyone(holes_past_the_data_are_copied_as_zeros);
	everyone(descriptors_must_allow_it);
}
