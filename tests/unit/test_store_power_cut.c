/* SPDX-License-Identifier: MIT */
/*
 * A power cut at every instant of a range operation: of what was not synced, any part
 * may be lost, in any order. Recovery finds the file whole all the same.
 *
 * The disk is tests/support/store_amnesia.h; the instants are those of
 * test_store_crash.c. A second cut during recovery is part of it. After an operation
 * that returned, what the journal's removal lost may come back, and must not touch the
 * file any more, whatever has been written to it since.
 */

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_amnesia.h"
#include "store_rig.h"
#include "store_test_point.h"

static struct rig rig;
static unsigned long reached;
static unsigned long cut_at;
static unsigned lot;

/* None, few, half, many or all of the lost sectors survive. */
static const unsigned keeps[] = {0, 20, 128, 236, 256};
#define KEEPS ((unsigned)(sizeof(keeps) / sizeof(keeps[0])))

static void maybe_cut(enum store_test_point point)
{
	(void)point;
	if (++reached != cut_at)
		return;
	store_amnesia_cut(lot, keeps[lot % KEEPS]);
	_exit(9);
}

/* What somebody makes of the file once the operation has returned: as long as before
 * it, so that a journal that came back could believe it is still to be finished. */
static void write_anew(int fd, const struct shift_geometry *g)
{
	struct content anew = content_make(g->size, 9, false);

	ck_assert_int_eq(store_amnesia_io.pwrite(fd, anew.bytes, anew.size, 0),
			 (ssize_t)anew.size);
	ck_assert_int_eq(store_amnesia_io.ftruncate(fd, anew.size), 0);
	ck_assert_int_eq(store_amnesia_io.fdatasync(fd), 0);
	content_free(&anew);
}

/* Whether the power stays on. At the end of what it does, it goes, too. */
static bool stays_on(unsigned long n, unsigned draw, int fd,
		     const struct shift_geometry *g)
{
	int status;
	const pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int err;

		store_amnesia_reset();
		cut_at = n;
		lot = draw;
		store_test_point_hook = maybe_cut;
		err = g ? rig_apply(&rig, fd, g)
			: rig_recover_on(&rig, &store_amnesia_io);
		if (err)
			_exit(1);
		if (g)
			write_anew(fd, g);
		store_amnesia_cut(lot, keeps[lot % KEEPS]);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) &&
			      (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9),
		      "the child failed: status %#x", status);
	return WEXITSTATUS(status) == 0;
}

struct goal {
	struct content before;
	struct content after;
	struct content anew; /* write_anew() */
	bool returned;	     /* the operation: then only that will do */
};

static void assert_whole(const struct goal *goal, unsigned long n, unsigned draw)
{
	const bool whole = goal->returned
				   ? rig_holds(&rig, "file", &goal->anew)
				   : rig_holds(&rig, "file", &goal->after) ||
					     rig_holds(&rig, "file", &goal->before);

	ck_assert_msg(whole, "cut at instant %lu, lot %u: %s (%s)", n, draw,
		      goal->returned ? "what was done is lost" : "the file is between",
		      rig.text);
	ck_assert_msg(!rig_has_dir(&rig),
		      "cut at instant %lu, lot %u: .foldfs is left: %s", n, draw,
		      rig.text);
}

static void cut_everywhere(const struct shift_geometry *g, bool sparse, unsigned draws)
{
	struct goal goal = {.before = content_make(g->size, 5, sparse)};
	bool on = false;

	goal.after = content_copy(&goal.before);
	content_apply(&goal.after, g);
	goal.anew = content_make(g->size, 9, false);
	for (unsigned long n = 1; !on; n++) {
		for (unsigned draw = 0; draw < draws; draw++) {
			const int fd = rig_write(&rig, "file", &goal.before);

			rig_forget(&rig);
			on = stays_on(n, draw, fd, g);
			goal.returned = on;
			close(fd);
			if (draw % 2)
				stays_on(1 + (n * 7 + draw) % 12, draw + 1, -1, NULL);
			ck_assert_int_eq(rig_recover(&rig), 0);
			assert_whole(&goal, n, draw);
		}
	}
	content_free(&goal.before);
	content_free(&goal.after);
	content_free(&goal.anew);
}

static void cut_on(const char *store, unsigned avoid, unsigned every, unsigned draws)
{
	if (!rig_open(&rig, store, 0))
		return;
	rig_small_windows(&rig);
	rig.ctx.avoid = avoid;
	rig.ctx.io = &store_amnesia_io;
	for (unsigned i = 0; i < RIG_GEOMETRIES; i += every)
		cut_everywhere(&rig_geometries[i], i % 2, draws);
	rig_close(&rig);
}

START_TEST(copies_are_whole_after_a_power_cut)
{
	cut_on("tmpfs", 0, 1, 5);
}
END_TEST

START_TEST(reflinks_are_whole_after_a_power_cut)
{
	cut_on("btrfs", 0, 3, 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_power_cut");
	TCase *tmpfs = tcase_create("tmpfs");
	TCase *btrfs = tcase_create("btrfs");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tmpfs, 600);
	tcase_set_timeout(btrfs, 600);
	suite_add_tcase(suite, tmpfs);
	suite_add_tcase(suite, btrfs);
	tcase_add_test(tmpfs, copies_are_whole_after_a_power_cut);
	tcase_add_test(btrfs, reflinks_are_whole_after_a_power_cut);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	rig_sweep();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
