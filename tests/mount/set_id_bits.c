/* SPDX-License-Identifier: MIT */
/*
 * Set-user-id and set-group-id bits do not survive a change of the file by anybody who
 * is not privileged, the owner included: whatever the change is made with.
 */

#include "files.h"

#include <grp.h>
#include <sys/xattr.h>

/* A file of the test's own user, or in the root run of user 1000, with both bits. */
static int program(void)
{
	const int fd = ok(open("f", O_RDWR | O_CREAT | O_EXCL, 0666));

	put_bytes(fd, 0, 4 * PAGE, 1);
	ok(fchmod(fd, 06777));
	ck_assert_uint_eq(fstat_of(fd).st_mode & 07777, 06777);
	return fd;
}

static void bits_are_gone(int fd)
{
	ck_assert_uint_eq(fstat_of(fd).st_mode & 07777, 0777);
	ck_assert_uint_eq(stat_of("f").st_mode & 07777, 0777);
	ck_assert_uint_eq(stat_of(behind("f")).st_mode & 07777, 0777);
}

static void write_plainly(int fd)
{
	write_all(fd, "x", 1, 0);
}

static void write_directly(int fd)
{
	void *buf;

	ck_assert_int_eq(posix_memalign(&buf, PAGE, PAGE), 0);
	memset(buf, 'x', PAGE);
	ok(fcntl(fd, F_SETFL, O_DIRECT));
	ck_assert_int_eq(ok(pwrite(fd, buf, PAGE, 0)), PAGE);
}

static void append_directly(int fd)
{
	void *buf;

	ck_assert_int_eq(posix_memalign(&buf, PAGE, PAGE), 0);
	memset(buf, 'x', PAGE);
	ok(fcntl(fd, F_SETFL, O_DIRECT));
	ck_assert_int_eq(ok(pwrite(fd, buf, PAGE, 4 * PAGE)), PAGE);
}

static void truncate_it(int fd)
{
	ok(ftruncate(fd, 100));
}

static void open_and_truncate_it(int fd)
{
	(void)fd;
	ok(close(ok(open("f", O_WRONLY | O_TRUNC))));
}

static void allocate(int fd)
{
	ok(fallocate(fd, 0, 0, 10 * PAGE));
}

static void punch(int fd)
{
	ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
}

static void zero(int fd)
{
	ok(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, PAGE));
}

static void copy_into_it(int fd)
{
	const int from = make_file("from", PAGE, 2);
	off_t in = 0, out = 0;

	ck_assert_int_eq(ok(copy_file_range(from, &in, fd, &out, PAGE, 0)), PAGE);
}

struct change {
	void (*by)(int fd);
};

/* In the root run by user 1001, who may write the file of user 1000. */
static void change_as_stranger(void *arg)
{
	const struct change *change = arg;
	const int fd = ok(open("f", O_RDWR));

	change->by(fd);
	bits_are_gone(fd);
}

static void program_of_1000(void *arg)
{
	(void)arg;
	ok(close(program()));
}

static void clears_the_bits(void (*by)(int fd))
{
	struct change change = {by};

	if (geteuid() == 0) {
		ok(chmod(".", 0777));
		as_somebody(1000, 1000, program_of_1000, NULL);
		as_somebody(1001, 1001, change_as_stranger, &change);
	} else {
		const int fd = program();

		by(fd);
		bits_are_gone(fd);
	}
}

START_TEST(a_write_clears_them)
{
	clears_the_bits(write_plainly);
}
END_TEST

START_TEST(a_direct_write_clears_them)
{
	clears_the_bits(write_directly);
}
END_TEST

START_TEST(a_direct_write_past_the_end_clears_them)
{
	clears_the_bits(append_directly);
}
END_TEST

START_TEST(truncation_clears_them)
{
	clears_the_bits(truncate_it);
}
END_TEST

START_TEST(opening_with_trunc_clears_them)
{
	clears_the_bits(open_and_truncate_it);
}
END_TEST

START_TEST(fallocate_clears_them)
{
	reference_lacks("tmpfs", "keeps them on fallocate");
	clears_the_bits(allocate);
}
END_TEST

START_TEST(punching_a_hole_clears_them)
{
	reference_lacks("tmpfs", "keeps them on fallocate");
	clears_the_bits(punch);
}
END_TEST

START_TEST(zeroing_a_range_clears_them)
{
	reference_lacks("tmpfs", "has no ZERO_RANGE");
	needs_zero_range();
	clears_the_bits(zero);
}
END_TEST

START_TEST(copying_a_range_into_the_file_clears_them)
{
	clears_the_bits(copy_into_it);
}
END_TEST

START_TEST(every_write_clears_them_again)
{
	const int fd = ok(open("f", O_RDWR | O_CREAT | O_EXCL, 0666));

	for (int i = 0; i < 3; i++) {
		ok(fchmod(fd, 06777));
		write_all(fd, "x", 1, i);
		bits_are_gone(fd);
	}
}
END_TEST

START_TEST(set_group_id_without_group_execution_marks_nothing_and_stays)
{
	const int fd = make_file("f", 100, 1);

	ok(fchmod(fd, 02644));
	write_all(fd, "x", 1, 0);
	ck_assert_uint_eq(fstat_of(fd).st_mode & 07777, 02644);
}
END_TEST

/* ------------------------------------- set-group-id without group execution, as root
 */

#define GROUP 3000

struct member {
	gid_t first, other; /* group */
	void (*by)(int fd);
};

static void change_as_member(void *arg)
{
	const struct member *member = arg;

	ok(setgroups(1, &member->other));
	ok(setresgid(member->first, member->first, member->first));
	ok(setresuid(1001, 1001, 1001));
	member->by(ok(open("f", O_RDWR)));
}

/* The mode alone, as stat(1) asks for it: nothing else that has changed makes the
 * kernel look again. */
static mode_t bits_of(const char *path)
{
	struct statx attr;

	ok(statx(AT_FDCWD, path, 0, STATX_MODE, &attr));
	return attr.stx_mode & 07777;
}

/* What every change leaves of `before`, the mode of a file of group GROUP. */
static void leaves(gid_t first, gid_t other, mode_t before, mode_t after,
		   void (*const changes[])(int fd), size_t n)
{
	ok(chmod(".", 0777));
	for (size_t i = 0; i < n; i++) {
		struct member member = {first, other, changes[i]};

		ok(close(make_file("f", 4 * PAGE, 1)));
		ok(chown("f", 1000, GROUP));
		ok(chmod("f", before));
		as_somebody(0, 0, change_as_member, &member);
		ck_assert_msg(bits_of("f") == after, "change %zu left %o", i,
			      bits_of("f"));
		ck_assert_uint_eq(bits_of(behind("f")), after);
		ok(unlink("f"));
		if (changes[i] == copy_into_it)
			ok(unlink("from"));
	}
}

static void (*const writers[])(int fd) = {
	write_plainly, write_directly, truncate_it, open_and_truncate_it, copy_into_it,
};
static void (*const allocators[])(int fd) = {allocate, punch, zero};

#define LEAVES(first, other, before, after, changes)                                   \
	leaves(first, other, before, after, changes,                                   \
	       sizeof(changes) / sizeof(*(changes)))

START_TEST(members_of_the_group_keep_a_set_group_id_bit_that_marks_nothing)
{
	LEAVES(GROUP, 1001, 02666, 02666, writers);
	LEAVES(1001, GROUP, 02666, 02666, writers);
	LEAVES(GROUP, 1001, 06666, 02666, writers);
}
END_TEST

START_TEST(others_lose_it)
{
	LEAVES(1001, 1001, 02666, 0666, writers);
	LEAVES(1001, 1001, 06666, 0666, writers);
}
END_TEST

START_TEST(fallocate_lets_members_of_the_group_keep_it)
{
	reference_lacks("tmpfs", "keeps all of them on fallocate");
	LEAVES(GROUP, 1001, 06666, 02666, allocators);
	LEAVES(1001, GROUP, 02666, 02666, allocators);
}
END_TEST

START_TEST(fallocate_lets_others_lose_it)
{
	reference_lacks("tmpfs", "keeps all of them on fallocate");
	LEAVES(1001, 1001, 02666, 0666, allocators);
	LEAVES(1001, 1001, 06666, 0666, allocators);
}
END_TEST

START_TEST(a_change_of_owner_clears_them)
{
	const int fd = program();

	ok(fchown(fd, geteuid(), getegid()));
	bits_are_gone(fd);
}
END_TEST

START_TEST(reading_keeps_them)
{
	const int fd = program();

	has_bytes(fd, 0, 4 * PAGE, 1);
	ck_assert_uint_eq(fstat_of(fd).st_mode & 07777, 06777);
}
END_TEST

START_TEST(root_s_own_writes_keep_them)
{
	const int fd = program();

	write_plainly(fd);
	ck_assert_uint_eq(fstat_of(fd).st_mode & 07777, 06777);
	write_directly(fd);
	ck_assert_uint_eq(fstat_of(fd).st_mode & 07777, 06777);
}
END_TEST

static void write_and_see_no_capability(void *arg)
{
	char value[64];

	(void)arg;
	write_all(ok(open("f", O_RDWR)), "x", 1, 0);
	fails_with(ENODATA, getxattr("f", "security.capability", value, sizeof(value)));
}

START_TEST(a_stranger_s_write_clears_file_capabilities)
{
	/* struct vfs_cap_data, revision 2: CAP_NET_RAW permitted and effective. */
	static const unsigned char raw[20] = {0x01, 0x00, 0x00, 0x02, 0x00, 0x20};

	ok(chmod(".", 0777));
	as_somebody(1000, 1000, program_of_1000, NULL);
	ok(setxattr("f", "security.capability", raw, sizeof(raw), 0));
	as_somebody(1001, 1001, write_and_see_no_capability, NULL);
}
END_TEST

void describe(void)
{
	everyone(a_write_clears_them);
	everyone(a_direct_write_clears_them);
	everyone(a_direct_write_past_the_end_clears_them);
	everyone(truncation_clears_them);
	everyone(opening_with_trunc_clears_them);
	everyone(fallocate_clears_them);
	everyone(punching_a_hole_clears_them);
	everyone(zeroing_a_range_clears_them);
	everyone(copying_a_range_into_the_file_clears_them);
	user_only(every_write_clears_them_again);
	user_only(set_group_id_without_group_execution_marks_nothing_and_stays);
	root_only(members_of_the_group_keep_a_set_group_id_bit_that_marks_nothing);
	root_only(others_lose_it);
	root_only(fallocate_lets_members_of_the_group_keep_it);
	root_only(fallocate_lets_others_lose_it);
	user_only(a_change_of_owner_clears_them);
	everyone(reading_keeps_them);
	root_only(root_s_own_writes_keep_them);
	root_only(a_stranger_s_write_clears_file_capabilities);
}
