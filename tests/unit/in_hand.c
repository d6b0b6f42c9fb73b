/* SPDX-License-Identifier: MIT */
/*
 * What threads have taken from the kernel and nobody else can see yet, beside a session
 * without a kernel: the fence waits for writebacks there, and for nothing else.
 */

#include <check.h>
#include <errno.h>
#include <linux/fuse.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake_session.h"
#include "serving_internal.h"

#define THREADS 5
#define FOREVER UINT64_MAX

static struct fuse_session *session;
static struct serving *serving;
static pthread_t runner;
static _Atomic unsigned served, refused;
static sem_t held, release;

/* Numbers say what is done with a request. */
enum { HOLD = 1, HOLD_KNOWN, PASS };

static void serve(unsigned number)
{
	if (number == HOLD_KNOWN)
		serving_request_known();
	if (number != PASS) {
		sem_post(&held);
		while (sem_wait(&release) < 0)
			;
	}
	atomic_fetch_add(&served, 1);
}

/* What nobody has said anything of, libfuse has answered. */
static void count_refused(void *arg, uint64_t nodeid, uint64_t offset, uint64_t len)
{
	(void)arg;
	(void)nodeid;
	(void)offset;
	(void)len;
	atomic_fetch_add(&refused, 1);
}

static void *run(void *arg)
{
	ck_assert_int_eq(serving_run(serving), 0);
	return arg;
}

static void setup(void)
{
	atomic_store(&served, 0);
	atomic_store(&refused, 0);
	sem_init(&held, 0, 0);
	sem_init(&release, 0, 0);
	session = fake_session_new(serve);
	const struct serving_config config = {.session = session,
					      .threads_max = THREADS,
					      .threads_bound = 4 * THREADS,
					      .share = 4 * THREADS,
					      .device_share = 4 * THREADS,
					      .unserved = count_refused};

	ck_assert_int_eq(serving_create(&config, &serving), 0);
	ck_assert_int_eq(pthread_create(&runner, NULL, run, NULL), 0);
}

static void teardown(void)
{
	serving_stop(serving);
	pthread_join(runner, NULL);
	serving_free(serving);
	fake_session_free(session);
	sem_destroy(&held);
	sem_destroy(&release);
}

static void send_and_hold(unsigned number, uint32_t opcode, uint32_t flags)
{
	fake_session_send_kind(session, number, opcode, flags);
	while (sem_wait(&held) < 0)
		;
}

static void await_served(unsigned count)
{
	while (atomic_load(&served) < count)
		usleep(100);
}

/* One look, and no waiting. */
static int all_known(void)
{
	return serving_await_known(serving, 0);
}

START_TEST(a_writeback_is_in_hand_until_it_is_known)
{
	send_and_hold(HOLD, FUSE_WRITE, FUSE_WRITE_CACHE);
	ck_assert_int_eq(all_known(), -ETIMEDOUT);
	sem_post(&release);
	ck_assert_int_eq(serving_await_known(serving, FOREVER), 0);
	await_served(1);
}
END_TEST

START_TEST(a_writeback_that_is_at_the_gate_is_not_waited_for)
{
	send_and_hold(HOLD_KNOWN, FUSE_WRITE, FUSE_WRITE_CACHE);
	ck_assert_int_eq(all_known(), 0);
	sem_post(&release);
}
END_TEST

START_TEST(anything_else_is_known_at_once_however_long_it_is_served)
{
	static const struct {
		uint32_t opcode, flags;
	} others[] = {
		{FUSE_WRITE, 0}, {FUSE_READ, 0}, {FUSE_OPEN, 0}, {FUSE_SETXATTR, 0}};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		send_and_hold(HOLD, others[i].opcode, others[i].flags);
	ck_assert_int_eq(all_known(), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		sem_post(&release);
}
END_TEST

static _Atomic bool enough;

static void *send_writebacks(void *arg)
{
	for (unsigned sent = 0; !atomic_load(&enough); sent++) {
		fake_session_send_kind(session, PASS, FUSE_WRITE, FUSE_WRITE_CACHE);
		while (atomic_load(&served) + 1000 < sent)
			usleep(100);
	}
	return arg;
}

/* And before it is known: whoever waits for that finds it counted. */
START_TEST(a_writeback_that_libfuse_refuses_is_told_of)
{
	send_and_hold(HOLD, FUSE_WRITE, FUSE_WRITE_CACHE);
	sem_post(&release);
	ck_assert_int_eq(serving_await_known(serving, FOREVER), 0);
	ck_assert_uint_eq(atomic_load(&refused), 1);
}
END_TEST

START_TEST(what_came_to_the_gate_or_is_no_writeback_is_not)
{
	send_and_hold(HOLD_KNOWN, FUSE_WRITE, FUSE_WRITE_CACHE);
	send_and_hold(HOLD, FUSE_WRITE, 0);
	send_and_hold(HOLD, FUSE_READ, 0);
	for (int i = 0; i < 3; i++)
		sem_post(&release);
	await_served(3);
	ck_assert_int_eq(serving_await_known(serving, FOREVER), 0);
	ck_assert_uint_eq(atomic_load(&refused), 0);
}
END_TEST

START_TEST(what_is_taken_meanwhile_is_not_waited_for)
{
	pthread_t sender;

	atomic_store(&enough, false);
	ck_assert_int_eq(pthread_create(&sender, NULL, send_writebacks, NULL), 0);
	await_served(100);
	for (int i = 0; i < 200; i++)
		ck_assert_int_eq(serving_await_known(serving, FOREVER), 0);
	atomic_store(&enough, true);
	pthread_join(sender, NULL);
}
END_TEST

START_TEST(requests_that_take_a_place_in_the_background_are_counted)
{
	static const uint32_t opcodes[] = {FUSE_READ,	    FUSE_WRITE,	  FUSE_RELEASE,
					   FUSE_RELEASEDIR, FUSE_GETATTR, FUSE_OPEN};

	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++)
		fake_session_send_kind(session, PASS, opcodes[i], 0);
	await_served(6);
	ck_assert_uint_eq(serving_background_taken(serving), 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("in_hand");
	TCase *tcase = tcase_create("in_hand");
	SRunner *suite_runner;
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_writeback_is_in_hand_until_it_is_known);
	tcase_add_test(tcase, a_writeback_that_is_at_the_gate_is_not_waited_for);
	tcase_add_test(tcase, anything_else_is_known_at_once_however_long_it_is_served);
	tcase_add_test(tcase, a_writeback_that_libfuse_refuses_is_told_of);
	tcase_add_test(tcase, what_came_to_the_gate_or_is_no_writeback_is_not);
	tcase_add_test(tcase, what_is_taken_meanwhile_is_not_waited_for);
	tcase_add_test(tcase, requests_that_take_a_place_in_the_background_are_counted);
	suite_add_tcase(suite, tcase);
	suite_runner = srunner_create(suite);
	srunner_run_all(suite_runner, CK_ENV);
	failed = srunner_ntests_failed(suite_runner);
	srunner_free(suite_runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
