/* SPDX-License-Identifier: MIT */
/*
 * Which READs are known to be readahead, and how many of them may wait: by the order in
 * which they are taken from the kernel, told instead of seen.
 */

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <urcu/compiler.h>

#include "waiting_reads.h"

#define SHARE 4

static struct waiting_reads *reads;
static uint64_t taken; /* numbers drawn so far */

struct waiting {
	struct waiting_read read;
	bool granted; /* it cannot be taken back any more */
	bool refused;
};

static void setup(void)
{
	reads = waiting_reads_create(SHARE);
	ck_assert_ptr_nonnull(reads);
	taken = 0;
}

static void teardown(void)
{
	waiting_reads_free(reads);
}

static bool take_back(struct waiting_read *read)
{
	return !caa_container_of(read, struct waiting, read)->granted;
}

/* It was taken with this number, and now waits. @return how many are refused */
static unsigned add_taken(struct waiting *waiting, uint32_t thread, uint32_t account,
			  uint64_t number)
{
	struct waiting_read *read, *next;
	struct cds_list_head refused;
	unsigned count = 0;

	CDS_INIT_LIST_HEAD(&refused);
	waiting->refused = waiting->granted = false;
	waiting->read = (struct waiting_read){.thread = thread,
					      .account = account,
					      .taken = number,
					      .known = taken,
					      .take_back = take_back};
	waiting_reads_add(reads, &waiting->read, &refused);
	cds_list_for_each_entry_safe(read, next, &refused, node) {
		caa_container_of(read, struct waiting, read)->refused = true;
		count++;
	}
	return count;
}

static unsigned add(struct waiting *waiting, uint32_t thread, uint32_t account)
{
	return add_taken(waiting, thread, account, ++taken);
}

static void remove_all(struct waiting *waiting, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!waiting[i].refused)
			waiting_reads_remove(reads, &waiting[i].read);
}

/* Of a thread that is there: our own. */
static uint32_t me(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

START_TEST(a_share_of_readahead_waits)
{
	struct waiting waiting[SHARE];

	for (unsigned i = 0; i < SHARE; i++)
		ck_assert_uint_eq(add(&waiting[i], me(), 1), 0);
	remove_all(waiting, SHARE);
}
END_TEST

START_TEST(beyond_it_what_a_thread_has_not_waited_for_is_refused)
{
	struct waiting waiting[100];
	unsigned left = 0;

	for (unsigned i = 0; i < 100; i++)
		add(&waiting[i], me(), 1);
	for (unsigned i = 0; i < 100; i++)
		left += !waiting[i].refused;
	ck_assert_uint_eq(left, SHARE);
	/* The last of a thread may be what it waits for. */
	for (unsigned i = 100 - WAITING_READS_LATER; i < 100; i++)
		ck_assert(!waiting[i].refused);
	remove_all(waiting, 100);
}
END_TEST

START_TEST(what_a_thread_may_be_waiting_for_is_never_refused)
{
	const uint32_t threads[] = {me(), (uint32_t)getppid(), 1};
	struct waiting waiting[3 * WAITING_READS_LATER];

	/* As if the kernel had kept one back that was sent before, and one more. */
	for (unsigned i = 0; i < 3 * WAITING_READS_LATER; i++)
		ck_assert_uint_eq(add(&waiting[i], threads[i % 3], 1), 0);
	remove_all(waiting, 3 * WAITING_READS_LATER);
}
END_TEST

/* Two threads of ours may come here in another order than they have taken them. */
START_TEST(what_was_taken_before_proves_nothing_by_coming_later)
{
	struct waiting waiting[100];

	taken = 100;
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(add_taken(&waiting[i], me(), 1, 100 - i), 0);
	remove_all(waiting, 100);
}
END_TEST

START_TEST(of_whom_the_kernel_does_not_tell_nothing_is_refused)
{
	struct waiting waiting[100];

	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_eq(add(&waiting[i], 0, 1), 0);
	remove_all(waiting, 100);
}
END_TEST

START_TEST(others_have_a_share_of_their_own)
{
	struct waiting his[20], mine;

	for (unsigned i = 0; i < 20; i++)
		add(&his[i], me(), 1);
	for (unsigned i = 0; i < SHARE; i++) {
		ck_assert_uint_eq(add(&mine, me() + 1, 2), 0);
		waiting_reads_remove(reads, &mine.read);
	}
	remove_all(his, 20);
}
END_TEST

START_TEST(what_is_granted_meanwhile_is_left_alone)
{
	struct waiting waiting[20];

	for (unsigned i = 0; i < 20; i++) {
		add(&waiting[i], me(), 1);
		waiting[i].granted = true;
	}
	for (unsigned i = 0; i < 20; i++)
		ck_assert(!waiting[i].refused);
	remove_all(waiting, 20);
}
END_TEST

static void *tell_id(void *arg)
{
	*(uint32_t *)arg = me();
	return NULL;
}

static uint32_t thread_that_is_gone(void)
{
	pthread_t thread;
	uint32_t id = 0;

	ck_assert_int_eq(pthread_create(&thread, NULL, tell_id, &id), 0);
	pthread_join(thread, NULL);
	while (!waiting_reads_thread_is_gone(id))
		usleep(1000);
	return id;
}

START_TEST(what_a_thread_that_is_gone_has_asked_for_is_refused)
{
	struct waiting waiting[40];
	unsigned refused = 0;

	for (unsigned i = 0; i < 40; i++) {
		add(&waiting[i], thread_that_is_gone(), 1);
		for (unsigned j = refused = 0; j <= i; j++)
			refused += waiting[j].refused;
		/* Looked for now and then. */
		ck_assert_uint_le(i + 1 - refused, 2 * SHARE);
	}
	ck_assert_uint_gt(refused, 0);
	remove_all(waiting, 40);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("waiting_reads");
	TCase *tc = tcase_create("waiting_reads");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_share_of_readahead_waits);
	tcase_add_test(tc, beyond_it_what_a_thread_has_not_waited_for_is_refused);
	tcase_add_test(tc, what_a_thread_may_be_waiting_for_is_never_refused);
	tcase_add_test(tc, what_was_taken_before_proves_nothing_by_coming_later);
	tcase_add_test(tc, of_whom_the_kernel_does_not_tell_nothing_is_refused);
	tcase_add_test(tc, others_have_a_share_of_their_own);
	tcase_add_test(tc, what_is_granted_meanwhile_is_left_alone);
	tcase_add_test(tc, what_a_thread_that_is_gone_has_asked_for_is_refused);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
