/* SPDX-License-Identifier: MIT */
/*
 * Whom new files belong to, and who may do what, on a mount that several users share:
 * as if the caller had worked in the store himself, never as if the daemon had.
 */

#include "files.h"

#include <grp.h>
#include <sys/stat.h>

#define ALICE 1000
#define BOB   1001

static void belongs_to(const char *name, uid_t uid, gid_t gid)
{
	const struct stat st = lstat_of(name);
	const struct stat store = lstat_of(behind(name));

	ck_assert_msg(st.st_uid == uid && st.st_gid == gid, "%s belongs to %u:%u", name,
		      st.st_uid, st.st_gid);
	ck_assert_msg(store.st_uid == uid && store.st_gid == gid,
		      "in the store, %s belongs to %u:%u", name, store.st_uid,
		      store.st_gid);
}

static void make_one_of_each(void *arg)
{
	(void)arg;
	make_text("file", "x");
	ok(mkdir("directory", 0755));
	ok(symlink("x", "link"));
	ok(mkfifo("fifo", 0644));
	ok(mknod("socket", S_IFSOCK | 0644, 0));
}

START_TEST(new_files_belong_to_who_makes_them)
{
	static const char *const names[] = {"file", "directory", "link", "fifo",
					    "socket"};

	ok(chmod(".", 0777));
	as_somebody(ALICE, ALICE + 5, make_one_of_each, NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		belongs_to(names[i], ALICE, ALICE + 5);
}
END_TEST

START_TEST(in_a_set_group_id_directory_they_belong_to_its_group)
{
	ok(chown(".", 0, 3000));
	ok(chmod(".", 02777));
	as_somebody(ALICE, ALICE, make_one_of_each, NULL);
	belongs_to("file", ALICE, 3000);
	belongs_to("directory", ALICE, 3000);
	ck_assert_uint_eq(stat_of("directory").st_mode & 07777, 02755);
	belongs_to("link", ALICE, 3000);
}
END_TEST

static void with_umasks(void *arg)
{
	(void)arg;
	umask(0);
	ok(close(ok(open("u000", O_CREAT | O_WRONLY, 0666))));
	umask(077);
	ok(close(ok(open("u077", O_CREAT | O_WRONLY, 0666))));
	ok(mkdir("d077", 0777));
}

START_TEST(the_maker_s_umask_counts_not_the_daemon_s)
{
	ok(chmod(".", 0777));
	as_somebody(ALICE, ALICE, with_umasks, NULL);
	ck_assert_uint_eq(stat_of("u000").st_mode & 07777, 0666);
	ck_assert_uint_eq(stat_of("u077").st_mode & 07777, 0600);
	ck_assert_uint_eq(stat_of("d077").st_mode & 07777, 0700);
}
END_TEST

static void is_refused_everything(void *arg)
{
	(void)arg;
	fails_with(EACCES, open("secret", O_RDONLY));
	fails_with(EACCES, open("secret", O_WRONLY));
	fails_with(EACCES, truncate("secret", 0));
	fails_with(EPERM, chmod("secret", 0777));
	fails_with(EPERM, chown("secret", BOB, BOB));
	fails_with(EACCES, utimensat(AT_FDCWD, "secret", NULL, 0));
	fails_with(EACCES, unlink("secret"));
	fails_with(EACCES, rename("secret", "mine"));
	fails_with(EACCES, open("new", O_CREAT | O_WRONLY, 0644));
	fails_with(EACCES, mkdir("new", 0755));
	fails_with(EACCES, symlink("x", "new"));
	fails_with(EACCES, open("closed/f", O_RDONLY));
}

static void keep_a_secret(void *arg)
{
	(void)arg;
	make_text("secret", "x");
	ok(chmod("secret", 0600));
	ok(mkdir("closed", 0700));
	make_text("closed/f", "x");
}

START_TEST(a_stranger_gets_no_further_than_the_modes_let_him)
{
	ok(chmod(".", 0777));
	as_somebody(ALICE, ALICE, keep_a_secret, NULL);
	ok(chmod(".", 0755));
	as_somebody(BOB, BOB, is_refused_everything, NULL);
	has_text("secret", "x");
}
END_TEST

static void cannot_remove_it(void *arg)
{
	(void)arg;
	fails_with(EPERM, unlink("secret"));
	fails_with(EPERM, rename("secret", "mine"));
	make_text("mine", "x");
	ok(unlink("mine"));
}

START_TEST(a_sticky_directory_protects_other_people_s_names)
{
	ok(chmod(".", 01777));
	as_somebody(ALICE, ALICE, keep_a_secret, NULL);
	as_somebody(BOB, BOB, cannot_remove_it, NULL);
}
END_TEST

static void reads_by_group(void *arg)
{
	(void)arg;
	has_text("shared", "x");
	fails_with(EACCES, open("shared", O_WRONLY));
}

static void reads_by_supplementary_group(void *arg)
{
	const gid_t groups[] = {3000};
	const pid_t child = ok(fork());

	if (child == 0) {
		ok(setgroups(1, groups));
		ok(setresgid(BOB, BOB, BOB));
		ok(setresuid(BOB, BOB, BOB));
		reads_by_group(arg);
		_exit(0);
	}
	finish(child);
}

START_TEST(groups_count_supplementary_ones_too)
{
	make_text("shared", "x");
	ok(chown("shared", ALICE, 3000));
	ok(chmod("shared", 0640));
	as_somebody(BOB, 3000, reads_by_group, NULL);
	reads_by_supplementary_group(NULL);
}
END_TEST

START_TEST(root_gives_files_away)
{
	const int fd = make_file("f", 10, 1);

	ok(chown("f", ALICE, BOB));
	belongs_to("f", ALICE, BOB);
	ok(fchown(fd, BOB, (gid_t)-1));
	belongs_to("f", BOB, BOB);
	ok(symlink("f", "link"));
	ok(lchown("link", ALICE, ALICE));
	belongs_to("link", ALICE, ALICE);
	belongs_to("f", BOB, BOB);
}
END_TEST

static void change_group_within_reach(void *arg)
{
	(void)arg;
	fails_with(EPERM, chown("f", ALICE, 3000));
	fails_with(EPERM, chown("f", BOB, ALICE));
	ok(chown("f", ALICE, ALICE));
}

START_TEST(an_owner_gives_a_file_only_to_groups_of_his_own)
{
	make_text("f", "x");
	ok(chown("f", ALICE, ALICE));
	as_somebody(ALICE, ALICE, change_group_within_reach, NULL);
}
END_TEST

static void set_group_id_is_lost(void *arg)
{
	(void)arg;
	ok(chmod("f", 02755));
	ck_assert_uint_eq(stat_of("f").st_mode & 07777, 0755);
}

START_TEST(who_is_not_of_a_file_s_group_cannot_set_its_group_id_bit)
{
	make_text("f", "x");
	ok(chown("f", ALICE, 3000));
	as_somebody(ALICE, ALICE, set_group_id_is_lost, NULL);
}
END_TEST

static void write_log(void *arg)
{
	const int fd = ok(open("log", O_WRONLY | O_APPEND));

	(void)arg;
	for (int i = 0; i < 100; i++)
		ok(write(fd, "line\n", 5));
}

START_TEST(several_users_write_one_file)
{
	make_text("log", "");
	ok(chmod("log", 0666));
	as_somebody(ALICE, ALICE, write_log, NULL);
	as_somebody(BOB, BOB, write_log, NULL);
	ck_assert_int_eq(size_of("log"), 1000);
	belongs_to("log", 0, 0);
}
END_TEST

START_TEST(root_makes_device_nodes)
{
	ok(mknod("null", S_IFCHR | 0666, 0x103));
	ck_assert_uint_eq(lstat_of("null").st_mode, S_IFCHR | 0644);
	ck_assert_uint_eq(lstat_of("null").st_rdev, 0x103);
	ck_assert_uint_eq(lstat_of(behind("null")).st_rdev, 0x103);
}
END_TEST

void describe(void)
{
	root_only(new_files_belong_to_who_makes_them);
	root_only(in_a_set_group_id_directory_they_belong_to_its_group);
	root_only(the_maker_s_umask_counts_not_the_daemon_s);
	root_only(a_stranger_gets_no_further_than_the_modes_let_him);
	root_only(a_sticky_directory_protects_other_people_s_names);
	root_only(groups_count_supplementary_ones_too);
	root_only(root_gives_files_away);
	root_only(an_owner_gives_a_file_only_to_groups_of_his_own);
	root_only(who_is_not_of_a_file_s_group_cannot_set_its_group_id_bit);
	root_only(several_users_write_one_file);
	root_only(root_makes_device_nodes);
}
