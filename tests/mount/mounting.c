/* SPDX-License-Identifier: MIT */
/*
 * The mount as a mount: remounted read-only and back, bound elsewhere, and below an
 * overlay, which asks more of its upper directory than most programs do.
 */

#include "files.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static const char *mount_point(void)
{
	return getenv("FOLDFS_TEST_DIR");
}

/* Mounts made by a test go with its process. */
static void keep_mounts_private(void)
{
	ok(unshare(CLONE_NEWNS));
	ok(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

START_TEST(remounted_read_only_it_takes_no_change_until_remounted_writable)
{
	int errors[4], reader;
	char c;

	reference_lacks("directory", "is no mount of its own");
	make_text("f", "x");
	reader = ok(open("f", O_RDONLY));
	ok(mount(NULL, mount_point(), NULL, MS_REMOUNT | MS_RDONLY, NULL));
	errors[0] = open("f", O_WRONLY) == -1 ? errno : 0;
	errors[1] = mkdir("d", 0755) == -1 ? errno : 0;
	errors[2] = chmod("f", 0600) == -1 ? errno : 0;
	errors[3] = unlink("f") == -1 ? errno : 0;
	read_all(reader, &c, 1, 0);
	ok(mount(NULL, mount_point(), NULL, MS_REMOUNT, NULL));
	for (int i = 0; i < 4; i++)
		ck_assert_msg(errors[i] == EROFS, "operation %d: %s", i,
			      strerror(errors[i]));
	ok(close(ok(open("f", O_WRONLY))));
	ok(mkdir("d", 0755));
}
END_TEST

START_TEST(remounting_read_only_is_refused_while_somebody_writes)
{
	int fd, refused;

	reference_lacks("directory", "is no mount of its own");
	fd = make_file("f", 10, 1);
	refused = mount(NULL, mount_point(), NULL, MS_REMOUNT | MS_RDONLY, NULL) == -1;
	ck_assert_int_eq(errno, EBUSY);
	ck_assert(refused);
	put_bytes(fd, 10, 10, 1);
}
END_TEST

START_TEST(what_was_stored_before_a_remount_is_in_the_store)
{
	char *memory;
	int fd;

	reference_lacks("directory", "is no mount of its own");
	fd = make_file("f", PAGE, 1);
	memory = map_shared(fd, PAGE);
	memory[7] = 'X';
	ok(munmap(memory, PAGE));
	ok(close(fd));
	ok(mount(NULL, mount_point(), NULL, MS_REMOUNT | MS_RDONLY, NULL));
	ok(mount(NULL, mount_point(), NULL, MS_REMOUNT, NULL));
	{
		char c;

		read_all(ok(open(behind("f"), O_RDONLY)), &c, 1, 7);
		ck_assert_int_eq(c, 'X');
	}
}
END_TEST

START_TEST(a_part_of_it_can_be_bound_elsewhere)
{
	keep_mounts_private();
	ok(mkdir("a", 0755));
	ok(mkdir("b", 0755));
	make_text("a/f", "x");
	ok(mount("a", "b", NULL, MS_BIND, NULL));
	has_text("b/f", "x");
	make_text("b/g", "y");
	has_text("a/g", "y");
	ok(umount("b"));
}
END_TEST

/* lower/, upper/, work/ and merged/ in the test's directory, mounted. */
static void mount_overlay(void)
{
	keep_mounts_private();
	ok(mkdir("lower", 0755));
	ok(mkdir("lower/d", 0755));
	make_text("lower/old", "old");
	make_text("lower/d/f", "f");
	ok(mkdir("upper", 0755));
	ok(mkdir("work", 0755));
	ok(mkdir("merged", 0755));
	ok(mount("overlay", "merged", "overlay", 0,
		 "lowerdir=lower,upperdir=upper,workdir=work"));
}

START_TEST(an_overlay_with_its_upper_directory_here_takes_changes)
{
	mount_overlay();
	has_text("merged/old", "old");
	make_text("merged/new", "new");
	has_text("upper/new", "new");
	{
		const int fd = ok(open("merged/old", O_RDWR));

		write_all(fd, "OLD", 3, 0);
		ok(fsync(fd));
		ok(close(fd));
	}
	has_text("merged/old", "OLD");
	has_text("upper/old", "OLD");
	has_text("lower/old", "old");
	ok(umount("merged"));
}
END_TEST

START_TEST(an_overlay_hides_what_was_removed_from_it)
{
	mount_overlay();
	ok(unlink("merged/old"));
	ck_assert(!exists("merged/old"));
	ck_assert_uint_eq(lstat_of("upper/old").st_mode & S_IFMT, S_IFCHR);
	ok(unlink("merged/d/f"));
	ok(rmdir("merged/d"));
	ok(mkdir("merged/d", 0755));
	ck_assert(!exists("merged/d/f"));
	make_text("merged/d/g", "g");
	ok(umount("merged"));
	ok(unlink("upper/old"));
}
END_TEST

START_TEST(an_overlay_renames_and_keeps_attributes)
{
	char value[8];

	mount_overlay();
	ok(rename("merged/old", "merged/renamed"));
	has_text("merged/renamed", "old");
	ok(chmod("merged/renamed", 0600));
	ok(setxattr("merged/renamed", "user.a", "v", 1, 0));
	ck_assert_int_eq(ok(getxattr("upper/renamed", "user.a", value, sizeof(value))),
			 1);
	ok(link("merged/renamed", "merged/linked"));
	ck_assert_uint_eq(stat_of("merged/linked").st_nlink, 2);
	ok(umount("merged"));
	ok(unlink("upper/old"));
}
END_TEST

void describe(void)
{
	root_only(remounted_read_only_it_takes_no_change_until_remounted_writable);
	root_only(remounting_read_only_is_refused_while_somebody_writes);
	root_only(what_was_stored_before_a_remount_is_in_the_store);
	root_only(a_part_of_it_can_be_bound_elsewhere);
	root_only(an_overlay_with_its_upper_directory_here_takes_changes);
	root_only(an_overlay_hides_what_was_removed_from_it);
	root_only(an_overlay_renames_and_keeps_attributes);
}
