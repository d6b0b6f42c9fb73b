/* SPDX-License-Identifier: MIT */
/* Whose change of the store's file it was: ours, or somebody else's. */

#include "change_guard.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SIZE 10000

static struct inode inode;
static char bytes[SIZE];

/* What the guard does not touch, but asks whether it is there. */
static char mapping;

static void write_at(uint64_t offset, size_t len)
{
	ck_assert_int_eq(pwrite(inode.fd, bytes, len, (off_t)offset), (ssize_t)len);
}

static void cut(uint64_t size)
{
	ck_assert_int_eq(ftruncate(inode.fd, (off_t)size), 0);
}

static void setup(void)
{
	char path[] = "/tmp/change_guard.XXXXXX";
	uint64_t size;

	inode = (struct inode){.fd = mkstemp(path)};
	ck_assert_int_ge(inode.fd, 0);
	ck_assert_int_eq(unlink(path), 0);
	pthread_mutex_init(&inode.sample_lock, NULL);
	inode.mapping = (struct cl_mapping *)(void *)&mapping;
	write_at(0, SIZE);
	ck_assert_int_eq(change_settle(&inode, &size), 0);
	ck_assert_uint_eq(size, SIZE);
}

static void teardown(void)
{
	close(inode.fd);
	pthread_mutex_destroy(&inode.sample_lock);
}

/* A clock tick, so that times tell, too. */
static void later(void)
{
	usleep(20000);
}

START_TEST(what_we_do_is_not_somebody_elses)
{
	change_begin(&inode);
	write_at(SIZE - 10, 100);
	change_end_reaching(&inode, SIZE + 90);
	later();
	change_begin(&inode);
	write_at(0, 10);
	change_end_reaching(&inode, 10);
	change_begin(&inode);
	cut(500);
	change_end_sized(&inode, 500);
	change_begin(&inode);
	ck_assert_int_eq(fchmod(inode.fd, 0600), 0);
	change_end(&inode);
	later();
	ck_assert(!change_differs(&inode));
}
END_TEST

START_TEST(what_others_do_between_ours_is_theirs)
{
	change_begin(&inode);
	write_at(0, 10);
	change_end_reaching(&inode, 10);
	later();
	write_at(0, 10);
	change_begin(&inode);
	write_at(0, 10);
	change_end_reaching(&inode, 10);
	ck_assert(change_pending(&inode));
}
END_TEST

/* The times are ours, whoever was the last. The size is not. */
START_TEST(a_cut_in_the_moment_of_our_write_is_noticed)
{
	change_begin(&inode);
	write_at(SIZE - 10, 10);
	cut(100);
	change_end_reaching(&inode, SIZE);
	ck_assert(change_pending(&inode));
}
END_TEST

START_TEST(a_cut_before_our_write_in_its_moment_is_noticed)
{
	change_begin(&inode);
	cut(100);
	write_at(1000, 10);
	change_end_reaching(&inode, 1010);
	ck_assert(change_pending(&inode));
}
END_TEST

START_TEST(growth_in_the_moment_of_our_change_is_noticed)
{
	change_begin(&inode);
	write_at(0, 10);
	write_at(SIZE, 10);
	change_end_reaching(&inode, 10);
	ck_assert(change_pending(&inode));
}
END_TEST

START_TEST(growth_in_the_moment_of_our_cut_is_noticed)
{
	change_begin(&inode);
	cut(100);
	write_at(200, 10);
	change_end_sized(&inode, 100);
	ck_assert(change_pending(&inode));
}
END_TEST

START_TEST(a_cut_in_the_moment_of_a_change_of_mode_is_noticed)
{
	change_begin(&inode);
	ck_assert_int_eq(fchmod(inode.fd, 0600), 0);
	cut(100);
	change_end(&inode);
	ck_assert(change_pending(&inode));
}
END_TEST

/* The last of ours to end speaks for all. */
START_TEST(several_of_ours_at_once_are_added_up)
{
	change_begin(&inode);
	change_begin(&inode);
	write_at(SIZE, 20);
	change_end_reaching(&inode, SIZE + 20);
	write_at(0, 10);
	ck_assert(!change_differs(&inode));
	change_end_reaching(&inode, 10);
	ck_assert(!change_differs(&inode));

	change_begin(&inode);
	change_begin(&inode);
	write_at(SIZE, 40);
	change_end_reaching(&inode, SIZE + 40);
	cut(SIZE + 30);
	change_end_reaching(&inode, 10);
	ck_assert(change_pending(&inode));
}
END_TEST

START_TEST(what_a_revalidation_takes_in_in_our_moment_is_not_noticed_again)
{
	uint64_t size;

	change_begin(&inode);
	cut(100);
	ck_assert_int_eq(change_settle(&inode, &size), 0);
	ck_assert_uint_eq(size, 100);
	ck_assert_int_eq(fchmod(inode.fd, 0600), 0);
	change_end(&inode);
	ck_assert(!change_pending(&inode));
}
END_TEST

/* procfs says 0, whatever is written. */
START_TEST(a_file_without_a_size_has_none_to_compare)
{
	inode.unsized = true;
	change_begin(&inode);
	change_end_reaching(&inode, 2 * SIZE);
	ck_assert(!change_pending(&inode));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("change_guard");
	TCase *tcase = tcase_create("whose");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_we_do_is_not_somebody_elses);
	tcase_add_test(tcase, what_others_do_between_ours_is_theirs);
	tcase_add_test(tcase, a_cut_in_the_moment_of_our_write_is_noticed);
	tcase_add_test(tcase, a_cut_before_our_write_in_its_moment_is_noticed);
	tcase_add_test(tcase, growth_in_the_moment_of_our_change_is_noticed);
	tcase_add_test(tcase, growth_in_the_moment_of_our_cut_is_noticed);
	tcase_add_test(tcase, a_cut_in_the_moment_of_a_change_of_mode_is_noticed);
	tcase_add_test(tcase, several_of_ours_at_once_are_added_up);
	tcase_add_test(tcase,
		       what_a_revalidation_takes_in_in_our_moment_is_not_noticed_again);
	tcase_add_test(tcase, a_file_without_a_size_has_none_to_compare);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
