/* SPDX-License-Identifier: MIT */
/*
 * The frame of every mount test: runs the tests under Check, gives each a directory of
 * its own, and prints TAP.
 *
 * Check has its own TAP writer, but no notion of a skipped test, and its fixtures do
 * not know whom they serve; so every test gets a runner of its own, and its result is
 * printed here. A skip happens in the test's own process and is handed to this one
 * through shared memory.
 */

#include "mount_test.h"

#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/mman.h>

#define TESTS_MAX 100
#define TIMEOUT_S 60

static const TTest *tests[TESTS_MAX];
static int ntests;
static const char *only; /* the one test asked for on the command line, or NULL */

static const TTest *running;
static char (*skipped)[256]; /* why the running test was; empty: it was not */
static char directory[PATH_MAX];

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	if (!value) {
		fprintf(stderr, "%s is not set: run this through tests/mount/run\n",
			name);
		exit(2);
	}
	return value;
}

bool on_foldfs(void)
{
	return strcmp(environment("FOLDFS_TEST_ON"), "foldfs") == 0;
}

bool writes_back(void)
{
	return strstr(environment("FOLDFS_TEST_OPTIONS_USED"), "--writeback") != NULL;
}

bool opens_notice(void)
{
	return strstr(environment("FOLDFS_TEST_OPTIONS_USED"), "--no-open") == NULL;
}

bool store_is(const char *type)
{
	return strcmp(environment("FOLDFS_TEST_STORE_TYPE"), type) == 0;
}

const char *behind(const char *name)
{
	static char path[PATH_MAX];

	ck_assert_int_lt(snprintf(path, sizeof(path), "%s/%s/%s",
				  environment("FOLDFS_TEST_STORE"), running->name,
				  name),
			 sizeof(path));
	return path;
}

void skip(const char *why, ...)
{
	va_list args;

	va_start(args, why);
	vsnprintf(*skipped, sizeof(*skipped), why, args);
	va_end(args);
	exit(0);
}

void reference_lacks(const char *type, const char *what)
{
	if (!on_foldfs() && store_is(type))
		skip("%s %s", type, what);
}

/* ------------------------------------------------------- a directory for each */

/* A test may have removed files behind the mount, which shows names a second longer. */
static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path) == -1 && errno != ENOENT ? -1 : 0;
}

/* In the test's own process, so that it counts against the test's time out. */
static void enter_directory(void)
{
	snprintf(directory, sizeof(directory), "%s/%s", environment("FOLDFS_TEST_DIR"),
		 running->name);
	fprintf(stderr, "# %s\n", running->name);
	umask(022);
	ok(mkdir(directory, 0755));
	ok(chdir(directory));
}

static void remove_directory(void)
{
	ok(chdir("/"));
	ok(nftw(directory, remove_one, 20, FTW_DEPTH | FTW_PHYS));
}

/* ----------------------------------------------------------------- the list */

void everyone(const TTest *test)
{
	if (only && strcmp(only, test->name) != 0)
		return;
	if (ntests == TESTS_MAX) {
		fprintf(stderr, "more than %d tests in one program\n", TESTS_MAX);
		exit(2);
	}
	tests[ntests++] = test;
}

void user_only(const TTest *test)
{
	if (geteuid() != 0)
		everyone(test);
}

void root_only(const TTest *test)
{
	if (geteuid() == 0)
		everyone(test);
}

/* --------------------------------------------------------------- running it */

static SRunner *runner_for(const TTest *test)
{
	Suite *suite = suite_create(test->name);
	TCase *tcase = tcase_create(test->name);

	tcase_add_checked_fixture(tcase, enter_directory, remove_directory);
	tcase_set_timeout(tcase, TIMEOUT_S);
	tcase_add_test(tcase, test);
	suite_add_tcase(suite, tcase);
	return srunner_create(suite);
}

/* Every line of a message becomes a comment of the TAP stream. */
static void print_comment(const char *message)
{
	printf("#   ");
	for (; *message; message++) {
		putchar(*message);
		if (*message == '\n')
			printf("#   ");
	}
	putchar('\n');
}

static bool report(int number, SRunner *runner)
{
	const bool may_skip = !on_foldfs() || !getenv("CI");
	bool passed = srunner_ntests_failed(runner) == 0;

	if (**skipped && passed && may_skip) {
		printf("ok %d - %s # SKIP %s\n", number, running->name, *skipped);
		return true;
	}
	passed = passed && !**skipped;
	printf("%s %d - %s\n", passed ? "ok" : "not ok", number, running->name);
	if (**skipped) {
		print_comment("skipped, and in CI nothing on the mount may be:");
		print_comment(*skipped);
	} else if (!passed) {
		TestResult **failures = srunner_failures(runner);

		printf("#   %s:%d\n", tr_lfile(failures[0]), tr_lno(failures[0]));
		print_comment(tr_msg(failures[0]));
		free(failures);
	}
	return passed;
}

static bool run_one(int number)
{
	SRunner *runner = runner_for(tests[number - 1]);
	bool passed;

	running = tests[number - 1];
	**skipped = '\0';
	srunner_run_all(runner, CK_SILENT);
	passed = report(number, runner);
	srunner_free(runner);
	fflush(stdout);
	return passed;
}

int main(int argc, char **argv)
{
	int failed = 0;

	only = argc > 1 ? argv[1] : NULL;
	skipped = mmap(NULL, sizeof(*skipped), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (skipped == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	describe();
	printf("1..%d%s\n", ntests, ntests ? "" : " # SKIP none for this user");
	fflush(stdout);
	for (int number = 1; number <= ntests; number++)
		failed += !run_one(number);
	return failed > 0;
}
