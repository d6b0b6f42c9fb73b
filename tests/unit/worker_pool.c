/* SPDX-License-Identifier: MIT */
/*
 * The worker pool: who may begin, while jobs of others do not end.
 *
 * A job here waits until it is let go; where one must begin all the same, the test
 * hangs if it does not, and Check's timeout says so.
 */

#include <check.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker_pool.h"

#define THREADS 8u
#define SHARE	3u

static struct worker_pool *pool;
static sem_t begun, release;
static _Atomic unsigned begun_by_one, ended;

static void start(unsigned active_max)
{
	const struct worker_pool_config config = {.name = "test",
						  .threads_max = THREADS,
						  .active_max = active_max,
						  .account_max = SHARE};

	sem_init(&begun, 0, 0);
	sem_init(&release, 0, 0);
	ck_assert_int_eq(worker_pool_create(&config, &pool), 0);
}

static void stop(void)
{
	worker_pool_free(pool);
	sem_destroy(&begun);
	sem_destroy(&release);
}

static void await(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		;
}

static void hold(struct job *job)
{
	atomic_fetch_add(&begun_by_one, 1);
	await(&release);
	atomic_fetch_add(&ended, 1);
	free(job);
}

static void pass(struct job *job)
{
	free(job);
	sem_post(&begun);
}

static uint32_t told;

static void tell_account(struct job *job)
{
	told = worker_pool_account();
	pass(job);
}

static void submit(void (*run)(struct job *), uint32_t account)
{
	struct job *job = calloc(1, sizeof(*job));

	ck_assert_ptr_nonnull(job);
	job->run = run;
	job->account = account;
	worker_pool_submit(pool, job);
}

static void let_go(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		sem_post(&release);
}

START_TEST(jobs_of_one_account_that_do_not_end_leave_threads_to_others)
{
	start(THREADS);
	for (unsigned i = 0; i < 3 * THREADS; i++)
		submit(hold, 1);
	while (atomic_load(&begun_by_one) < SHARE)
		usleep(100);
	submit(pass, 2);
	await(&begun);
	ck_assert_uint_eq(atomic_load(&begun_by_one), SHARE);
	let_go(3 * THREADS);
	stop();
	ck_assert_uint_eq(atomic_load(&ended), 3 * THREADS);
}
END_TEST

START_TEST(a_job_that_was_passed_over_begins_when_one_of_its_account_has_ended)
{
	start(THREADS);
	for (unsigned i = 0; i < SHARE; i++)
		submit(hold, 1);
	submit(pass, 1);
	while (atomic_load(&begun_by_one) < SHARE)
		usleep(100);
	let_go(1);
	await(&begun);
	let_go(SHARE - 1);
	stop();
}
END_TEST

START_TEST(others_begin_when_as_many_as_may_be_active_are_held_up)
{
	start(2);
	submit(hold, 1);
	submit(hold, 2);
	submit(pass, 3);
	await(&begun);
	let_go(2);
	stop();
}
END_TEST

START_TEST(a_job_knows_on_whose_account_it_is)
{
	start(THREADS);
	ck_assert_uint_eq(worker_pool_account(), 0);
	submit(tell_account, 7);
	await(&begun);
	ck_assert_uint_eq(told, 7);
	stop();
}
END_TEST

START_TEST(a_drained_pool_has_run_what_waited_for_a_share)
{
	start(THREADS);
	for (unsigned i = 0; i < 2 * SHARE; i++)
		submit(hold, 1);
	let_go(2 * SHARE);
	ck_assert_uint_eq(worker_pool_drain(pool), 2 * SHARE);
	ck_assert_uint_eq(atomic_load(&ended), 2 * SHARE);
	stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("worker_pool");
	TCase *tcase = tcase_create("worker_pool");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase,
		       jobs_of_one_account_that_do_not_end_leave_threads_to_others);
	tcase_add_test(
		tcase,
		a_job_that_was_passed_over_begins_when_one_of_its_account_has_ended);
	tcase_add_test(tcase, others_begin_when_as_many_as_may_be_active_are_held_up);
	tcase_add_test(tcase, a_job_knows_on_whose_account_it_is);
	tcase_add_test(tcase, a_drained_pool_has_run_what_waited_for_a_share);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
