/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MOUNT_MOUNT_TEST_H
#define TESTS_MOUNT_MOUNT_TEST_H

/*
 * What a mount test is made of.
 *
 * A test is a Check test whose name is a sentence about files in general, not about
 * foldfs: the same binary runs on the mount and, as the reference, on a file system of
 * the kernel's, where it must pass as well. It starts in an empty directory of its own;
 * `behind()` names the same directory in the store.
 *
 *	START_TEST(a_renamed_file_keeps_its_inode)
 *	{
 *		...
 *	}
 *	END_TEST
 *
 *	void describe(void)
 *	{
 *		everyone(a_renamed_file_keeps_its_inode);
 *	}
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* ---------------------------------------------------------------- the list */

/** Each test program's list of tests, in order of reading. */
void describe(void);

/** Run by an unprivileged user and, in the root run, by root. */
void everyone(const TTest *test);
/** Only unprivileged: root is allowed what the test sees refused. */
void user_only(const TTest *test);
/** Only by root, on a mount with allow_other. */
void root_only(const TTest *test);

/* ------------------------------------------------------------- where we are */

bool on_foldfs(void);
/** Whether the mount keeps dirty pages (--writeback): no promise before fsync. */
bool writes_back(void);
/** Whether an open notices a change behind the mount; with --no-open it is stat(2) that
 *  does, once attributes are not trusted any more. */
bool opens_notice(void);
/** "tmpfs", "ext4", ...: the store below, whichever world we are in. */
bool store_is(const char *type);
/** The path in the store of a name in the test's directory. Static, for one use. */
const char *behind(const char *name);

/**
 * End this test here as skipped. In CI a skipped test on the mount is a failure.
 * For what the machine lacks, never for what foldfs lacks.
 */
__attribute__((format(printf, 1, 2), noreturn)) void skip(const char *why, ...);
/** On the reference alone: this file system cannot do it, where foldfs must. */
void reference_lacks(const char *type, const char *what);

/* --------------------------------------------------------------- assertions */

/** The call's value; the test fails, with errno in words, if that is -1. */
#define ok(call)       OK_AS(call, OK_NAME(__COUNTER__))
#define OK_NAME(n)     OK_PASTE(ok_value_, n)
#define OK_PASTE(a, b) a##b
#define OK_AS(call, value)                                                             \
	({                                                                             \
		__typeof__(call) value = (call);                                       \
		ck_assert_msg(value != (__typeof__(call))-1, "%s: %s", #call,          \
			      strerror(errno));                                        \
		value;                                                                 \
	})

/** The call returns -1 with this errno. */
#define fails_with(error, call)                                                        \
	do {                                                                           \
		errno = 0;                                                             \
		const long long fw_value = (long long)(call);                          \
		const int fw_errno = errno;                                            \
		ck_assert_msg(fw_value == -1, "%s: %lld, expected %s", #call,          \
			      fw_value, strerror(error));                              \
		ck_assert_msg(fw_errno == (error), "%s: %s, expected %s", #call,       \
			      strerror(fw_errno), strerror(error));                    \
	} while (0)

#endif
