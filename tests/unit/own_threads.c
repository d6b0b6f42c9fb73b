/* SPDX-License-Identifier: MIT */
/*
 * What our threads are at: who sleeps and who wants a processor.
 */

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "own_threads.h"

static _Atomic pid_t tid;
static _Atomic bool ends;

static void *spin(void *arg)
{
	tid = (pid_t)syscall(SYS_gettid);
	while (!ends)
		continue;
	return arg;
}

/* The other end of the pipe is closed to end it. */
static void *sleep_in_read(void *arg)
{
	char byte;

	tid = (pid_t)syscall(SYS_gettid);
	(void)!read(*(int *)arg, &byte, 1);
	return arg;
}

static pthread_t start(void *(*run)(void *arg), void *arg)
{
	pthread_t thread;

	tid = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
	while (tid == 0)
		usleep(1000);
	return thread;
}

START_TEST(a_thread_that_spins_is_runnable)
{
	const pthread_t spinner = start(spin, NULL);

	ck_assert_int_eq(own_thread_state(tid), 'R');
	ck_assert(own_threads_any_runnable());
	ends = true;
	pthread_join(spinner, NULL);
}
END_TEST

START_TEST(a_thread_that_sleeps_is_not)
{
	pthread_t sleeper;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	sleeper = start(sleep_in_read, &fds[0]);
	while (own_thread_state(tid) != 'S')
		usleep(1000);
	ck_assert(!own_threads_any_runnable());
	close(fds[1]);
	pthread_join(sleeper, NULL);
	close(fds[0]);
}
END_TEST

/* Who asks runs, and means the others. */
START_TEST(who_asks_does_not_count)
{
	ck_assert_int_eq(own_thread_state(getpid()), 'R');
	ck_assert(!own_threads_any_runnable());
}
END_TEST

START_TEST(a_thread_that_is_gone_has_no_state)
{
	const pthread_t thread = start(spin, NULL);

	ends = true;
	pthread_join(thread, NULL);
	while (own_thread_state(tid) != '?')
		usleep(1000);
	ck_assert(!own_threads_any_runnable());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("own_threads");
	TCase *tcase = tcase_create("threads");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, a_thread_that_spins_is_runnable);
	tcase_add_test(tcase, a_thread_that_sleeps_is_not);
	tcase_add_test(tcase, who_asks_does_not_count);
	tcase_add_test(tcase, a_thread_that_is_gone_has_no_state);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
