/* SPDX-License-Identifier: MIT */
/*
 * Opening a file after the right to it has gone behind the mount: refused, also if
 * somebody else has the file open just so, and the store's descriptor is there already.
 * And files that chattr(1) has made immutable, or good for nothing but appending to.
 */

#include "files.h"

#include <grp.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#define ROOT  0
#define ALICE 1000

static void be(uid_t user)
{
	ok(seteuid(ROOT));
	ok(setgroups(0, NULL));
	ok(setegid(user));
	ok(seteuid(user));
}

/* Root has a file open for reading and writing, for all of the test. */
static void file_in_use(mode_t mode)
{
	be(ROOT);
	ok(chmod(".", 0755));
	make_file("f", 4 * PAGE, 1);
	ok(chmod("f", mode));
	be(ALICE);
	ok(close(ok(open("f", mode & 2 ? O_RDWR : O_RDONLY))));
	be(ROOT);
}

static void change_mode_behind(mode_t mode)
{
	be(ROOT);
	ok(chmod(behind("f"), mode));
	be(ALICE);
}

START_TEST(who_may_not_read_any_more_does_not_open)
{
	file_in_use(0644);
	change_mode_behind(0600);
	fails_with(EACCES, open("f", O_RDONLY));
	be(ROOT);
}
END_TEST

START_TEST(who_may_not_write_any_more_does_not_open)
{
	file_in_use(0666);
	change_mode_behind(0644);
	fails_with(EACCES, open("f", O_WRONLY));
	fails_with(EACCES, open("f", O_RDWR));
	fails_with(EACCES, open("f", O_WRONLY | O_APPEND));
	ok(close(ok(open("f", O_RDONLY))));
	be(ROOT);
}
END_TEST

START_TEST(who_may_not_write_any_more_does_not_truncate)
{
	file_in_use(0666);
	change_mode_behind(0644);
	fails_with(EACCES, open("f", O_WRONLY | O_TRUNC));
	fails_with(EACCES, open("f", O_RDONLY | O_TRUNC));
	be(ROOT);
	ck_assert_int_eq(lstat_of(behind("f")).st_size, 4 * PAGE);
	be(ROOT);
}
END_TEST

START_TEST(who_may_execute_a_file_need_not_read_it)
{
	const int from = ok(open("/bin/true", O_RDONLY));
	int to;

	be(ROOT);
	ok(chmod(".", 0755));
	to = ok(open("true", O_WRONLY | O_CREAT, 0711));
	for (char buf[65536];;) {
		const ssize_t n = ok(read(from, buf, sizeof(buf)));

		if (n == 0)
			break;
		ok(write(to, buf, (size_t)n));
	}
	ok(fchmod(to, 0711));
	ok(close(to));
	be(ALICE);
	fails_with(EACCES, open("true", O_RDONLY));
	ck_assert_int_eq(system("./true"), 0);
	be(ROOT);
}
END_TEST

/* ------------------------------------------------------------------- chattr */

static int flag_now;

static void set_flags(int flag)
{
	int fd, flags;

	be(ROOT);
	fd = ok(open(behind("f"), O_RDONLY));
	ok(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags = (flags & ~flag_now) | flag;
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
		ck_abort_msg("chattr: %s", strerror(errno));
	flag_now = flag;
	ok(close(fd));
}

/* Or the next test could not clean up. */
static void flags_off(void)
{
	set_flags(0);
}

START_TEST(an_immutable_file_takes_no_further_writers)
{
	file_in_use(0666);
	set_flags(FS_IMMUTABLE_FL);
	be(ALICE);
	fails_with(EPERM, open("f", O_WRONLY));
	fails_with(EPERM, open("f", O_RDWR | O_APPEND));
	fails_with(EPERM, open("f", O_WRONLY | O_TRUNC));
	fails_with(EPERM, truncate("f", 0));
	be(ROOT);
	fails_with(EPERM, open("f", O_WRONLY));
	fails_with(EPERM, chmod("f", 0600));
	fails_with(EPERM, unlink("f"));
	flags_off();
	be(ALICE);
	ok(close(ok(open("f", O_WRONLY))));
	be(ROOT);
}
END_TEST

START_TEST(an_append_only_file_is_not_overwritten_by_who_comes_later)
{
	file_in_use(0666);
	set_flags(FS_APPEND_FL);
	be(ALICE);
	fails_with(EPERM, open("f", O_WRONLY));
	fails_with(EPERM, open("f", O_RDWR));
	fails_with(EPERM, open("f", O_WRONLY | O_APPEND | O_TRUNC));
	fails_with(EPERM, truncate("f", 0));
	flags_off();
	ck_assert_int_eq(lstat_of(behind("f")).st_size, 4 * PAGE);
	be(ALICE);
	ok(close(ok(open("f", O_RDWR))));
	be(ROOT);
}
END_TEST

/* Alice's log, with nobody at it. */
static void make_log(void)
{
	be(ROOT);
	ok(chmod(".", 0777));
	make_text("f", "one\n");
	ok(chmod("f", 0666));
	set_flags(FS_APPEND_FL);
	be(ALICE);
}

START_TEST(an_append_only_file_is_appended_to)
{
	int fd;

	make_log();
	fd = ok(open("f", O_WRONLY | O_APPEND));
	ck_assert_int_eq(ok(write(fd, "two\n", 4)), 4);
	ok(close(fd));
	fd = ok(open("f", O_RDWR | O_APPEND));
	ck_assert_int_eq(ok(write(fd, "three\n", 6)), 6);
	has_text("f", "one\ntwo\nthree\n");
	ok(fsync(fd));
	ok(close(fd));
	has_text(behind("f"), "one\ntwo\nthree\n");
	flags_off();
}
END_TEST

START_TEST(an_append_only_file_is_not_overwritten)
{
	make_log();
	fails_with(EPERM, open("f", O_WRONLY));
	fails_with(EPERM, open("f", O_RDWR));
	fails_with(EPERM, open("f", O_WRONLY | O_APPEND | O_TRUNC));
	fails_with(EPERM, truncate("f", 1));
	fails_with(EPERM, unlink("f"));
	fails_with(EPERM, rename("f", "g"));
	has_text("f", "one\n");
	flags_off();
}
END_TEST

START_TEST(what_was_append_only_can_be_overwritten)
{
	int appending, fd;

	make_log();
	appending = ok(open("f", O_WRONLY | O_APPEND));
	ck_assert_int_eq(ok(write(appending, "two\n", 4)), 4);
	flags_off();
	be(ALICE);
	fd = ok(open("f", O_RDWR));
	write_all(fd, "ONE", 3, 0);
	ck_assert_int_eq(ok(write(appending, "three\n", 6)), 6);
	has_text("f", "ONE\ntwo\nthree\n");
	ok(fsync(fd));
	has_text(behind("f"), "ONE\ntwo\nthree\n");
	be(ROOT);
}
END_TEST

void describe(void)
{
	root_only(who_may_not_read_any_more_does_not_open);
	root_only(who_may_not_write_any_more_does_not_open);
	root_only(who_may_not_write_any_more_does_not_truncate);
	root_only(who_may_execute_a_file_need_not_read_it);
	root_only(an_immutable_file_takes_no_further_writers);
	root_only(an_append_only_file_is_not_overwritten_by_who_comes_later);
	root_only(an_append_only_file_is_appended_to);
	root_only(an_append_only_file_is_not_overwritten);
	root_only(what_was_append_only_can_be_overwritten);
}
