/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at every instant of a range operation: the next recovery finds the file
 * whole, before or after, and leaves nothing behind.
 *
 * A child runs the operation and kills itself at the n-th test point that it comes to,
 * for n = 1, 2, … until it survives: so every point is met every time it is passed.
 * Then recovery is killed likewise, at a point drawn by lot, and run again.
 */

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "store_rig.h"
#include "store_test_point.h"

static struct rig rig;

/* Shared with the children. */
static struct {
	unsigned long reached;
	unsigned long die_at;
	unsigned long times[STORE_TEST_POINT_COUNT];
} * shared;

static void maybe_die(enum store_test_point point)
{
	shared->times[point]++;
	if (++shared->reached == shared->die_at)
		raise(SIGKILL);
}

/* Runs in the child: what to do, and whether it went well. */
typedef bool body_fn(const void *arg);

/* Whether the child lived to its end. */
static bool survives(unsigned long die_at, body_fn *body, const void *arg)
{
	int status;
	pid_t pid;

	shared->reached = 0;
	shared->die_at = die_at;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		store_test_point_hook = maybe_die;
		_exit(body(arg) ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return false;
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "the child failed: status %d", status);
	return true;
}

struct operation {
	int fd;
	const struct shift_geometry *geometry;
};

static bool run_operation(const void *arg)
{
	const struct operation *operation = arg;

	return rig_apply(&rig, operation->fd, operation->geometry) == 0;
}

static bool run_recovery(const void *arg)
{
	(void)arg;
	return rig_recover(&rig) == 0;
}

static void assert_whole(const struct content *before, const struct content *after,
			 const char *when, unsigned long n)
{
	ck_assert_msg(rig_holds(&rig, "file", before) || rig_holds(&rig, "file", after),
		      "%s: killed at instant %lu: the file is between: %s", when, n,
		      rig.text);
	ck_assert_msg(!rig_has_dir(&rig),
		      "%s: killed at instant %lu: .foldfs is left: %s", when, n,
		      rig.text);
}

/* Every instant of one operation. */
static void kill_everywhere(const struct shift_geometry *g, bool sparse)
{
	struct content before = content_make(g->size, 5, sparse);
	struct content after = content_copy(&before);
	unsigned seed = 1;
	bool survived = false;
	char what[128];

	content_apply(&after, g);
	snprintf(what, sizeof(what), "%s of %llu at %llu in %llu on %s, avoiding %u",
		 shift_op_name(g->op), (unsigned long long)g->len,
		 (unsigned long long)g->offset, (unsigned long long)g->size, rig.store,
		 rig.ctx.avoid);
	for (unsigned long n = 1; !survived; n++) {
		const int fd = rig_write(&rig, "file", &before);

		survived = survives(n, run_operation, &(struct operation){fd, g});
		close(fd);
		if (n % 2)
			survives(1 + (unsigned)rand_r(&seed) % 24, run_recovery, NULL);
		ck_assert_int_eq(rig_recover(&rig), 0);
		assert_whole(&before, &after, what, n);
	}
	content_free(&before);
	content_free(&after);
}

/* Which of the points have to be passed: all but those that another test passes. */
static void assert_all_points_were_met(void)
{
	for (int i = 0; i < STORE_TEST_POINT_COUNT; i++)
		ck_assert_msg(shared->times[i] > 0 || i == STORE_POINT_undo_recorded,
			      "nothing came to %s", store_test_point_names[i]);
}

static void kill_on(const char *store, unsigned avoid, unsigned every)
{
	if (!rig_open(&rig, store, 0))
		return;
	rig_small_windows(&rig);
	rig.ctx.avoid = avoid;
	memset(shared, 0, sizeof(*shared));
	for (unsigned i = 0; i < RIG_GEOMETRIES; i++)
		if (i % every == 0)
			kill_everywhere(&rig_geometries[i], i % 2);
	assert_all_points_were_met();
	rig_close(&rig);
}

START_TEST(copies_on_tmpfs_are_whole_after_a_kill)
{
	kill_on("tmpfs", 0, 1);
}
END_TEST

START_TEST(copies_on_ext4_are_whole_after_a_kill)
{
	kill_on("ext4", STORE_AVOID_NATIVE, 3);
}
END_TEST

START_TEST(copies_on_btrfs_are_whole_after_a_kill)
{
	kill_on("btrfs", STORE_AVOID_REFLINK, 3);
}
END_TEST

START_TEST(reflinks_on_btrfs_are_whole_after_a_kill)
{
	kill_on("btrfs", 0, 3);
}
END_TEST

START_TEST(reflinks_on_xfs_are_whole_after_a_kill)
{
	kill_on("xfs", STORE_AVOID_NATIVE, 3);
}
END_TEST

/* Windows of a megabyte, and the kill comes from outside, whenever. Made once: pages that
 * are written to between two forks are copied at each. */
struct random_case {
	struct shift_geometry geometry;
	struct content before;
	struct content after;
};

static void kill_at_random(const struct random_case *c, unsigned *seed)
{
	const int fd = rig_write(&rig, "file", &c->before);
	const struct timespec wait = {0, (long)(rand_r(seed) % 8000) * 1000};
	int status;
	pid_t pid;

	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(rig_apply(&rig, fd, &c->geometry) == 0 ? 0 : 1);
	nanosleep(&wait, NULL);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(fd);
	ck_assert_int_eq(rig_recover(&rig), 0);
	assert_whole(&c->before, &c->after, "at random", (unsigned long)wait.tv_nsec);
}

static const char *const random_stores[] = {"tmpfs", "ext4", "btrfs"};

START_TEST(a_kill_at_any_moment_leaves_the_file_whole)
{
	struct random_case cases[] = {
		{.geometry = {SHIFT_COLLAPSE, PAGES(3), PAGES(1), 0, (8 << 20) + 77}},
		{.geometry = {SHIFT_COLLAPSE, PAGES(3), PAGES(300), 0, (8 << 20) + 77}},
		{.geometry = {SHIFT_INSERT, PAGES(3), PAGES(1), 0, (8 << 20) + 77}},
		{.geometry = {SHIFT_MOVE, PAGES(3), PAGES(800), PAGES(1000), 8 << 20}},
	};
	unsigned seed = 20240229;

	if (!rig_open(&rig, random_stores[_i], 0))
		return;
	rig.ctx.window_bytes = 1 << 20;
	rig.ctx.stage_below_bytes = 1 << 20;
	rig.ctx.avoid = STORE_AVOID_NATIVE | STORE_AVOID_REFLINK;
	for (unsigned i = 0; i < 4; i++) {
		cases[i].before = content_make(cases[i].geometry.size, seed + i, true);
		cases[i].after = content_copy(&cases[i].before);
		content_apply(&cases[i].after, &cases[i].geometry);
	}
	for (unsigned i = 0; i < 200; i++)
		kill_at_random(&cases[i % 4], &seed);
	for (unsigned i = 0; i < 4; i++) {
		content_free(&cases[i].before);
		content_free(&cases[i].after);
	}
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_crash");
	TCase *tmpfs = tcase_create("tmpfs");
	TCase *disks = tcase_create("disks");
	TCase *any = tcase_create("any_moment");
	SRunner *runner;
	int failed;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return EXIT_FAILURE;
	tcase_set_timeout(tmpfs, 600);
	tcase_set_timeout(disks, 600);
	tcase_set_timeout(any, 600);
	suite_add_tcase(suite, tmpfs);
	suite_add_tcase(suite, disks);
	suite_add_tcase(suite, any);
	tcase_add_test(tmpfs, copies_on_tmpfs_are_whole_after_a_kill);
	tcase_add_test(disks, copies_on_ext4_are_whole_after_a_kill);
	tcase_add_test(disks, copies_on_btrfs_are_whole_after_a_kill);
	tcase_add_test(disks, reflinks_on_btrfs_are_whole_after_a_kill);
	tcase_add_test(disks, reflinks_on_xfs_are_whole_after_a_kill);
	tcase_add_loop_test(any, a_kill_at_any_moment_leaves_the_file_whole, 0, 3);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	rig_sweep();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
