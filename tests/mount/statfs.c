/* SPDX-License-Identifier: MIT */
/*
 * statfs(2): the store's figures, since the store is where space runs out.
 */

#include "files.h"

#include <sys/statvfs.h>

START_TEST(the_figures_are_those_of_the_store)
{
	struct statvfs mount, store;

	ok(statvfs(".", &mount));
	ok(statvfs(behind("."), &store));
	ck_assert_uint_eq(mount.f_frsize, store.f_frsize);
	ck_assert_uint_eq(mount.f_blocks, store.f_blocks);
	ck_assert_uint_eq(mount.f_files, store.f_files);
	ck_assert_uint_eq(mount.f_namemax, 255);
	ck_assert_uint_le(mount.f_bavail, mount.f_blocks);
}
END_TEST

START_TEST(they_can_be_asked_through_any_file)
{
	const int fd = make_file("f", 10, 1);
	struct statvfs by_name, by_file;

	ok(statvfs(".", &by_name));
	ok(fstatvfs(fd, &by_file));
	ck_assert_uint_eq(by_name.f_blocks, by_file.f_blocks);
	ok(unlink("f"));
	ok(fstatvfs(fd, &by_file));
	ck_assert_uint_eq(by_name.f_blocks, by_file.f_blocks);
}
END_TEST

START_TEST(the_mount_gives_no_more_rights_than_fusermount_does)
{
	struct statvfs mount;

	ok(statvfs(".", &mount));
	if (on_foldfs())
		ck_assert_uint_eq(mount.f_flag & (ST_NOSUID | ST_NODEV),
				  ST_NOSUID | ST_NODEV);
}
END_TEST

void describe(void)
{
	everyone(the_figures_are_those_of_the_store);
	everyone(they_can_be_asked_through_any_file);
	user_only(the_mount_gives_no_more_rights_than_fusermount_does);
}
