/* SPDX-License-Identifier: MIT */
/*
 * A store through a mapping is a change of the file: its times move, at the latest when
 * msync(2) returns, and for whoever asks.
 *
 * A tmpfs has no writeback and never notices such stores, so it is no reference here.
 */

#include "files.h"

static const struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

static void times_have_moved(int fd)
{
	ck_assert_int_gt(fstat_of(fd).st_mtim.tv_sec, 1000);
	ck_assert_int_gt(stat_of("f").st_mtim.tv_sec, 1000);
	ck_assert_int_gt(stat_of(behind("f")).st_mtim.tv_sec, 1000);
}

static int old_file(size_t len)
{
	const int fd = make_file("f", len, 1);

	reference_lacks("tmpfs", "does not notice stores through mappings");
	ok(fsync(fd));
	ok(futimens(fd, past));
	ck_assert_int_eq(fstat_of(fd).st_mtim.tv_sec, 1000);
	return fd;
}

START_TEST(times_move_after_a_store_and_msync)
{
	const int fd = old_file(PAGE);
	char *memory = map_shared(fd, PAGE);

	memory[0] = 'X';
	ok(msync(memory, PAGE, MS_SYNC));
	times_have_moved(fd);
}
END_TEST

START_TEST(times_move_for_every_store_not_only_the_first)
{
	const int fd = old_file(PAGE);
	char *memory = map_shared(fd, PAGE);

	for (int i = 0; i < 3; i++) {
		struct timespec before;

		memory[i] = 'X';
		ok(msync(memory, PAGE, MS_SYNC));
		times_have_moved(fd);
		before = fstat_of(fd).st_mtim;
		sleep_ms(20);
		memory[i + 1] = 'Y';
		ok(msync(memory, PAGE, MS_SYNC));
		ck_assert(later(fstat_of(fd).st_mtim, before));
		ok(futimens(fd, past));
	}
}
END_TEST

START_TEST(times_move_after_a_store_and_fsync)
{
	const int fd = old_file(3 * PAGE);
	char *memory = map_shared(fd, 3 * PAGE);

	memory[2 * PAGE] = 'X';
	ok(fsync(fd));
	times_have_moved(fd);
}
END_TEST

START_TEST(times_move_after_a_store_unmapping_and_closing)
{
	int fd = old_file(PAGE);
	char *memory = map_shared(fd, PAGE);

	memory[0] = 'X';
	ok(munmap(memory, PAGE));
	ok(close(fd));
	fd = ok(open("f", O_RDONLY));
	ok(fsync(fd));
	times_have_moved(fd);
}
END_TEST

START_TEST(the_change_time_moves_too)
{
	const int fd = old_file(PAGE);
	char *memory = map_shared(fd, PAGE);
	const struct timespec before = fstat_of(fd).st_ctim;

	sleep_ms(20);
	memory[0] = 'X';
	ok(msync(memory, PAGE, MS_SYNC));
	ck_assert(later(fstat_of(fd).st_ctim, before));
}
END_TEST

START_TEST(a_load_moves_nothing)
{
	const int fd = old_file(PAGE);
	char *memory = map_shared(fd, PAGE);

	memory_has_bytes(memory, 0, PAGE, 1);
	ok(msync(memory, PAGE, MS_SYNC));
	ok(munmap(memory, PAGE));
	ck_assert(same_time(fstat_of(fd).st_mtim, past[1]));
}
END_TEST

START_TEST(times_set_after_a_store_stay_as_set)
{
	const int fd = old_file(PAGE);
	char *memory = map_shared(fd, PAGE);

	memory[0] = 'X';
	ok(msync(memory, PAGE, MS_SYNC));
	ok(munmap(memory, PAGE));
	ok(futimens(fd, past));
	ok(close(fd));
	ck_assert(same_time(stat_of("f").st_mtim, past[1]));
	ck_assert(same_time(stat_of(behind("f")).st_mtim, past[1]));
}
END_TEST

START_TEST(times_set_by_cp_after_writing_stay_as_set)
{
	const int fd = make_file("f", 100000, 1);

	ok(futimens(fd, past));
	ok(close(fd));
	sleep_ms(50);
	ck_assert(same_time(stat_of("f").st_mtim, past[1]));
	ck_assert(same_time(stat_of(behind("f")).st_mtim, past[1]));
}
END_TEST

void describe(void)
{
	everyone(times_move_after_a_store_and_msync);
	everyone(times_move_for_every_store_not_only_the_first);
	everyone(times_move_after_a_store_and_fsync);
	everyone(times_move_after_a_store_unmapping_and_closing);
	everyone(the_change_time_moves_too);
	everyone(a_load_moves_nothing);
	everyone(times_set_after_a_store_stay_as_set);
	everyone(times_set_by_cp_after_writing_stay_as_set);
}
