/* SPDX-License-Identifier: MIT */
/*
 * Access times: moved by reading (once, if relatime), unless the descriptor says
 * otherwise. What a mount with noatime does is in noatime.c.
 */

#include "files.h"

static const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};

/* Nothing of it is cached above the store: made behind the mount. */
static void old_file(void)
{
	ok(close(make_file(behind("f"), 3 * PAGE, 1)));
	ok(utimensat(AT_FDCWD, behind("f"), old, 0));
}

START_TEST(reading_moves_an_old_access_time)
{
	old_file();
	has_bytes(ok(open("f", O_RDONLY)), 0, 3 * PAGE, 1);
	ck_assert_int_gt(stat_of("f").st_atim.tv_sec, 1000);
	ck_assert(same_time(stat_of("f").st_mtim, old[1]));
}
END_TEST

START_TEST(a_load_through_a_mapping_moves_an_old_access_time)
{
	old_file();
	memory_has_bytes(map_readonly(ok(open("f", O_RDONLY)), 3 * PAGE), 0, 3 * PAGE,
			 1);
	ck_assert_int_gt(stat_of("f").st_atim.tv_sec, 1000);
}
END_TEST

START_TEST(a_descriptor_opened_with_noatime_moves_nothing)
{
	old_file();
	has_bytes(ok(open("f", O_RDONLY | O_NOATIME)), 0, 3 * PAGE, 1);
	ck_assert(same_time(stat_of("f").st_atim, old[0]));
	ck_assert(same_time(stat_of(behind("f")).st_atim, old[0]));
}
END_TEST

START_TEST(asking_for_attributes_moves_nothing)
{
	old_file();
	ok(close(ok(open("f", O_RDONLY))));
	ok(access("f", R_OK));
	ck_assert(same_time(stat_of("f").st_atim, old[0]));
}
END_TEST

START_TEST(writing_moves_no_access_time)
{
	old_file();
	put_bytes(ok(open("f", O_WRONLY)), 0, 3 * PAGE, 2);
	ck_assert(same_time(stat_of("f").st_atim, old[0]));
}
END_TEST

void describe(void)
{
	everyone(reading_moves_an_old_access_time);
	everyone(a_load_through_a_mapping_moves_an_old_access_time);
	everyone(a_descriptor_opened_with_noatime_moves_nothing);
	everyone(asking_for_attributes_moves_nothing);
	everyone(writing_moves_no_access_time);
}
