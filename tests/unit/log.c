/* SPDX-License-Identifier: MIT */
/*
 * What a log gets: names that cannot forge lines or drive a terminal, and of each kind of
 * line only so many, whatever happens how often.
 */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_escape.h"
#include "log_rate.h"

static const struct {
	const char *text;
	const char *escaped;
} cases[] = {
	{"", ""},
	{"a plain name, ümlauts, 漢字, 😀", "a plain name, ümlauts, 漢字, 😀"},
	{"new\nline", "new\\nline"},
	{"tab\tand\rreturn", "tab\\tand\\rreturn"},
	{"\033[31mred\033]0;title\a", "\\x1b[31mred\\x1b]0;title\\x07"},
	{"back\\slash\\n", "back\\\\slash\\\\n"},
	{"\x7f", "\\x7f"},
	{"not UTF-8: \xff \xc3", "not UTF-8: \\xff \\xc3"},
	{"\xc2\x9b"
	 "31m",
	 "\\xc2\\x9b31m"},	    /* CSI in one character */
	{"\xc0\x8a", "\\xc0\\x8a"}, /* a new line in two bytes */
	{"\xe0\x80\x8a", "\\xe0\\x80\\x8a"},
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* a surrogate */
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
	{"\xe2\x80\xae"
	 "cod.exe",
	 "\\xe2\\x80\\xae"
	 "cod.exe"}, /* backwards from here */
	{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
	{"cut \xe6\xbc", "cut \\xe6\\xbc"},
};

START_TEST(what_could_do_harm_is_escaped)
{
	char out[256];

	log_escape(cases[_i].text, out, sizeof(out));
	ck_assert_str_eq(out, cases[_i].escaped);
}
END_TEST

START_TEST(what_does_not_fit_is_left_off_whole)
{
	const char *text = "ab\n漢\xff";
	char whole[64], out[64];

	log_escape(text, whole, sizeof(whole));
	for (size_t size = 5; size < sizeof(out); size++) {
		size_t len;

		memset(out, 'X', sizeof(out));
		log_escape(text, out, size);
		len = strlen(out);
		ck_assert_uint_lt(len, size);
		ck_assert_int_eq(strncmp(out, whole, len), 0);
		/* Ends between characters and escapes. */
		ck_assert(len == 2 || len == 4 || len == 7 || len == 11);
	}
}
END_TEST

static const char *const kind = "a kind";
static const char *const other = "another one";

static unsigned admitted(const char *which, unsigned times, uint64_t now_ms)
{
	unsigned n = 0;

	for (unsigned i = 0; i < times; i++)
		n += log_rate_admits(which, 4, now_ms);
	return n;
}

START_TEST(of_each_kind_there_are_only_so_many)
{
	const char *told = NULL;
	int level = 0;

	ck_assert_uint_eq(admitted(kind, 1000, 5000), LOG_RATE_BURST);
	ck_assert_uint_eq(admitted(kind, 1000, 5000 + LOG_RATE_MS - 1), 0);
	/* Others are not concerned. */
	ck_assert_uint_eq(admitted(other, 3, 6000), 3);
	/* When the time is over, how many there were is told, once. */
	ck_assert_uint_eq(log_rate_take_held(5000 + LOG_RATE_MS - 1, &told, &level), 0);
	ck_assert_uint_eq(log_rate_take_held(5000 + LOG_RATE_MS, &told, &level),
			  2000 - LOG_RATE_BURST);
	ck_assert_ptr_eq(told, kind);
	ck_assert_int_eq(level, 4);
	ck_assert_uint_eq(log_rate_take_held(UINT64_MAX, &told, &level), 0);
	ck_assert_uint_eq(admitted(kind, 1000, 5000 + LOG_RATE_MS), LOG_RATE_BURST);
	/* At the end, all that is left. */
	ck_assert_uint_eq(log_rate_take_held(UINT64_MAX, &told, &level),
			  1000 - LOG_RATE_BURST);
}
END_TEST

START_TEST(what_comes_now_and_then_is_never_held_back)
{
	for (uint64_t now = 0; now < 100 * LOG_RATE_MS; now += LOG_RATE_MS / 5)
		ck_assert_uint_eq(admitted(kind, 1, now), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = tcase_create("log");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, what_could_do_harm_is_escaped, 0,
			    (int)(sizeof(cases) / sizeof(cases[0])));
	tcase_add_test(tcase, what_does_not_fit_is_left_off_whole);
	tcase_add_test(tcase, of_each_kind_there_are_only_so_many);
	tcase_add_test(tcase, what_comes_now_and_then_is_never_held_back);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
