/* SPDX-License-Identifier: MIT */
/*
 * A pipe for requests, beside a session that is a pipe itself.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "request_pipe.h"

#define DATA_BYTES ((size_t)256 << 10)

static struct request_pipe pipe_;
static int session[2];

/* In place of libfuse's. */
static int session_fd(void)
{
	return session[0];
}

static void setup(void)
{
	pipe_ = REQUEST_PIPE_NONE;
	ck_assert_int_eq(pipe2(session, O_CLOEXEC | O_NONBLOCK), 0);
}

static void teardown(void)
{
	request_pipe_close(&pipe_);
	close(session[0]);
	close(session[1]);
}

static void send_request(const char *text)
{
	const ssize_t len = (ssize_t)strlen(text);

	ck_assert_int_eq(write(session[1], text, (size_t)len), len);
}

START_TEST(its_first_bytes_can_be_looked_at_and_stay)
{
	char head[8], *all;

	ck_assert_int_eq(request_pipe_ensure(&pipe_, DATA_BYTES), 0);
	send_request("a request");
	ck_assert_int_eq(request_pipe_receive(&pipe_, session_fd()), 9);
	ck_assert_int_eq(request_pipe_peek(&pipe_, head, 4), 4);
	ck_assert_mem_eq(head, "a re", 4);
	ck_assert_int_eq(request_pipe_peek(&pipe_, head, 8), 8);
	ck_assert_mem_eq(head, "a reques", 8);
	ck_assert_int_eq(request_pipe_take(pipe_.fds[0], 9, &all), 0);
	ck_assert_mem_eq(all, "a request", 9);
	free(all);
	ck_assert(request_pipe_is_empty(&pipe_));
}
END_TEST

START_TEST(it_has_room_for_a_request_and_its_header)
{
	ck_assert_int_eq(request_pipe_ensure(&pipe_, DATA_BYTES), 0);
	ck_assert_uint_ge(pipe_.bytes, DATA_BYTES + (size_t)getpagesize());
	ck_assert_int_eq(fcntl(pipe_.fds[0], F_GETPIPE_SZ), (int)pipe_.bytes);
}
END_TEST

START_TEST(one_that_is_larger_than_can_be_is_refused)
{
	const size_t too_large = (size_t)1 << 30;

	ck_assert_int_lt(request_pipe_ensure(&pipe_, too_large), 0);
	ck_assert_int_eq(pipe_.fds[0], -1);
	ck_assert_int_eq(pipe_.fds[1], -1);
}
END_TEST

START_TEST(a_request_goes_through)
{
	char *taken = NULL;

	ck_assert_int_eq(request_pipe_ensure(&pipe_, DATA_BYTES), 0);
	ck_assert_int_eq(request_pipe_receive(&pipe_, session_fd()), -EAGAIN);
	send_request("request");
	ck_assert_int_eq(request_pipe_receive(&pipe_, session_fd()), 7);
	ck_assert(!request_pipe_is_empty(&pipe_));
	ck_assert_int_eq(request_pipe_take(pipe_.fds[0], 7, &taken), 0);
	ck_assert_mem_eq(taken, "request", 7);
	ck_assert(request_pipe_is_empty(&pipe_));
	free(taken);
}
END_TEST

START_TEST(an_empty_one_stays)
{
	int before;

	ck_assert_int_eq(request_pipe_ensure(&pipe_, DATA_BYTES), 0);
	before = pipe_.fds[0];
	ck_assert_int_eq(request_pipe_ensure(&pipe_, DATA_BYTES), 0);
	ck_assert_int_eq(pipe_.fds[0], before);
}
END_TEST

START_TEST(what_nobody_took_of_a_request_does_not_begin_the_next)
{
	char *taken = NULL;

	ck_assert_int_eq(request_pipe_ensure(&pipe_, DATA_BYTES), 0);
	send_request("half of it");
	ck_assert_int_eq(request_pipe_receive(&pipe_, session_fd()), 10);
	ck_assert_int_eq(request_pipe_take(pipe_.fds[0], 4, &taken), 0);
	free(taken);
	ck_assert_int_eq(request_pipe_ensure(&pipe_, DATA_BYTES), 0);
	send_request("next");
	ck_assert_int_eq(request_pipe_receive(&pipe_, session_fd()), 4);
	ck_assert_int_eq(request_pipe_take(pipe_.fds[0], 4, &taken), 0);
	ck_assert_mem_eq(taken, "next", 4);
	free(taken);
}
END_TEST

START_TEST(a_device_that_fails_says_so)
{
	ck_assert_int_eq(request_pipe_ensure(&pipe_, DATA_BYTES), 0);
	ck_assert_int_eq(request_pipe_receive(&pipe_, session[1]), -EBADF);
}
END_TEST

START_TEST(to_take_more_than_there_is_fails)
{
	char *taken = NULL;

	ck_assert_int_eq(request_pipe_ensure(&pipe_, DATA_BYTES), 0);
	send_request("abc");
	ck_assert_int_eq(request_pipe_receive(&pipe_, session_fd()), 3);
	close(pipe_.fds[1]);
	ck_assert_int_eq(request_pipe_take(pipe_.fds[0], 4, &taken), -EIO);
	ck_assert_ptr_null(taken);
	close(pipe_.fds[0]);
	pipe_ = REQUEST_PIPE_NONE;
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("request_pipe");
	Suite *suite = suite_create("request_pipe");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, it_has_room_for_a_request_and_its_header);
	tcase_add_test(tc, its_first_bytes_can_be_looked_at_and_stay);
	tcase_add_test(tc, one_that_is_larger_than_can_be_is_refused);
	tcase_add_test(tc, a_request_goes_through);
	tcase_add_test(tc, an_empty_one_stays);
	tcase_add_test(tc, what_nobody_took_of_a_request_does_not_begin_the_next);
	tcase_add_test(tc, a_device_that_fails_says_so);
	tcase_add_test(tc, to_take_more_than_there_is_fails);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
