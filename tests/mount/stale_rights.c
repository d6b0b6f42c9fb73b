/* SPDX-License-Identifier: MIT */
/*
 * Rights that have gone: what somebody may do is what the store says when he does it,
 * not what he was allowed a moment ago, or when he opened the file. Root takes the
 * right away behind the mount, so nobody has told the kernel that serves it.
 *
 * What a descriptor was opened for stays: that is POSIX's, and the last tests'.
 */

#include "files.h"

#include <grp.h>
#include <limits.h>
#include <linux/posix_acl_xattr.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#define ROOT  0
#define ALICE 1000
#define BOB   1001

#define CAPABILITY "security.capability"
#define ACCESS_ACL "system.posix_acl_access"

/* From here on this process is that user, with nothing of root's; or root again. */
static void be(uid_t user)
{
	ok(seteuid(ROOT));
	ok(setgroups(0, NULL));
	ok(setegid(user));
	ok(seteuid(user));
}

/* A file of Alice's that the kernel of the mount knows well; Alice has it open. */
static int file_of_alice(const char *name, int flags)
{
	int fd;

	be(ROOT);
	ok(chmod(".", 0755));
	fd = make_file(name, 4 * PAGE, 1);
	ok(fchown(fd, ALICE, ALICE));
	ok(fchmod(fd, 0644));
	ok(close(fd));
	be(ALICE);
	fd = ok(open(name, flags));
	ck_assert_uint_eq(fstat_of(fd).st_uid, ALICE);
	ck_assert_uint_eq(stat_of(name).st_uid, ALICE);
	return fd;
}

static void root_takes_it(const char *name, mode_t mode)
{
	be(ROOT);
	ok(chown(behind(name), ROOT, ROOT));
	ok(chmod(behind(name), mode));
	be(ALICE);
}

static struct stat in_store(const char *name)
{
	struct stat st;

	be(ROOT);
	st = lstat_of(behind(name));
	be(ALICE);
	return st;
}

/* user::rw-, user:alice:rw-, group::r--, mask::rw-, other::--- */
static size_t acl_for_alice(void *acl)
{
	static const struct posix_acl_xattr_entry entries[] = {
		{0x01, 6, UINT32_MAX}, {0x02, 6, ALICE},      {0x04, 4, UINT32_MAX},
		{0x10, 6, UINT32_MAX}, {0x20, 0, UINT32_MAX},
	};
	struct posix_acl_xattr_header *header = acl;

	header->a_version = POSIX_ACL_XATTR_VERSION;
	memcpy(header + 1, entries, sizeof(entries));
	return sizeof(*header) + sizeof(entries);
}

/* ------------------------------------------------------------- by a descriptor */

START_TEST(a_former_owner_makes_no_set_user_id_program_of_a_root_owned_file)
{
	const int fd = file_of_alice("f", O_RDWR);

	root_takes_it("f", 0755);
	fails_with(EPERM, fchmod(fd, 04755));
	ck_assert_uint_eq(in_store("f").st_mode & 07777, 0755);
	be(ROOT);
}
END_TEST

START_TEST(a_former_owner_sets_no_acl)
{
	char acl[256];
	const size_t len = acl_for_alice(acl);
	const int fd = file_of_alice("f", O_RDWR);

	root_takes_it("f", 0600);
	fails_with(EPERM, fsetxattr(fd, ACCESS_ACL, acl, len, 0));
	fails_with(EPERM, setxattr("f", ACCESS_ACL, acl, len, 0));
	fails_with(EACCES, open(behind("f"), O_RDONLY));
	be(ROOT);
}
END_TEST

START_TEST(a_former_owner_sets_no_times)
{
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};
	const int fd = file_of_alice("f", O_RDWR);

	root_takes_it("f", 0644);
	fails_with(EPERM, futimens(fd, times));
	fails_with(EACCES, futimens(fd, NULL));
	fails_with(EPERM, utimensat(AT_FDCWD, "f", times, 0));
	ck_assert_int_ne(in_store("f").st_mtim.tv_sec, 2);
	be(ROOT);
}
END_TEST

START_TEST(a_former_owner_does_not_change_the_group)
{
	const int fd = file_of_alice("f", O_RDWR);

	root_takes_it("f", 0644);
	fails_with(EPERM, fchown(fd, (uid_t)-1, ALICE));
	fails_with(EPERM, chown("f", (uid_t)-1, ALICE));
	ck_assert_uint_eq(in_store("f").st_gid, ROOT);
	be(ROOT);
}
END_TEST

START_TEST(who_may_not_write_any_more_sets_no_extended_attribute)
{
	const int fd = file_of_alice("f", O_RDWR);

	ok(fsetxattr(fd, "user.a", "1", 1, 0));
	root_takes_it("f", 0644);
	fails_with(EACCES, fsetxattr(fd, "user.a", "2", 1, 0));
	fails_with(EACCES, setxattr("f", "user.b", "2", 1, 0));
	fails_with(EACCES, fremovexattr(fd, "user.a"));
	be(ROOT);
}
END_TEST

START_TEST(who_may_not_read_any_more_reads_no_extended_attribute)
{
	const int fd = file_of_alice("f", O_RDWR);
	char value[8];

	ok(fsetxattr(fd, "user.a", "1", 1, 0));
	root_takes_it("f", 0600);
	fails_with(EACCES, fgetxattr(fd, "user.a", value, sizeof(value)));
	be(ROOT);
}
END_TEST

static void map_to_root(const char *map)
{
	const char line[] = "0 1000 1";
	const int fd = ok(open(map, O_WRONLY));

	ok(write(fd, line, sizeof(line) - 1));
	ok(close(fd));
}

/* Root there, with every capability. */
static void change_from_a_namespace(void *arg)
{
	const int fd = *(int *)arg;
	int setgroups_fd;

	if (unshare(CLONE_NEWUSER) < 0)
		skip("user namespaces are not for users here: %s", strerror(errno));
	ok(prctl(PR_SET_DUMPABLE, 1));
	setgroups_fd = ok(open("/proc/self/setgroups", O_WRONLY));
	ok(write(setgroups_fd, "deny", 4));
	ok(close(setgroups_fd));
	map_to_root("/proc/self/uid_map");
	map_to_root("/proc/self/gid_map");
	ck_assert_uint_eq(geteuid(), 0);
	fails_with(EPERM, fchmod(fd, 04755));
	fails_with(EPERM, fchown(fd, 0, 0));
	fails_with(EPERM, setxattr("f", "trusted.a", "1", 1, 0));
	fails_with(EACCES, truncate("f", 0));
}

START_TEST(a_user_who_is_root_in_a_namespace_of_his_own_is_still_that_user)
{
	int fd = file_of_alice("f", O_RDWR);

	root_takes_it("f", 0644);
	be(ROOT);
	as_somebody(ALICE, ALICE, change_from_a_namespace, &fd);
	ck_assert_uint_eq(lstat_of(behind("f")).st_mode & 07777, 0644);
}
END_TEST

/* -------------------------------------------------------------------- by path */

START_TEST(a_former_owner_changes_no_mode_by_name)
{
	ok(close(file_of_alice("f", O_RDONLY)));
	root_takes_it("f", 0755);
	fails_with(EPERM, chmod("f", 04777));
	ck_assert_uint_eq(in_store("f").st_mode & 07777, 0755);
	be(ROOT);
}
END_TEST

START_TEST(who_may_not_write_any_more_truncates_nothing)
{
	ok(close(file_of_alice("f", O_RDONLY)));
	root_takes_it("f", 0644);
	fails_with(EACCES, truncate("f", 0));
	ck_assert_int_eq(in_store("f").st_size, 4 * PAGE);
	be(ROOT);
}
END_TEST

START_TEST(who_may_not_write_any_more_changes_no_ranges)
{
	if (!on_foldfs())
		return; /* it has no operations by attribute */
	ok(close(file_of_alice("f", O_RDONLY)));
	root_takes_it("f", 0644);
	fails_with(EACCES, setxattr("f", "user.foldfs.collapse_range", "0+4096", 6, 0));
	fails_with(EACCES, setxattr("f", "user.foldfs.punch_hole", "0+4096", 6, 0));
	ck_assert_int_eq(in_store("f").st_size, 4 * PAGE);
	be(ROOT);
}
END_TEST

/* A directory that anybody may make names in, with one of Alice's files. In its place,
 * behind the mount, one of Bob's. */
static void sticky_with_another_s(const char *name)
{
	char new[PATH_MAX];
	int fd;

	be(ROOT);
	ok(mkdir("t", 01777));
	ok(chmod("t", 01777));
	be(ALICE);
	make_text(name, "Alice's");
	ck_assert_uint_eq(stat_of(name).st_uid, ALICE);
	be(ROOT);
	snprintf(new, sizeof(new), "%s", behind("t/new"));
	fd = ok(open(new, O_WRONLY | O_CREAT, 0644));
	ok(fchown(fd, BOB, BOB));
	ok(close(fd));
	ok(rename(new, behind(name)));
	be(ALICE);
}

START_TEST(in_a_sticky_directory_another_s_name_stays)
{
	sticky_with_another_s("t/f");
	fails_with(EPERM, unlink("t/f"));
	fails_with(EPERM, rename("t/f", "t/g"));
	ck_assert_uint_eq(in_store("t/f").st_uid, BOB);
	be(ROOT);
}
END_TEST

START_TEST(in_a_sticky_directory_another_s_name_is_not_replaced)
{
	sticky_with_another_s("t/f");
	make_text("t/mine", "Alice's, too");
	fails_with(EPERM, rename("t/mine", "t/f"));
	ck_assert_uint_eq(in_store("t/f").st_uid, BOB);
	be(ROOT);
}
END_TEST

START_TEST(in_a_sticky_directory_another_s_directory_stays)
{
	be(ROOT);
	ok(mkdir("t", 01777));
	ok(chmod("t", 01777));
	be(ALICE);
	ok(mkdir("t/d", 0755));
	ck_assert_uint_eq(stat_of("t/d").st_uid, ALICE);
	root_takes_it("t/d", 0755);
	fails_with(EPERM, rmdir("t/d"));
	fails_with(EPERM, rename("t/d", "t/e"));
	ck_assert_uint_eq(in_store("t/d").st_uid, ROOT);
	be(ROOT);
}
END_TEST

/* Alice's directory with a file in it, and then it is root's. */
static void directory_of_alice_taken(mode_t mode)
{
	be(ROOT);
	ok(mkdir("d", 0755));
	ok(chown("d", ALICE, ALICE));
	be(ALICE);
	make_text("d/f", "x");
	make_text("d/g", "x");
	ck_assert_uint_eq(stat_of("d").st_uid, ALICE);
	root_takes_it("d", mode);
}

START_TEST(in_a_directory_that_is_closed_nothing_new_is_made)
{
	directory_of_alice_taken(0755);
	fails_with(EACCES, open("d/new", O_WRONLY | O_CREAT, 0644));
	fails_with(EACCES, mkdir("d/new", 0755));
	fails_with(EACCES, symlink("x", "d/new"));
	fails_with(EACCES, mkfifo("d/new", 0644));
	fails_with(EACCES, link("d/f", "d/new"));
	fails_with(EACCES, rename("d/f", "d/new"));
	be(ROOT);
}
END_TEST

START_TEST(in_a_directory_that_is_closed_nothing_is_removed)
{
	directory_of_alice_taken(0755);
	fails_with(EACCES, unlink("d/f"));
	fails_with(EACCES, rename("d/f", "d/g"));
	ck_assert_uint_eq(in_store("d/f").st_nlink, 1);
	be(ROOT);
}
END_TEST

START_TEST(a_directory_that_is_closed_is_not_listed)
{
	directory_of_alice_taken(0711);
	fails_with(EACCES, open("d", O_RDONLY | O_DIRECTORY));
	be(ROOT);
}
END_TEST

/* ---------------------------------------------- nobody has asked for it, ever */

START_TEST(who_changes_no_owner_takes_nothing_from_others_programs)
{
	/* cap_net_raw+ep */
	static const unsigned char capability[20] = {1, 0, 0, 2, 0, 0x20};
	char value[32];

	be(ROOT);
	ok(chmod(".", 0755));
	ok(close(make_file("su", PAGE, 1)));
	ok(chmod("su", 04755));
	ok(setxattr("su", CAPABILITY, capability, sizeof(capability), 0));
	be(ALICE);
	fails_with(EPERM, chown("su", (uid_t)-1, (gid_t)-1));
	ck_assert_uint_eq(in_store("su").st_mode & 07777, 04755);
	be(ROOT);
	ck_assert_int_eq(ok(getxattr(behind("su"), CAPABILITY, value, sizeof(value))),
			 sizeof(capability));
	be(ROOT);
}
END_TEST

/* ------------------------------------------------------------ what stays allowed */

START_TEST(what_is_open_for_writing_can_be_written)
{
	const int fd = file_of_alice("f", O_RDWR);

	root_takes_it("f", 0600);
	write_all(fd, "xyz", 3, 0);
	ok(ftruncate(fd, PAGE));
	ck_assert_int_eq(in_store("f").st_size, PAGE);
	be(ROOT);
}
END_TEST

START_TEST(a_member_of_the_group_has_the_group_s_rights)
{
	const gid_t staff = 3000;
	char value[8];
	int fd;

	be(ROOT);
	ok(mkdir("d", 0770));
	ok(chown("d", ROOT, staff));
	ok(chmod("d", 02770));
	make_text("d/f", "x");
	ok(chmod("d/f", 0660));
	ok(setgroups(1, &staff));
	ok(setegid(ALICE));
	ok(seteuid(ALICE));
	fd = ok(open("d/f", O_RDWR));
	ok(fsetxattr(fd, "user.a", "1", 1, 0));
	ok(fgetxattr(fd, "user.a", value, sizeof(value)));
	ok(ftruncate(fd, 100));
	ok(truncate("d/f", 50));
	ok(utimensat(AT_FDCWD, "d/f", NULL, 0));
	ok(close(ok(open("d/new", O_WRONLY | O_CREAT, 0640))));
	ok(mkdir("d/dir", 0750));
	ok(rename("d/new", "d/dir/new"));
	ok(link("d/f", "d/dir/f"));
	ok(unlink("d/dir/new"));
	ok(unlink("d/dir/f"));
	ok(rmdir("d/dir"));
	ok(close(ok(open("d", O_RDONLY | O_DIRECTORY))));
	be(ROOT);
}
END_TEST

void describe(void)
{
	root_only(a_former_owner_makes_no_set_user_id_program_of_a_root_owned_file);
	root_only(a_former_owner_sets_no_acl);
	root_only(a_former_owner_sets_no_times);
	root_only(a_former_owner_does_not_change_the_group);
	root_only(who_may_not_write_any_more_sets_no_extended_attribute);
	root_only(who_may_not_read_any_more_reads_no_extended_attribute);
	root_only(a_user_who_is_root_in_a_namespace_of_his_own_is_still_that_user);
	root_only(a_former_owner_changes_no_mode_by_name);
	root_only(who_may_not_write_any_more_truncates_nothing);
	root_only(who_may_not_write_any_more_changes_no_ranges);
	root_only(in_a_sticky_directory_another_s_name_stays);
	root_only(in_a_sticky_directory_another_s_name_is_not_replaced);
	root_only(in_a_sticky_directory_another_s_directory_stays);
	root_only(in_a_directory_that_is_closed_nothing_new_is_made);
	root_only(in_a_directory_that_is_closed_nothing_is_removed);
	root_only(a_directory_that_is_closed_is_not_listed);
	root_only(who_changes_no_owner_takes_nothing_from_others_programs);
	root_only(what_is_open_for_writing_can_be_written);
	root_only(a_member_of_the_group_has_the_group_s_rights);
}
