/* SPDX-License-Identifier: MIT */
/*
 * Credentials without the kernel, which is a record of what a thread has: a step that
 * it has no memory for changes nothing, and setfsuid(2) and setfsgid(2) do not even say
 * so.
 */

#include <check.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caller.h"
#include "credentials.h"
#include "inode_table.h"
#include "log.h"

#define USER  1000
#define GROUP 2000
#define MORE  3000
#define EVER  UINT32_MAX

static struct daemon daemon_;
static struct fuse_ctx ctx;

/* What the thread has, and how many of the next steps of a kind have no memory. */
static struct {
	uid_t uid;
	gid_t gid;
	size_t groups;
	uint32_t caps; /* effective */
} has;
static unsigned fail_uid, fail_gid, fail_groups, fail_no_groups, fail_caps;

/* ------------------------------------------------ in place of the kernel, and others
 */

static bool fails(unsigned *left)
{
	if (*left == 0)
		return false;
	if (*left != EVER)
		--*left;
	return true;
}

int setfsuid(uid_t uid)
{
	const uid_t before = has.uid;

	if (uid != (uid_t)-1 && !fails(&fail_uid))
		has.uid = uid;
	return (int)before;
}

int setfsgid(gid_t gid)
{
	const gid_t before = has.gid;

	if (gid != (gid_t)-1 && !fails(&fail_gid))
		has.gid = gid;
	return (int)before;
}

static long no_memory(void)
{
	errno = ENOMEM;
	return -1;
}

long syscall(long number, ...)
{
	struct __user_cap_data_struct *caps;
	long result = 0;
	size_t groups;
	va_list args;

	va_start(args, number);
	switch (number) {
	case SYS_capget:
		(void)va_arg(args, void *);
		caps = va_arg(args, struct __user_cap_data_struct *);
		caps[0] = (struct __user_cap_data_struct){has.caps, UINT32_MAX, 0};
		caps[1] = (struct __user_cap_data_struct){0};
		break;
	case SYS_capset:
		(void)va_arg(args, void *);
		caps = va_arg(args, struct __user_cap_data_struct *);
		if (fails(&fail_caps))
			result = no_memory();
		else
			has.caps = caps[0].effective;
		break;
	case SYS_setgroups:
		groups = va_arg(args, size_t);
		if (fails(groups > 0 ? &fail_groups : &fail_no_groups))
			result = no_memory();
		else
			has.groups = groups;
		break;
	default:
		ck_abort_msg("system call %ld", number);
	}
	va_end(args);
	return result;
}

gid_t getegid(void)
{
	return 0;
}

void *fuse_req_userdata(fuse_req_t req)
{
	(void)req;
	return &daemon_;
}

const struct fuse_ctx *fuse_req_ctx(fuse_req_t req)
{
	(void)req;
	return &ctx;
}

bool caller_look_up(fuse_req_t req, struct caller *ret_caller)
{
	(void)req;
	ret_caller->group_count = 1;
	ret_caller->groups[0] = MORE;
	ret_caller->caps = UINT64_C(1) << CAP_DAC_OVERRIDE;
	return true;
}

void log_msg(int level, const char *format, ...)
{
	(void)level;
	(void)format;
}

/* ------------------------------------------------------------------------- the tests
 */

#define OURS (UINT32_C(1) << CAP_SETUID)

static void setup(void)
{
	daemon_.privileged = true;
	ctx = (struct fuse_ctx){.uid = USER, .gid = GROUP, .pid = 1};
	has.caps = OURS;
}

static void assert_ours(void)
{
	ck_assert_uint_eq(has.uid, 0);
	ck_assert_uint_eq(has.gid, 0);
	ck_assert_uint_eq(has.groups, 0);
	ck_assert_uint_eq(has.caps, OURS);
}

static void enter_and_leave(enum credentials_extent extent)
{
	ck_assert_int_eq(credentials_enter(NULL, extent), 0);
	credentials_leave();
	assert_ours();
}

START_TEST(a_caller_s_rights_are_taken_and_given_back)
{
	ck_assert_int_eq(credentials_enter(NULL, CREDENTIALS_ALL), 0);
	ck_assert_uint_eq(has.uid, USER);
	ck_assert_uint_eq(has.gid, GROUP);
	ck_assert_uint_eq(has.groups, 1);
	ck_assert_uint_eq(has.caps, UINT32_C(1) << CAP_DAC_OVERRIDE);
	credentials_leave();
	assert_ours();
}
END_TEST

/* Whatever has worked before. */
START_TEST(a_user_that_cannot_be_taken_is_not_served_with_our_rights)
{
	enter_and_leave(CREDENTIALS_BYTES);
	fail_uid = 1;
	ck_assert_int_eq(credentials_enter(NULL, CREDENTIALS_BYTES), -EPERM);
	credentials_leave();
	assert_ours();
	enter_and_leave(CREDENTIALS_BYTES);
}
END_TEST

START_TEST(nor_is_one_whose_group_cannot_be_taken)
{
	enter_and_leave(CREDENTIALS_IDS);
	fail_gid = 1;
	ck_assert_int_eq(credentials_enter(NULL, CREDENTIALS_IDS), -EPERM);
	credentials_leave();
	assert_ours();
}
END_TEST

START_TEST(nor_one_whose_groups_or_capabilities_cannot)
{
	fail_groups = 1;
	ck_assert_int_eq(credentials_enter(NULL, CREDENTIALS_ALL), -EPERM);
	assert_ours();
	fail_caps = 1;
	ck_assert_int_eq(credentials_enter(NULL, CREDENTIALS_ALL), -EPERM);
	assert_ours();
}
END_TEST

START_TEST(what_cannot_be_given_back_at_once_is_given_back_later)
{
	ck_assert_int_eq(credentials_enter(NULL, CREDENTIALS_ALL), 0);
	fail_uid = fail_gid = fail_no_groups = fail_caps = 3;
	credentials_leave();
	assert_ours();
}
END_TEST

/* The process ends, by abort(3). */
START_TEST(a_thread_that_can_never_give_them_back_serves_nobody)
{
	ck_assert_int_eq(credentials_enter(NULL, CREDENTIALS_BYTES), 0);
	fail_uid = EVER;
	credentials_leave();
}
END_TEST

START_TEST(what_was_put_aside_and_cannot_be_taken_again_is_an_error)
{
	ck_assert_int_eq(credentials_enter(NULL, CREDENTIALS_ALL), 0);
	credentials_pause();
	assert_ours();
	fail_groups = EVER;
	ck_assert_int_eq(credentials_resume(), -ENOMEM);
	assert_ours();
	/* Not forgotten: the next call on the store must not be made with ours. */
	ck_assert_int_eq(credentials_resume(), -ENOMEM);
	fail_groups = 3;
	ck_assert_int_eq(credentials_resume(), 0);
	ck_assert_uint_eq(has.uid, USER);
	credentials_leave();
	assert_ours();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("credentials");
	TCase *tcase = tcase_create("core");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, a_caller_s_rights_are_taken_and_given_back);
	tcase_add_test(tcase,
		       a_user_that_cannot_be_taken_is_not_served_with_our_rights);
	tcase_add_test(tcase, nor_is_one_whose_group_cannot_be_taken);
	tcase_add_test(tcase, nor_one_whose_groups_or_capabilities_cannot);
	tcase_add_test(tcase, what_cannot_be_given_back_at_once_is_given_back_later);
	tcase_add_test_raise_signal(
		tcase, a_thread_that_can_never_give_them_back_serves_nobody, SIGABRT);
	tcase_add_test(tcase, what_was_put_aside_and_cannot_be_taken_again_is_an_error);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
