/* SPDX-License-Identifier: MIT */
/*
 * POSIX ACLs: kept, joined with the mode, inherited, and enforced.
 *
 * setfacl(1) writes the same bytes as these tests do; the layout is the kernel's
 * <linux/posix_acl_xattr.h>.
 */

#include "files.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/xattr.h>

#define ACCESS	"system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

#define ALICE 1000
#define BOB   1001

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[6];
	unsigned count;
};

static struct acl empty_acl(void)
{
	return (struct acl){.header.a_version = POSIX_ACL_XATTR_VERSION};
}

static void add(struct acl *acl, unsigned short tag, unsigned short perm, unsigned id)
{
	acl->entries[acl->count++] = (struct posix_acl_xattr_entry){
		.e_tag = tag, .e_perm = perm, .e_id = id};
}

static size_t acl_size(const struct acl *acl)
{
	return sizeof(acl->header) + acl->count * sizeof(*acl->entries);
}

/* user::rw- user:ID:PERM group::r-- mask::MASK other::--- */
static struct acl naming_user(unsigned id, unsigned short perm, unsigned short mask)
{
	struct acl acl = empty_acl();

	add(&acl, ACL_USER_OBJ, 6, (unsigned)ACL_UNDEFINED_ID);
	add(&acl, ACL_USER, perm, id);
	add(&acl, ACL_GROUP_OBJ, 4, (unsigned)ACL_UNDEFINED_ID);
	add(&acl, ACL_MASK, mask, (unsigned)ACL_UNDEFINED_ID);
	add(&acl, ACL_OTHER, 0, (unsigned)ACL_UNDEFINED_ID);
	return acl;
}

static struct acl minimal(unsigned short user, unsigned short group,
			  unsigned short other)
{
	struct acl acl = empty_acl();

	add(&acl, ACL_USER_OBJ, user, (unsigned)ACL_UNDEFINED_ID);
	add(&acl, ACL_GROUP_OBJ, group, (unsigned)ACL_UNDEFINED_ID);
	add(&acl, ACL_OTHER, other, (unsigned)ACL_UNDEFINED_ID);
	return acl;
}

static int set_acl(const char *file, const char *kind, struct acl acl)
{
	return setxattr(file, kind, &acl, acl_size(&acl), 0);
}

static void acl_is(const char *file, const char *kind, struct acl acl)
{
	struct acl found;
	const ssize_t size = ok(getxattr(file, kind, &found, sizeof(found)));

	ck_assert_int_eq(size, (ssize_t)acl_size(&acl));
	ck_assert_mem_eq(&found, &acl, (size_t)size);
}

static void has_no_acl(const char *file, const char *kind)
{
	char buf[100];

	fails_with(ENODATA, getxattr(file, kind, buf, sizeof(buf)));
}

START_TEST(an_acl_is_kept_and_shows_in_the_mode)
{
	const struct acl acl = naming_user(ALICE, 6, 6);

	make_text("f", "x");
	ok(set_acl("f", ACCESS, acl));
	acl_is("f", ACCESS, acl);
	acl_is(behind("f"), ACCESS, acl);
	ck_assert_uint_eq(stat_of("f").st_mode & 0777, 0660);
}
END_TEST

START_TEST(a_change_of_mode_changes_the_mask_of_the_acl)
{
	make_text("f", "x");
	ok(set_acl("f", ACCESS, naming_user(ALICE, 6, 6)));
	ok(chmod("f", 0640));
	acl_is("f", ACCESS, naming_user(ALICE, 6, 4));
	acl_is(behind("f"), ACCESS, naming_user(ALICE, 6, 4));
}
END_TEST

START_TEST(an_acl_that_says_no_more_than_a_mode_becomes_one)
{
	make_text("f", "x");
	ok(set_acl("f", ACCESS, minimal(6, 4, 4)));
	has_no_acl("f", ACCESS);
	ok(set_acl("f", ACCESS, minimal(7, 5, 0)));
	ck_assert_uint_eq(stat_of("f").st_mode & 0777, 0750);
}
END_TEST

START_TEST(a_removed_acl_is_gone_for_the_mode_to_decide)
{
	make_text("f", "x");
	ok(set_acl("f", ACCESS, naming_user(ALICE, 6, 6)));
	ok(removexattr("f", ACCESS));
	has_no_acl("f", ACCESS);
	has_no_acl(behind("f"), ACCESS);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	struct acl acl = naming_user(ALICE, 6, 6);

	make_text("f", "x");
	acl.entries[0].e_tag = 0x77;
	fails_with(EINVAL, set_acl("f", ACCESS, acl));
	acl = naming_user(ALICE, 6, 6);
	acl.header.a_version = 99;
	fails_with(EOPNOTSUPP, set_acl("f", ACCESS, acl));
	acl = naming_user(ALICE, 6, 6);
	acl.count = 2;
	fails_with(EINVAL, set_acl("f", ACCESS, acl));
	fails_with(EACCES, set_acl("f", DEFAULT, naming_user(ALICE, 6, 6)));
}
END_TEST

START_TEST(a_directory_s_default_acl_is_inherited_in_place_of_the_umask)
{
	struct acl acl = naming_user(ALICE, 7, 7);

	ok(mkdir("d", 0755));
	ok(set_acl("d", DEFAULT, acl));
	acl_is("d", DEFAULT, acl);
	umask(077);
	ok(close(ok(open("d/f", O_CREAT | O_WRONLY, 0666))));
	ok(mkdir("d/sub", 0777));
	ok(mkfifo("d/fifo", 0666));
	acl_is("d/sub", DEFAULT, acl);
	acl_is("d/sub", ACCESS, acl);
	/* The mode asked for narrows the mask and the owner's entry. */
	acl_is("d/f", ACCESS, naming_user(ALICE, 7, 6));
	acl_is("d/fifo", ACCESS, naming_user(ALICE, 7, 6));
	ck_assert_uint_eq(stat_of("d/f").st_mode & 0777, 0660);
	ck_assert_uint_eq(stat_of("d/sub").st_mode & 0777, 0670);
	has_no_acl("d/f", "user.none");
}
END_TEST

START_TEST(a_removed_default_acl_is_inherited_no_more)
{
	ok(mkdir("d", 0755));
	ok(set_acl("d", DEFAULT, naming_user(ALICE, 7, 7)));
	ok(removexattr("d", DEFAULT));
	make_text("d/f", "x");
	has_no_acl("d/f", ACCESS);
	ck_assert_uint_eq(stat_of("d/f").st_mode & 0777, 0644);
}
END_TEST

static void reads_and_writes(void *arg)
{
	(void)arg;
	write_all(ok(open("f", O_RDWR)), "y", 1, 0);
}

static void reads_only(void *arg)
{
	(void)arg;
	ok(close(ok(open("f", O_RDONLY))));
	fails_with(EACCES, open("f", O_WRONLY));
}

static void does_not_read(void *arg)
{
	(void)arg;
	fails_with(EACCES, open("f", O_RDONLY));
	fails_with(EPERM, set_acl("f", ACCESS, naming_user(BOB, 6, 6)));
}

START_TEST(a_named_user_gets_what_his_entry_says_and_others_do_not)
{
	make_text("f", "x");
	ok(set_acl("f", ACCESS, naming_user(ALICE, 6, 6)));
	as_somebody(ALICE, ALICE, reads_and_writes, NULL);
	as_somebody(BOB, BOB, does_not_read, NULL);
}
END_TEST

START_TEST(the_mask_limits_what_entries_say)
{
	make_text("f", "x");
	ok(set_acl("f", ACCESS, naming_user(ALICE, 6, 4)));
	as_somebody(ALICE, ALICE, reads_only, NULL);
	ok(chmod("f", 0660));
	as_somebody(ALICE, ALICE, reads_and_writes, NULL);
}
END_TEST

START_TEST(a_user_can_be_shut_out_where_others_may_enter)
{
	struct acl acl = naming_user(ALICE, 0, 6);

	make_text("f", "x");
	acl.entries[4].e_perm = 4;
	ok(set_acl("f", ACCESS, acl));
	as_somebody(ALICE, ALICE, does_not_read, NULL);
	as_somebody(BOB, BOB, reads_only, NULL);
}
END_TEST

static void make_f(void *arg)
{
	(void)arg;
	umask(077);
	ok(close(ok(open("f", O_CREAT | O_WRONLY, 0666))));
}

START_TEST(what_a_stranger_makes_inherits_and_is_enforced)
{
	struct acl acl = naming_user(BOB, 6, 6);

	ok(chmod(".", 0777));
	ok(set_acl(".", DEFAULT, acl));
	as_somebody(ALICE, ALICE, make_f, NULL);
	ck_assert_uint_eq(stat_of("f").st_uid, ALICE);
	as_somebody(BOB, BOB, reads_and_writes, NULL);
	as_somebody(BOB + 1, BOB + 1, does_not_read, NULL);
}
END_TEST

static void set_id_is_lost(void *arg)
{
	(void)arg;
	ok(set_acl("f", ACCESS, naming_user(BOB, 6, 6)));
	ck_assert_uint_eq(stat_of("f").st_mode & 02000, 0);
}

START_TEST(an_acl_set_by_a_stranger_to_the_group_clears_the_set_group_id_bit)
{
	make_text("f", "x");
	ok(chown("f", ALICE, 3000));
	ok(chmod("f", 02755));
	as_somebody(ALICE, ALICE, set_id_is_lost, NULL);
}
END_TEST

void describe(void)
{
	everyone(an_acl_is_kept_and_shows_in_the_mode);
	everyone(a_change_of_mode_changes_the_mask_of_the_acl);
	everyone(an_acl_that_says_no_more_than_a_mode_becomes_one);
	everyone(a_removed_acl_is_gone_for_the_mode_to_decide);
	everyone(nonsense_is_refused);
	everyone(a_directory_s_default_acl_is_inherited_in_place_of_the_umask);
	everyone(a_removed_default_acl_is_inherited_no_more);
	root_only(a_named_user_gets_what_his_entry_says_and_others_do_not);
	root_only(the_mask_limits_what_entries_say);
	root_only(a_user_can_be_shut_out_where_others_may_enter);
	root_only(what_a_stranger_makes_inherits_and_is_enforced);
	root_only(an_acl_set_by_a_stranger_to_the_group_clears_the_set_group_id_bit);
}
