/* SPDX-License-Identifier: MIT */
/*
 * The threads that take requests, beside a session without a kernel: who is on duty,
 * who is relieved, who looks and who sleeps, and how all of it ends.
 *
 * Nothing here depends on how fast the machine is. Where a request waits for another
 * one, the test hangs if nobody takes that one, and Check's timeout says so.
 */

#include <check.h>
#include <errno.h>
#include <linux/fuse.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake_session.h"
#include "serving_internal.h"
#include "threads.h"

#define THREADS	     4
#define POLL_NS	     50000
#define REQUESTS_MAX 10000

static struct fuse_session *session;
static struct serving *serving;
static pthread_t runner;
static _Atomic bool returned;
static int returned_status;

/* Who looks for a request gives way before each look (next_request.c); nobody else here
 * calls this. */
static _Atomic unsigned times_given_way;

int sched_yield(void)
{
	atomic_fetch_add(&times_given_way, 1);
	return (int)syscall(SYS_sched_yield);
}

static _Atomic unsigned times_served[REQUESTS_MAX];
static _Atomic unsigned served;
static sem_t held, release; /* of requests that wait */

/* ------------------------------------------------------------------- running it */

static void *run(void *arg)
{
	returned_status = serving_run(serving);
	atomic_store(&returned, true);
	return arg;
}

#define THREADS_BOUND 32
#define SHARE	      6

/* Each nodeid is a file of its own, on one of ten file systems. */
static void tell_subject(void *arg, uint64_t nodeid, struct serving_subject *ret)
{
	(void)arg;
	ret->device = nodeid / 100;
}

/* How far serving may grow while requests are held up. */
static unsigned threads_bound = THREADS_BOUND;

static int create(unsigned threads_max, unsigned poll_ns_max)
{
	const struct serving_config config = {.session = session,
					      .threads_max = threads_max,
					      .threads_bound = threads_bound,
					      .share = SHARE,
					      .device_share = 2 * SHARE,
					      .poll_ns_max = poll_ns_max,
					      .subject = tell_subject};

	return serving_create(&config, &serving);
}

static void start(void (*serve)(unsigned number), unsigned threads_max,
		  unsigned poll_ns_max)
{
	session = fake_session_new(serve);
	sem_init(&held, 0, 0);
	sem_init(&release, 0, 0);
	ck_assert_int_eq(create(threads_max, poll_ns_max), 0);
	ck_assert_int_eq(pthread_create(&runner, NULL, run, NULL), 0);
}

static void await_return(void)
{
	pthread_join(runner, NULL);
	ck_assert(atomic_load(&returned));
}

static void finish(void)
{
	await_return();
	serving_free(serving);
	fake_session_free(session);
	sem_destroy(&held);
	sem_destroy(&release);
}

static void stop(void)
{
	serving_stop(serving);
	finish();
	ck_assert_int_eq(returned_status, 0);
}

static void await(sem_t *semaphore)
{
	while (sem_wait(semaphore) < 0)
		;
}

static void await_served(unsigned count)
{
	while (atomic_load(&served) < count)
		usleep(100);
}

static void await_asleep(void)
{
	while (!atomic_load(&serving->asleep))
		usleep(100);
}

/* One thread sleeps for requests, others have left, and no deputy makes ticks. */
static void await_idle(void)
{
	while (!atomic_load(&serving->asleep) ||
	       !atomic_load(&serving->deputy_asleep) ||
	       atomic_load(&serving->on_duty) != 1)
		usleep(1000);
}

static void count_it(unsigned number)
{
	atomic_fetch_add(&times_served[number], 1);
	atomic_fetch_add(&served, 1);
}

/* Request 0 waits until the test lets it go. */
static void hold_the_first(unsigned number)
{
	if (number == 0) {
		sem_post(&held);
		await(&release);
	}
	count_it(number);
}

/* What must be so at any moment. @return how many are on duty */
static unsigned check_duty(void)
{
	unsigned on_duty = 0, threads = 0;
	struct server *server;

	pthread_mutex_lock(&serving->lock);
	cds_list_for_each_entry(server, &serving->servers, node) {
		on_duty += server->on_duty;
		threads++;
	}
	ck_assert_uint_eq(on_duty, atomic_load(&serving->on_duty));
	ck_assert_uint_eq(threads, serving->threads);
	ck_assert_uint_le(threads, serving->config.threads_bound);
	cds_list_for_each_entry(server, &serving->reserve, idle_node)
		ck_assert(!server->on_duty);
	pthread_mutex_unlock(&serving->lock);
	return on_duty;
}

/* ------------------------------------------------------------------------- duty */

START_TEST(every_request_is_served_once)
{
	start(count_it, THREADS, POLL_NS);
	for (unsigned i = 0; i < REQUESTS_MAX; i++)
		fake_session_send(session, i);
	await_served(REQUESTS_MAX);
	check_duty();
	stop();
	for (unsigned i = 0; i < REQUESTS_MAX; i++)
		ck_assert_uint_eq(times_served[i], 1);
}
END_TEST

START_TEST(who_is_held_up_is_relieved)
{
	start(hold_the_first, THREADS, POLL_NS);
	fake_session_send(session, 0);
	await(&held);
	for (unsigned i = 1; i <= 100; i++)
		fake_session_send(session, i);
	await_served(100);
	ck_assert_uint_eq(times_served[0], 0);
	sem_post(&release);
	await_served(101);
	stop();
}
END_TEST

START_TEST(who_was_relieved_is_not_on_duty_until_it_is_needed)
{
	start(hold_the_first, THREADS, POLL_NS);
	for (unsigned i = 1; i <= 50; i++) {
		fake_session_send(session, 0);
		await(&held);
		fake_session_send(session, i); /* somebody is on duty again */
		await_served(2 * i - 1);
		check_duty();
		sem_post(&release);
		await_served(2 * i);
		check_duty();
	}
	/* With a place lost or won each time it would be none or many by now. */
	await_idle();
	ck_assert_uint_eq(check_duty(), 1);
	stop();
}
END_TEST

static struct server *server_of(pthread_t thread)
{
	struct server *server;

	cds_list_for_each_entry(server, &serving->servers, node)
		if (pthread_equal(server->thread, thread))
			return server;
	ck_abort_msg("not a thread of ours");
}

static void say_it_waits(unsigned number)
{
	if (number == 0) {
		for (int i = 0; i < 3; i++) {
			serving_will_wait();
			pthread_mutex_lock(&serving->lock);
			ck_assert(!server_of(pthread_self())->on_duty);
			pthread_mutex_unlock(&serving->lock);
			check_duty();
		}
		sem_post(&held);
		await(&release);
		serving_will_wait();
	}
	count_it(number);
}

START_TEST(who_says_that_it_waits_is_relieved_once)
{
	start(say_it_waits, THREADS, POLL_NS);
	for (unsigned i = 1; i <= 20; i++) {
		fake_session_send(session, 0);
		await(&held);
		fake_session_send(session, i);
		await_served(2 * i - 1);
		sem_post(&release);
		await_served(2 * i);
	}
	await_idle();
	ck_assert_uint_eq(check_duty(), 1);
	stop();
}
END_TEST

START_TEST(what_waits_outside_of_a_request_relieves_nobody)
{
	start(count_it, THREADS, POLL_NS);
	fake_session_send(session, 0);
	await_served(1);
	await_idle();
	serving_will_wait();
	ck_assert_uint_eq(check_duty(), 1);
	stop();
}
END_TEST

/* All of them wait for each other. */
static void meet(unsigned number)
{
	sem_post(&held);
	await(&release);
	count_it(number);
}

START_TEST(who_has_no_memory_for_a_request_leaves_it_to_who_has)
{
	start(hold_the_first, THREADS, POLL_NS);
	fake_session_send(session, 0);
	await(&held);
	fake_session_starve(session);
	for (unsigned i = 1; i <= 10; i++)
		fake_session_send(session, i);
	usleep(20000);
	ck_assert_uint_eq(atomic_load(&served), 0);
	sem_post(&release);
	await_served(11);
	check_duty();
	stop();
}
END_TEST

START_TEST(without_memory_for_any_thread_it_says_so_and_ends)
{
	start(count_it, THREADS, POLL_NS);
	fake_session_starve(session);
	fake_session_send(session, 0);
	finish();
	ck_assert_int_eq(returned_status, -ENOMEM);
	ck_assert_uint_eq(atomic_load(&served), 0);
}
END_TEST

START_TEST(as_many_serve_as_are_held_up)
{
	start(meet, THREADS, POLL_NS);
	for (unsigned round = 1; round <= 5; round++) {
		for (unsigned i = 0; i < THREADS; i++)
			fake_session_send(session, i);
		for (unsigned i = 0; i < THREADS; i++)
			await(&held); /* all are under way at once */
		check_duty();
		for (unsigned i = 0; i < THREADS; i++)
			sem_post(&release);
		await_served(THREADS * round);
	}
	stop();
}
END_TEST

/* On a slow machine they are soon held up, so serving is not to grow for that. */
START_TEST(there_are_never_more_threads_than_allowed)
{
	threads_bound = THREADS;
	start(meet, THREADS, POLL_NS);
	for (unsigned i = 0; i < 3 * THREADS; i++)
		fake_session_send(session, i);
	for (unsigned i = 0; i < THREADS; i++)
		await(&held);
	usleep(5000); /* twenty ticks */
	ck_assert_int_ne(sem_trywait(&held), 0);
	check_duty();
	for (unsigned i = 0; i < 3 * THREADS; i++)
		sem_post(&release);
	await_served(3 * THREADS);
	stop();
}
END_TEST

static void serve_somehow(unsigned number)
{
	switch (number % 16) {
	case 0:
		serving_will_wait();
		usleep(number % 700);
		break;
	case 1:
		usleep(300);
		break;
	case 2:
		for (const uint64_t until = serving_now_ns() + 100000;
		     serving_now_ns() < until;)
			continue;
		break;
	default:
		break;
	}
	count_it(number);
}

#define SENDERS 4

/* A client: its next request comes when this one has been answered, or a bit later. */
static void send_some(struct member *member)
{
	unsigned long random = member->number + 1;

	for (unsigned i = 0; i < 400; i++) {
		const unsigned number = i * SENDERS + member->number;

		fake_session_send(session, number);
		while (atomic_load(&times_served[number]) == 0)
			usleep(20);
		if (random_next(&random) % 32 == 0)
			usleep((useconds_t)(random_next(&random) % 3000));
	}
}

START_TEST(no_request_is_left_lying_whatever_others_do)
{
	struct team team;

	start(serve_somehow, THREADS, POLL_NS);
	team_start(&team, SENDERS, send_some, NULL);
	team_join(&team);
	await_idle();
	ck_assert_uint_eq(check_duty(), 1);
	stop();
	ck_assert_uint_eq(atomic_load(&served), 400 * SENDERS);
}
END_TEST

/* ------------------------------------------------------------------ being held up */

/* Numbers from HOLDS on wait until the test lets them go. */
#define HOLDS 1000

static _Atomic unsigned holding;

static void hold_some(unsigned number)
{
	if (number >= HOLDS) {
		atomic_fetch_add(&holding, 1);
		await(&release);
		atomic_fetch_sub(&holding, 1);
	}
	count_it(number);
}

static void send_as(unsigned number, uint32_t uid, uint32_t opcode, uint64_t nodeid)
{
	fake_session_send_as(session, number, uid, opcode, nodeid);
}

/* Requests that wait, of one user. */
static void send_holding(unsigned first, unsigned count, uint32_t uid, uint32_t opcode,
			 uint64_t nodeid)
{
	for (unsigned i = 0; i < count; i++)
		send_as(HOLDS + first + i, uid, opcode, nodeid);
}

static void await_served_one(unsigned number)
{
	while (atomic_load(&times_served[number]) == 0)
		usleep(100);
}

static void await_queued(size_t count)
{
	size_t queued;

	do {
		usleep(100);
		pthread_mutex_lock(&serving->lock);
		queued = serving->queued;
		pthread_mutex_unlock(&serving->lock);
	} while (queued != count);
}

static void let_go(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		sem_post(&release);
}

/* Somebody is held up, so from now on everybody is asked. */
static void crowd(void)
{
	send_as(2 * HOLDS, 9, FUSE_GETATTR, 0);
	while (!serving_is_crowded(serving))
		usleep(100);
}

START_TEST(with_one_thread_the_next_request_waits_until_the_first_is_held_up)
{
	start(hold_some, 1, POLL_NS);
	send_holding(0, 1, 1, FUSE_GETATTR, 0);
	send_as(1, 2, FUSE_GETATTR, 0);
	await_served_one(1);
	ck_assert_uint_eq(atomic_load(&holding), 1);
	let_go(1);
	await_served(2);
	check_duty();
	stop();
}
END_TEST

START_TEST(requests_of_one_user_that_do_not_end_leave_others_alone)
{
	start(hold_some, THREADS, POLL_NS);
	send_holding(0, 3 * SHARE, 1, FUSE_GETATTR, 0);
	send_as(1, 2, FUSE_GETATTR, 0);
	await_served_one(1);
	await_queued(2 * SHARE);
	ck_assert_uint_eq(atomic_load(&holding), SHARE);
	let_go(3 * SHARE);
	await_served(3 * SHARE + 1);
	check_duty();
	stop();
}
END_TEST

START_TEST(who_waits_with_all_his_changes_still_reads)
{
	start(hold_some, THREADS, POLL_NS);
	crowd();
	send_holding(0, SHARE, 1, FUSE_WRITE, 0);
	await_queued(SHARE / 2);
	send_as(1, 1, FUSE_GETATTR, 0);
	send_as(2, 1, FUSE_WRITE, 0);
	await_served_one(1);
	await_queued(SHARE / 2 + 1);
	let_go(SHARE + 1);
	await_served(SHARE + 3);
	stop();
}
END_TEST

START_TEST(a_file_system_that_does_not_answer_leaves_others_alone)
{
	start(hold_some, THREADS, POLL_NS);
	crowd();
	for (uint32_t uid = 1; uid <= 4; uid++)
		send_holding(uid * SHARE, SHARE, uid, FUSE_GETATTR, 100);
	await_queued(2 * SHARE);
	send_as(1, 5, FUSE_GETATTR, 200);
	send_as(2, 5, FUSE_GETATTR, 100);
	await_served_one(1);
	await_queued(2 * SHARE + 1);
	let_go(4 * SHARE + 1);
	await_served(4 * SHARE + 3);
	stop();
}
END_TEST

START_TEST(what_a_notification_needs_does_not_wait_as_data)
{
	struct serving_hurry hurry;

	start(hold_some, THREADS, POLL_NS);
	send_holding(0, SHARE + 1, 1, FUSE_READ, 0);
	await_queued(1);
	send_as(1, 1, FUSE_READ, 7);
	await_queued(2);
	serving_hurry(serving, &hurry, 7);
	await_served_one(1);
	send_as(2, 1, FUSE_READ, 7);
	await_served_one(2);
	serving_calm(serving, &hurry);
	send_as(3, 1, FUSE_READ, 7);
	await_queued(2);
	let_go(SHARE + 1);
	await_served(SHARE + 4);
	stop();
}
END_TEST

START_TEST(what_has_waited_as_data_is_served_once)
{
	start(hold_some, THREADS, POLL_NS);
	send_holding(0, 500, 1, FUSE_GETATTR, 0);
	await_queued(500 - SHARE);
	let_go(500);
	await_served(500);
	stop();
	for (unsigned i = 0; i < 500; i++)
		ck_assert_uint_eq(times_served[HOLDS + i], 1);
}
END_TEST

START_TEST(it_stops_with_requests_in_the_queue)
{
	start(hold_some, THREADS, POLL_NS);
	send_holding(0, 2 * SHARE, 1, FUSE_GETATTR, 0);
	await_queued(SHARE);
	serving_stop(serving);
	let_go(SHARE);
	finish();
	ck_assert_uint_eq(atomic_load(&served), SHARE);
}
END_TEST

/* ------------------------------------------------------------- looking, sleeping */

/* Requests that come soon after the server has gone to sleep: it learns to look. */
static void send_soon_after_it_sleeps(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		await_asleep();
		fake_session_send(session, i);
		await_served(i + 1);
	}
}

/* Each step doubles what is looked for; the last one is 5 µs · 2^14. */
#define STEPS	     15
#define LONG_POLL_NS 80000000

START_TEST(looks_before_it_sleeps_where_requests_come_soon)
{
	start(count_it, THREADS, LONG_POLL_NS);
	send_soon_after_it_sleeps(STEPS);
	await_asleep();
	/* How often it can look depends on who else wants the processor. */
	ck_assert_uint_gt(atomic_load(&times_given_way), 0);
	stop();
}
END_TEST

START_TEST(sleeps_at_once_on_a_busy_machine)
{
	atomic_store(&fake_too_many, true);
	start(count_it, THREADS, LONG_POLL_NS);
	send_soon_after_it_sleeps(STEPS);
	await_asleep();
	ck_assert_uint_eq(atomic_load(&times_given_way), 0);
	/* Before it sleeps and after; and once for each who begins. */
	ck_assert_uint_le(fake_session_looks(session), 3 * STEPS + THREADS);
	stop();
}
END_TEST

START_TEST(sleeps_at_once_when_told_to)
{
	start(count_it, THREADS, 0);
	send_soon_after_it_sleeps(STEPS);
	await_asleep();
	ck_assert_uint_eq(atomic_load(&times_given_way), 0);
	ck_assert_uint_le(fake_session_looks(session), 3 * STEPS + THREADS);
	stop();
}
END_TEST

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

static long cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
	       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

START_TEST(an_idle_mount_takes_no_time)
{
	unsigned long looks;
	long slept, used_us;

	start(count_it, THREADS, POLL_NS);
	for (unsigned i = 0; i < 1000; i++)
		fake_session_send(session, i);
	await_served(1000);
	await_idle();
	looks = fake_session_looks(session);
	slept = switches();
	used_us = cpu_us();
	usleep(500000);
	ck_assert_uint_eq(fake_session_looks(session), looks);
	/* Ticks alone would be five hundred; a sanitizer's thread has some of its own.
	 */
	ck_assert_int_le(switches() - slept, 50);
	ck_assert_int_le(cpu_us() - used_us, 100000);
	stop();
}
END_TEST

START_TEST(an_idle_mount_wakes_up_for_a_request)
{
	start(hold_the_first, THREADS, POLL_NS);
	for (unsigned i = 1; i <= 3; i++) {
		await_idle();
		/* The deputy has to wake up, too, or nobody would relieve the first. */
		fake_session_send(session, 0);
		await(&held);
		fake_session_send(session, i);
		await_served(2 * i - 1);
		sem_post(&release);
		await_served(2 * i);
	}
	stop();
}
END_TEST

/* Moved or not, what is asked for is done. */
START_TEST(serves_a_client_that_waits_for_each_of_its_requests)
{
	start(count_it, THREADS, POLL_NS);
	fake_session_come_from(session, (uint32_t)gettid());
	for (unsigned i = 0; i < 1000; i++) {
		fake_session_send(session, i);
		while (atomic_load(&times_served[i]) == 0)
			usleep(20);
		if (i % 2)
			usleep(50);
	}
	stop();
}
END_TEST

START_TEST(the_window_grows_after_short_sleeps_up_to_its_bound)
{
	struct poll_window window = {.ns_max = 50000};

	ck_assert_uint_eq(window.ns, 0);
	poll_window_slept(&window, 20000);
	ck_assert_uint_eq(window.ns, POLL_WINDOW_NS_MIN);
	poll_window_slept(&window, 20000);
	ck_assert_uint_eq(window.ns, 2 * POLL_WINDOW_NS_MIN);
	for (unsigned i = 0; i < 100; i++)
		poll_window_slept(&window, 100000);
	ck_assert_uint_eq(window.ns, 50000);
}
END_TEST

START_TEST(the_window_is_nothing_after_a_long_sleep)
{
	struct poll_window window = {.ns_max = 50000, .ns = 50000};

	poll_window_slept(&window, 100001);
	ck_assert_uint_eq(window.ns, 0);
}
END_TEST

START_TEST(a_window_without_room_stays_closed)
{
	struct poll_window window = {.ns_max = 0};

	poll_window_slept(&window, 0);
	ck_assert_uint_eq(window.ns, 0);
	window.ns_max = POLL_WINDOW_NS_MIN / 2;
	poll_window_slept(&window, 0);
	ck_assert_uint_eq(window.ns, POLL_WINDOW_NS_MIN / 2);
}
END_TEST

/* ----------------------------------------------------------------------- the end */

START_TEST(stops_while_it_sleeps)
{
	start(count_it, THREADS, POLL_NS);
	await_asleep();
	stop();
}
END_TEST

START_TEST(stops_while_all_sleep_deeply)
{
	start(count_it, THREADS, POLL_NS);
	for (unsigned i = 0; i < 1000; i++)
		fake_session_send(session, i);
	await_served(1000);
	await_idle();
	stop();
}
END_TEST

START_TEST(stops_while_it_looks)
{
	unsigned long looks;

	start(count_it, THREADS, LONG_POLL_NS);
	send_soon_after_it_sleeps(STEPS);
	/* It looks for 80 ms now, if the machine is not so busy that they are over. */
	looks = fake_session_looks(session);
	while (fake_session_looks(session) < looks + 2 &&
	       !atomic_load(&serving->asleep))
		usleep(20);
	stop();
}
END_TEST

START_TEST(stops_when_it_was_told_to_before_it_began)
{
	session = fake_session_new(count_it);
	ck_assert_int_eq(create(THREADS, POLL_NS), 0);
	serving_stop(serving);
	ck_assert_int_eq(serving_run(serving), 0);
	serving_free(serving);
	fake_session_free(session);
}
END_TEST

START_TEST(returns_when_requests_under_way_have_been_left)
{
	start(meet, THREADS, POLL_NS);
	for (unsigned i = 0; i < 2; i++)
		fake_session_send(session, i);
	for (unsigned i = 0; i < 2; i++)
		await(&held);
	serving_stop(serving);
	usleep(20000);
	ck_assert(!atomic_load(&returned));
	for (unsigned i = 0; i < 2; i++)
		sem_post(&release);
	finish();
	ck_assert_uint_eq(atomic_load(&served), 2);
	ck_assert_int_eq(returned_status, 0);
}
END_TEST

START_TEST(may_be_stopped_many_times)
{
	start(count_it, THREADS, POLL_NS);
	await_asleep();
	for (unsigned i = 0; i < 10; i++)
		serving_stop(serving);
	stop();
}
END_TEST

START_TEST(ends_with_the_session)
{
	start(count_it, THREADS, POLL_NS);
	fake_session_send(session, 0);
	await_served(1);
	fake_session_fail(session, 0);
	finish();
	ck_assert_int_eq(returned_status, 0);
}
END_TEST

START_TEST(says_why_requests_cannot_be_read)
{
	start(count_it, THREADS, POLL_NS);
	fake_session_send(session, 0);
	await_served(1);
	fake_session_fail(session, -EIO);
	finish();
	ck_assert_int_eq(returned_status, -EIO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("serving");
	TCase *duty = tcase_create("duty");
	TCase *looking = tcase_create("looking");
	TCase *holding_up = tcase_create("holding_up");
	TCase *ending = tcase_create("ending");
	SRunner *suite_runner;
	int failed;

	tcase_set_timeout(duty, 60);
	tcase_add_test(duty, every_request_is_served_once);
	tcase_add_test(duty, who_is_held_up_is_relieved);
	tcase_add_test(duty, who_was_relieved_is_not_on_duty_until_it_is_needed);
	tcase_add_test(duty, who_says_that_it_waits_is_relieved_once);
	tcase_add_test(duty, what_waits_outside_of_a_request_relieves_nobody);
	tcase_add_test(duty, who_has_no_memory_for_a_request_leaves_it_to_who_has);
	tcase_add_test(duty, without_memory_for_any_thread_it_says_so_and_ends);
	tcase_add_test(duty, as_many_serve_as_are_held_up);
	tcase_add_test(duty, there_are_never_more_threads_than_allowed);
	tcase_add_test(duty, no_request_is_left_lying_whatever_others_do);
	suite_add_tcase(suite, duty);

	tcase_set_timeout(looking, 60);
	tcase_add_test(looking, looks_before_it_sleeps_where_requests_come_soon);
	tcase_add_test(looking, sleeps_at_once_on_a_busy_machine);
	tcase_add_test(looking, sleeps_at_once_when_told_to);
	tcase_add_test(looking, an_idle_mount_takes_no_time);
	tcase_add_test(looking, an_idle_mount_wakes_up_for_a_request);
	tcase_add_test(looking, serves_a_client_that_waits_for_each_of_its_requests);
	tcase_add_test(looking, the_window_grows_after_short_sleeps_up_to_its_bound);
	tcase_add_test(looking, the_window_is_nothing_after_a_long_sleep);
	tcase_add_test(looking, a_window_without_room_stays_closed);
	suite_add_tcase(suite, looking);

	tcase_set_timeout(holding_up, 60);
	tcase_add_test(
		holding_up,
		with_one_thread_the_next_request_waits_until_the_first_is_held_up);
	tcase_add_test(holding_up,
		       requests_of_one_user_that_do_not_end_leave_others_alone);
	tcase_add_test(holding_up, who_waits_with_all_his_changes_still_reads);
	tcase_add_test(holding_up,
		       a_file_system_that_does_not_answer_leaves_others_alone);
	tcase_add_test(holding_up, what_a_notification_needs_does_not_wait_as_data);
	tcase_add_test(holding_up, what_has_waited_as_data_is_served_once);
	tcase_add_test(holding_up, it_stops_with_requests_in_the_queue);
	suite_add_tcase(suite, holding_up);

	tcase_set_timeout(ending, 60);
	tcase_add_test(ending, stops_while_it_sleeps);
	tcase_add_test(ending, stops_while_all_sleep_deeply);
	tcase_add_test(ending, stops_while_it_looks);
	tcase_add_test(ending, stops_when_it_was_told_to_before_it_began);
	tcase_add_test(ending, returns_when_requests_under_way_have_been_left);
	tcase_add_test(ending, may_be_stopped_many_times);
	tcase_add_test(ending, ends_with_the_session);
	tcase_add_test(ending, says_why_requests_cannot_be_read);
	suite_add_tcase(suite, ending);

	suite_runner = srunner_create(suite);
	srunner_run_all(suite_runner, CK_ENV);
	failed = srunner_ntests_failed(suite_runner);
	srunner_free(suite_runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
