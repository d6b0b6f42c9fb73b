/* SPDX-License-Identifier: MIT */
/*
 * Error sequences: who hears of which error, and how often (Linux: lib/errseq.c and
 * Documentation/core-api/errseq.rst, whose table this is).
 */

#include <errno.h>

#include "fixture.h"

static struct fixture fx;

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(4));
}

static void teardown(void)
{
	fixture_close(&fx);
}

/* An open file, as far as errors go. */
static cl_errseq_t open_file(void)
{
	return cl_errseq_sample(fx.mapping);
}

static int sync_file(cl_errseq_t *file)
{
	return cl_errseq_check_and_advance(fx.mapping, file);
}

START_TEST(without_an_error_there_is_none)
{
	cl_errseq_t file = open_file();

	ck_assert_int_eq(cl_errseq_check(fx.mapping, file), 0);
	ck_assert_int_eq(sync_file(&file), 0);
}
END_TEST

START_TEST(each_file_that_was_open_hears_of_an_error_once)
{
	cl_errseq_t one = open_file(), two = open_file();

	cl_errseq_set(fx.mapping, -EIO);
	ck_assert_int_eq(sync_file(&one), -EIO);
	ck_assert_int_eq(sync_file(&one), 0);
	ck_assert_int_eq(sync_file(&two), -EIO);
	ck_assert_int_eq(sync_file(&two), 0);
}
END_TEST

START_TEST(a_file_opened_after_an_error_was_seen_does_not_hear_of_it)
{
	cl_errseq_t one = open_file();

	cl_errseq_set(fx.mapping, -EIO);
	ck_assert_int_eq(sync_file(&one), -EIO);

	cl_errseq_t two = open_file();

	ck_assert_int_eq(sync_file(&two), 0);
}
END_TEST

START_TEST(a_file_opened_before_anybody_saw_an_error_hears_of_it)
{
	cl_errseq_set(fx.mapping, -EIO);

	cl_errseq_t late = open_file();

	ck_assert_int_eq(sync_file(&late), -EIO);
	ck_assert_int_eq(sync_file(&late), 0);
}
END_TEST

START_TEST(the_same_error_again_is_a_new_one)
{
	cl_errseq_t one = open_file(), two = open_file();

	cl_errseq_set(fx.mapping, -EIO);
	ck_assert_int_eq(sync_file(&one), -EIO);
	cl_errseq_set(fx.mapping, -EIO);
	ck_assert_int_eq(sync_file(&one), -EIO);
	ck_assert_int_eq(sync_file(&one), 0);
	/* Who has seen neither hears of both at once. */
	ck_assert_int_eq(sync_file(&two), -EIO);
	ck_assert_int_eq(sync_file(&two), 0);
}
END_TEST

START_TEST(the_latest_error_is_the_one_reported)
{
	cl_errseq_t file = open_file();

	cl_errseq_set(fx.mapping, -EIO);
	cl_errseq_set(fx.mapping, -ENOSPC);
	ck_assert_int_eq(sync_file(&file), -ENOSPC);
	ck_assert_int_eq(sync_file(&file), 0);
}
END_TEST

START_TEST(a_check_sees_and_does_not_consume)
{
	cl_errseq_t file = open_file();

	cl_errseq_set(fx.mapping, -EIO);
	ck_assert_int_eq(cl_errseq_check(fx.mapping, file), -EIO);
	ck_assert_int_eq(cl_errseq_check(fx.mapping, file), -EIO);
	ck_assert_int_eq(sync_file(&file), -EIO);
	ck_assert_int_eq(cl_errseq_check(fx.mapping, file), 0);
}
END_TEST

START_TEST(mappings_have_their_own)
{
	struct cl_mapping *other;

	ck_assert_int_eq(
		cl_mapping_create(fx.cache, &fake_store_ops, fx.store, 0, &other), 0);

	cl_errseq_t file = cl_errseq_sample(other);

	cl_errseq_set(fx.mapping, -EIO);
	ck_assert_int_eq(cl_errseq_check_and_advance(other, &file), 0);
	cl_mapping_free(other);
}
END_TEST

#define CHECKERS 4
#define ERRORS	 20000

static _Atomic bool all_set;

static void set_errors(void)
{
	for (int i = 0; i < ERRORS; i++)
		cl_errseq_set(fx.mapping, -EIO);
	atomic_store(&all_set, true);
}

/* Member 0 sets errors; each of the others hears of the last one in the end. */
static void set_or_check(struct member *member)
{
	cl_errseq_t *files = member->arg;
	int heard = 0;

	if (member->number == 0) {
		set_errors();
		return;
	}
	for (bool last = false; !last;) {
		last = atomic_load(&all_set);
		heard += sync_file(&files[member->number]) == -EIO;
	}
	ck_assert_int_gt(heard, 0);
	ck_assert_int_le(heard, ERRORS);
	ck_assert_int_eq(sync_file(&files[member->number]), 0);
}

START_TEST(no_error_is_missed_by_many_who_check)
{
	cl_errseq_t files[CHECKERS + 1];
	struct team team;

	for (unsigned i = 0; i <= CHECKERS; i++)
		files[i] = open_file();
	team_start(&team, CHECKERS + 1, set_or_check, files);
	team_join(&team);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("errseq", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, without_an_error_there_is_none);
	tcase_add_test(tc, each_file_that_was_open_hears_of_an_error_once);
	tcase_add_test(tc, a_file_opened_after_an_error_was_seen_does_not_hear_of_it);
	tcase_add_test(tc, a_file_opened_before_anybody_saw_an_error_hears_of_it);
	tcase_add_test(tc, the_same_error_again_is_a_new_one);
	tcase_add_test(tc, the_latest_error_is_the_one_reported);
	tcase_add_test(tc, a_check_sees_and_does_not_consume);
	tcase_add_test(tc, mappings_have_their_own);
	tcase_add_test(tc, no_error_is_missed_by_many_who_check);
	return suite_run(suite);
}
