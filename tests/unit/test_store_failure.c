/* SPDX-License-Identifier: MIT */
/*
 * Range operations on stores that fail: every call that they make, failing in its turn.
 *
 * A failure that strikes once leaves the file as it was (or the operation done). One
 * that lasts may leave it between; then the caller is told, and recovery, once the
 * store is mended, makes it whole.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store_fault.h"
#include "store_rig.h"
#include "store_test_point.h"

static struct rig rig;

struct trial {
	const struct shift_geometry *geometry;
	struct content before;
	struct content after;
	char what[160];
};

static void trial_begin(struct trial *trial, const struct shift_geometry *g,
			bool sparse)
{
	trial->geometry = g;
	trial->before = content_make(g->size, 5, sparse);
	trial->after = content_copy(&trial->before);
	content_apply(&trial->after, g);
}

static void trial_end(struct trial *trial)
{
	content_free(&trial->before);
	content_free(&trial->after);
}

/* The file is what the operation's answer says. Returns whether that is "between". */
static bool check_answer(const struct trial *trial, int fd, int answer)
{
	struct content got = fd_read(fd);
	const bool before = content_equal(&got, &trial->before);
	const bool after = content_equal(&got, &trial->after);

	content_free(&got);
	ck_assert_msg(answer != 0 || after, "%s: answered done, and is not",
		      trial->what);
	ck_assert_msg(answer >= 0 || before,
		      "%s: answered %d, and the file has changed", trial->what, answer);
	ck_assert_msg(answer != STORE_BETWEEN ||
			      rig_was_told(&rig, STORE_EVENT_PENDING),
		      "%s: nobody was told", trial->what);
	return answer == STORE_BETWEEN;
}

static void check_recovery(const struct trial *trial)
{
	struct content got;

	ck_assert_msg(rig_recover(&rig) == 0, "%s: %s", trial->what, rig.text);
	got = rig_read(&rig, "file");
	ck_assert_msg(content_equal(&got, &trial->before) ||
			      content_equal(&got, &trial->after),
		      "%s: between after recovery: %s", trial->what, rig.text);
	content_free(&got);
	ck_assert_msg(!rig_has_dir(&rig), "%s: .foldfs is left: %s", trial->what,
		      rig.text);
}

/* One run with one failure. Returns whether the failure struck at all. */
static bool fail_at(struct trial *trial, enum store_fault_call call, unsigned long n,
		    int error, bool lasts)
{
	const int fd = rig_write(&rig, "file", &trial->before);
	const struct shift_geometry *g = trial->geometry;
	bool struck;
	int answer;

	snprintf(trial->what, sizeof(trial->what),
		 "%s of %llu at %llu in %llu: %s %lu %s with %d", shift_op_name(g->op),
		 (unsigned long long)g->len, (unsigned long long)g->offset,
		 (unsigned long long)g->size, store_fault_names[call], n,
		 lasts ? "and later fail" : "fails", error);
	rig_forget(&rig);
	store_fault_at(call, n, error, lasts);
	answer = rig_apply(&rig, fd, g);
	struck = store_fault_count(call) >= n;
	store_fault_reset();
	if (check_answer(trial, fd, answer))
		ck_assert_msg(lasts, "%s: could not be undone", trial->what);
	check_recovery(trial);
	close(fd);
	return struck;
}

static void fail_everywhere(const struct shift_geometry *g, enum store_fault_call call,
			    int error)
{
	struct trial trial;

	trial_begin(&trial, g, g->len % 3);
	for (unsigned long n = 1; fail_at(&trial, call, n, error, false); n++)
		fail_at(&trial, call, n, error, true);
	trial_end(&trial);
}

static void fail_on(const char *store, unsigned every)
{
	if (!rig_open(&rig, store, 0))
		return;
	rig_small_windows(&rig);
	rig.ctx.io = &store_fault_io;
	/* Probed before anything fails. */
	fail_everywhere(&rig_geometries[0], STORE_FAULT_CALLS - 1, -EIO);
	for (unsigned i = 0; i < RIG_GEOMETRIES; i += every)
		for (int call = 0; call < STORE_FAULT_CALLS; call++)
			fail_everywhere(&rig_geometries[i], (enum store_fault_call)call,
					i % 2 ? -EIO : -ENOSPC);
	rig_close(&rig);
}

START_TEST(copies_survive_the_failure_of_any_call)
{
	fail_on("tmpfs", 1);
}
END_TEST

START_TEST(reflinks_survive_the_failure_of_any_call)
{
	fail_on("btrfs", 6);
}
END_TEST

START_TEST(a_store_that_fills_up_after_any_number_of_bytes_keeps_the_file)
{
	struct trial trial;

	if (!rig_open(&rig, "tmpfs", 0))
		return;
	rig_small_windows(&rig);
	rig.ctx.io = &store_fault_io;
	for (const struct shift_geometry *g = rig_geometries; g->len; g++) {
		int answer = -1;

		trial_begin(&trial, g, false);
		for (uint64_t room = 0; answer != 0; room += 3000) {
			const int fd = rig_write(&rig, "file", &trial.before);

			snprintf(trial.what, sizeof(trial.what), "room for %llu bytes",
				 (unsigned long long)room);
			rig_forget(&rig);
			store_fault_full_after(room);
			answer = rig_apply(&rig, fd, g);
			store_fault_reset();
			check_answer(&trial, fd, answer);
			check_recovery(&trial);
			close(fd);
		}
		trial_end(&trial);
	}
	rig_close(&rig);
}
END_TEST

/* Fill a small tmpfs but for so many pages. */
static void leave_room(uint64_t pages)
{
	const int fd = openat(rig.source_fd, "filler",
			      O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	const uint64_t step = 16;
	off_t end = 0;

	ck_assert_int_ge(fd, 0);
	for (uint64_t n = step; n > 0;) {
		if (fallocate(fd, 0, end, (off_t)PAGES(n)) == 0) {
			end += (off_t)PAGES(n);
			continue;
		}
		ck_assert_msg(errno == ENOSPC || errno == EINTR, "cannot fill: %m");
		if (errno == ENOSPC)
			n /= 2;
	}
	ck_assert_int_ge(end, (off_t)PAGES(pages));
	ck_assert_int_eq(ftruncate(fd, end - (off_t)PAGES(pages)), 0);
	close(fd);
}

START_TEST(a_store_that_is_really_full_keeps_the_file)
{
	struct trial trial;

	if (!rig_open(&rig, "tmpfs", 2 << 20))
		return;
	rig_small_windows(&rig);
	for (const struct shift_geometry *g = rig_geometries; g->len; g++) {
		trial_begin(&trial, g, true);
		for (uint64_t pages = 0; pages < 40; pages++) {
			int fd;
			int answer;

			(void)unlinkat(rig.source_fd, "filler", 0);
			fd = rig_write(&rig, "file", &trial.before);
			leave_room(pages);
			snprintf(trial.what, sizeof(trial.what), "room for %llu pages",
				 (unsigned long long)pages);
			rig_forget(&rig);
			answer = rig_apply(&rig, fd, g);
			if (check_answer(&trial, fd, answer))
				unlinkat(rig.source_fd, "filler", 0);
			check_recovery(&trial);
			close(fd);
		}
		trial_end(&trial);
	}
	rig_close(&rig);
}
END_TEST

START_TEST(recovery_that_cannot_finish_shuts_the_file_and_tries_again_at_the_next_mount)
{
	struct trial trial;
	int fd;

	if (!rig_open(&rig, "tmpfs", 0))
		return;
	rig_small_windows(&rig);
	rig.ctx.io = &store_fault_io;
	trial_begin(&trial, &rig_geometries[3], false);
	fd = rig_write(&rig, "file", &trial.before);
	store_fault_at(STORE_FAULT_PWRITE, 14, -EIO, true);
	ck_assert_int_eq(rig_apply(&rig, fd, trial.geometry), STORE_BETWEEN);
	/* Nobody may start something else on it meanwhile. */
	store_fault_reset();
	ck_assert_int_eq(rig_apply(&rig, fd, trial.geometry), -EBUSY);
	for (int i = 0; i < 2; i++) {
		rig_forget(&rig);
		store_fault_at(STORE_FAULT_PWRITE, 1, -EIO, true);
		ck_assert_int_eq(rig_recover_on(&rig, &store_fault_io), 0);
		ck_assert(rig_was_told(&rig, STORE_EVENT_BLOCKED));
		ck_assert(rig_is_shut(&rig, "file"));
	}
	store_fault_reset();
	check_recovery(&trial);
	close(fd);
	trial_end(&trial);
	rig_close(&rig);
}
END_TEST

static void lose_directory(enum store_test_point point)
{
	char path[256];

	if (point != STORE_POINT_window_recorded)
		return;
	rig_journal_path(&rig, path);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(unlinkat(rig.source_fd, ".foldfs", AT_REMOVEDIR), 0);
	store_test_point_hook = NULL;
}

START_TEST(a_directory_lost_on_the_way_does_not_stop_an_operation)
{
	struct trial trial;
	int fd;

	if (!rig_open(&rig, "tmpfs", 0))
		return;
	rig_small_windows(&rig);
	trial_begin(&trial, &rig_geometries[3], false);
	fd = rig_write(&rig, "file", &trial.before);
	store_test_point_hook = lose_directory;
	ck_assert_int_eq(rig_apply(&rig, fd, trial.geometry), 0);
	check_answer(&trial, fd, 0);
	check_recovery(&trial);
	close(fd);
	trial_end(&trial);
	rig_close(&rig);
}
END_TEST

static unsigned long points;
static unsigned long die_at;

static void maybe_die(enum store_test_point point)
{
	(void)point;
	if (++points == die_at)
		raise(SIGKILL);
}

START_TEST(a_kill_while_undoing_is_made_whole_too)
{
	struct trial trial;
	bool survived = false;

	if (!rig_open(&rig, "tmpfs", 0))
		return;
	rig_small_windows(&rig);
	rig.ctx.io = &store_fault_io;
	for (const struct shift_geometry *g = rig_geometries; g->len; g++) {
		trial_begin(&trial, g, true);
		survived = false;
		for (unsigned long n = 1; !survived; n++) {
			const int fd = rig_write(&rig, "file", &trial.before);
			const pid_t pid = fork();
			int status;

			ck_assert_int_ge(pid, 0);
			if (pid == 0) {
				die_at = n;
				store_test_point_hook = maybe_die;
				/* The second and later syncs of the way there fail. */
				store_fault_at(STORE_FAULT_FDATASYNC, 5, -EIO, false);
				_exit(rig_apply(&rig, fd, g) < 0 ? 0 : 1);
			}
			close(fd);
			ck_assert_int_eq(waitpid(pid, &status, 0), pid);
			survived = WIFEXITED(status);
			snprintf(trial.what, sizeof(trial.what), "killed at %lu", n);
			check_recovery(&trial);
		}
		trial_end(&trial);
	}
	rig_close(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_failure");
	TCase *tcase = tcase_create("tmpfs");
	TCase *btrfs = tcase_create("btrfs");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 600);
	tcase_set_timeout(btrfs, 600);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, btrfs);
	tcase_add_test(tcase, copies_survive_the_failure_of_any_call);
	tcase_add_test(tcase,
		       a_store_that_fills_up_after_any_number_of_bytes_keeps_the_file);
	tcase_add_test(tcase, a_store_that_is_really_full_keeps_the_file);
	tcase_add_test(
		tcase,
		recovery_that_cannot_finish_shuts_the_file_and_tries_again_at_the_next_mount);
	tcase_add_test(tcase, a_directory_lost_on_the_way_does_not_stop_an_operation);
	tcase_add_test(tcase, a_kill_while_undoing_is_made_whole_too);
	tcase_add_test(btrfs, reflinks_survive_the_failure_of_any_call);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	rig_sweep();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
