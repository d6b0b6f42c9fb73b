/* SPDX-License-Identifier: MIT */
/*
 * Flags in the answer to INIT, on raw bytes: the kernel is a pipe that INIT comes from
 * and one that the answer goes to, and libfuse is the two calls that it would make.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "init_answer.h"

#define BOTH (INIT_HANDLE_KILLPRIV_V2 | INIT_PARALLEL_DIROPS)

#if LIBFUSE_HAS_CUSTOM_IO

static const struct fuse_custom_io *io;
static int request[2], answer[2];

/* In place of libfuse's. */
int fuse_session_fd(struct fuse_session *session)
{
	(void)session;
	return request[0];
}

static int take_io(const struct fuse_custom_io *given, int fd)
{
	ck_assert_int_eq(fd, request[0]);
	io = given;
	return 0;
}

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)
/* Where the call ends up that the header makes of fuse_session_custom_io(). */
int fuse_session_custom_io_317(struct fuse_session *session,
			       const struct fuse_custom_io *given, size_t op_size,
			       int fd)
{
	(void)session;
	(void)op_size;
	return take_io(given, fd);
}
#else
int fuse_session_custom_io(struct fuse_session *session,
			   const struct fuse_custom_io *given, int fd)
{
	(void)session;
	return take_io(given, fd);
}
#endif

static void setup(void)
{
	ck_assert_int_eq(pipe2(request, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(answer, O_CLOEXEC | O_NONBLOCK), 0);
	ck_assert_int_eq(init_answer_add(NULL, BOTH), 0);
}

static void teardown(void)
{
	close(request[0]);
	close(request[1]);
	close(answer[0]);
	close(answer[1]);
}

/* As Linux before 5.17 sends it; what came later stands behind. */
static void kernel_sends_init(uint32_t flags, uint64_t unique)
{
	struct {
		struct fuse_in_header header;
		uint32_t major, minor, max_readahead, flags;
	} init = {
		.header = {.len = sizeof(init), .opcode = FUSE_INIT, .unique = unique},
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.flags = flags,
	};
	char received[4096];

	ck_assert_int_eq(write(request[1], &init, sizeof(init)), sizeof(init));
	ck_assert_int_eq(io->read(request[0], received, sizeof(received), NULL),
			 sizeof(init));
	ck_assert_int_eq(memcmp(received, &init, sizeof(init)), 0);
}

/* What the kernel gets if libfuse answers so. */
static uint32_t flags_told(uint64_t unique, int error, uint32_t major, uint32_t flags)
{
	struct fuse_out_header header = {.unique = unique, .error = error};
	struct fuse_init_out out = {.major = major, .flags = flags, .max_write = 12345};
	struct iovec iov[2] = {{&header, sizeof(header)}, {&out, sizeof(out)}};
	struct {
		struct fuse_out_header header;
		struct fuse_init_out out;
	} got;

	header.len = sizeof(header) + sizeof(out);
	ck_assert_int_eq(io->writev(answer[1], iov, 2, NULL), sizeof(got));
	ck_assert_int_eq(read(answer[0], &got, sizeof(got)), sizeof(got));
	ck_assert_uint_eq(got.header.unique, unique);
	ck_assert_uint_eq(got.out.max_write, 12345);
	return got.out.flags;
}

START_TEST(what_libfuse_forgets_is_in_the_answer)
{
	kernel_sends_init(BOTH | FUSE_ASYNC_READ, 2);
	ck_assert_uint_eq(init_answer_added(), BOTH);
	ck_assert_uint_eq(flags_told(2, 0, FUSE_KERNEL_VERSION, FUSE_ASYNC_READ),
			  BOTH | FUSE_ASYNC_READ);
}
END_TEST

START_TEST(what_the_kernel_does_not_offer_is_not_asked_of_it)
{
	kernel_sends_init(INIT_PARALLEL_DIROPS, 2);
	ck_assert_uint_eq(init_answer_added(), INIT_PARALLEL_DIROPS);
	ck_assert_uint_eq(flags_told(2, 0, FUSE_KERNEL_VERSION, 0),
			  INIT_PARALLEL_DIROPS);
}
END_TEST

START_TEST(an_answer_of_another_major_version_is_passed_on_as_it_is)
{
	kernel_sends_init(BOTH, 2);
	ck_assert_uint_eq(flags_told(2, 0, FUSE_KERNEL_VERSION - 1, 0), 0);
	/* It comes again. */
	kernel_sends_init(BOTH, 4);
	ck_assert_uint_eq(flags_told(4, 0, FUSE_KERNEL_VERSION, 0), BOTH);
}
END_TEST

START_TEST(a_refusal_is_passed_on_as_it_is)
{
	kernel_sends_init(BOTH, 2);
	ck_assert_uint_eq(flags_told(2, -EPROTO, FUSE_KERNEL_VERSION, 0), 0);
}
END_TEST

START_TEST(answers_after_it_are_passed_on_as_they_are)
{
	kernel_sends_init(BOTH, 2);
	flags_told(2, 0, FUSE_KERNEL_VERSION, 0);
	/* Even one that looks like it: the kernel has used all the numbers. */
	ck_assert_uint_eq(flags_told(2, 0, FUSE_KERNEL_VERSION, 0), 0);
}
END_TEST

START_TEST(nothing_to_add_leaves_libfuse_alone)
{
	io = NULL;
	ck_assert_int_eq(init_answer_add(NULL, 0), 0);
	ck_assert_ptr_null(io);
}
END_TEST

#else

static void setup(void)
{
}
static void teardown(void)
{
}

START_TEST(a_libfuse_that_keeps_its_requests_to_itself_is_left_alone)
{
	ck_assert_int_eq(init_answer_add(NULL, BOTH), 0);
	ck_assert_uint_eq(init_answer_added(), 0);
}
END_TEST

#endif

int main(void)
{
	Suite *suite = suite_create("init_answer");
	TCase *tcase = tcase_create("flags");
	SRunner *runner = srunner_create(suite);
	int failed;

	/* Each in a process of its own: INIT comes once. */
	srunner_set_fork_status(runner, CK_FORK);
	tcase_add_checked_fixture(tcase, setup, teardown);
#if LIBFUSE_HAS_CUSTOM_IO
	tcase_add_test(tcase, what_libfuse_forgets_is_in_the_answer);
	tcase_add_test(tcase, what_the_kernel_does_not_offer_is_not_asked_of_it);
	tcase_add_test(tcase, an_answer_of_another_major_version_is_passed_on_as_it_is);
	tcase_add_test(tcase, a_refusal_is_passed_on_as_it_is);
	tcase_add_test(tcase, answers_after_it_are_passed_on_as_they_are);
	tcase_add_test(tcase, nothing_to_add_leaves_libfuse_alone);
#else
	tcase_add_test(tcase,
		       a_libfuse_that_keeps_its_requests_to_itself_is_left_alone);
#endif
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
