/* SPDX-License-Identifier: MIT */
/*
 * Journals that were left: whose they are, which file they mean, and what becomes of
 * those that make no sense. Nothing in a journal may damage a file.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "shift_journal_format.h"
#include "store_rig.h"
#include "store_test_point.h"

static struct rig rig;
static struct content before;
static struct content after;

/* A page out of 20 and a bit, by windows of four pages: staged, and five of them. */
static const struct shift_geometry geometry = {SHIFT_COLLAPSE, PAGES(2), PAGES(1), 0,
					       PAGES(20) + 77};

static void setup(void)
{
	ck_assert(rig_open(&rig, "tmpfs", 0));
	rig_small_windows(&rig);
	before = content_make(geometry.size, 5, false);
	after = content_copy(&before);
	content_apply(&after, &geometry);
}

static void teardown(void)
{
	content_free(&before);
	content_free(&after);
	rig_close(&rig);
}

static enum store_test_point die_at;
static unsigned die_after;

static void maybe_die(enum store_test_point point)
{
	if (point == die_at && die_after-- == 0)
		raise(SIGKILL);
}

/* Die at a point, passed so many times before. */
static void die_in(int fd, const struct shift_geometry *operation,
		   enum store_test_point point, unsigned times)
{
	const pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		die_at = point;
		die_after = times;
		store_test_point_hook = maybe_die;
		rig_apply(&rig, fd, operation);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
}

/* Likewise; the file is `name`. */
static void interrupt(const char *name, enum store_test_point point, unsigned times)
{
	const int fd = rig_write(&rig, name, &before);

	die_in(fd, &geometry, point, times);
	close(fd);
}

static void assert_is(const char *name, const struct content *want)
{
	struct content got = rig_read(&rig, name);

	ck_assert_msg(content_equal(&got, want), "%s: %s", name, rig.text);
	content_free(&got);
}

START_TEST(an_interrupted_operation_is_finished_and_told)
{
	interrupt("file", STORE_POINT_window_applied, 1);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_FINISHED));
	assert_is("file", &after);
	ck_assert(!rig_has_dir(&rig));
}
END_TEST

START_TEST(one_that_had_not_begun_is_undone_and_told)
{
	interrupt("file", STORE_POINT_window_staged, 0);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_UNDONE));
	assert_is("file", &before);
	ck_assert(!rig_has_dir(&rig));
}
END_TEST

START_TEST(several_files_are_all_finished)
{
	char name[16];

	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		interrupt(name, STORE_POINT_window_recorded, (unsigned)i % 3);
	}
	ck_assert_int_eq(rig_recover(&rig), 0);
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		assert_is(name, &after);
	}
}
END_TEST

START_TEST(a_file_that_was_renamed_is_found_by_its_inode)
{
	interrupt("file", STORE_POINT_window_recorded, 1);
	ck_assert_int_eq(mkdirat(rig.source_fd, "a", 0755), 0);
	ck_assert_int_eq(mkdirat(rig.source_fd, "a/b", 0755), 0);
	ck_assert_int_eq(renameat(rig.source_fd, "file", rig.source_fd, "a/b/moved"),
			 0);
	close(rig_write(&rig, "file", &before)); /* another one under the old name */
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_FINISHED));
	assert_is("a/b/moved", &after);
	assert_is("file", &before);
}
END_TEST

START_TEST(a_file_that_was_deleted_costs_nothing)
{
	interrupt("file", STORE_POINT_window_recorded, 1);
	ck_assert_int_eq(unlinkat(rig.source_fd, "file", 0), 0);
	ck_assert_int_eq(rig_recover(&rig), 0);
	/* Only root can be told for certain that an inode is gone. */
	if (geteuid() == 0)
		ck_assert(!rig_has_dir(&rig));
	ck_assert(rig_was_told(&rig,
			       geteuid() == 0 ? STORE_EVENT_GONE : STORE_EVENT_ORPHAN));
}
END_TEST

START_TEST(an_operation_on_an_unlinked_file_works_and_its_journal_is_dropped)
{
	struct content got;
	int status;
	pid_t pid;
	int fd = rig_write(&rig, "file", &before);

	ck_assert_int_eq(unlinkat(rig.source_fd, "file", 0), 0);
	ck_assert_int_eq(rig_apply(&rig, fd, &geometry), 0);
	got = fd_read(fd);
	ck_assert(content_equal(&got, &after));
	content_free(&got);
	pid = fork();
	if (pid == 0) {
		die_at = STORE_POINT_window_recorded;
		store_test_point_hook = maybe_die;
		store_collapse(&rig.ctx, fd, 0, PAGES(1));
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	close(fd);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_GONE));
	ck_assert(!rig_has_dir(&rig));
}
END_TEST

START_TEST(a_file_that_left_source_is_kept_in_mind)
{
	char outside[160];
	char journal[256];

	interrupt("file", STORE_POINT_window_recorded, 1);
	snprintf(outside, sizeof(outside), "%s/outside", rig.dir);
	ck_assert_int_eq(renameat(rig.source_fd, "file", AT_FDCWD, outside), 0);
	ck_assert_int_eq(symlinkat(outside, rig.source_fd, "file"), 0);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_ORPHAN));
	rig_forget(&rig);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_ASIDE));
	/* As the message says: put it back, and take the name's end away. */
	ck_assert_int_eq(unlinkat(rig.source_fd, "file", 0), 0);
	ck_assert_int_eq(renameat(AT_FDCWD, outside, rig.source_fd, "file"), 0);
	rig_journal_path(&rig, journal);
	snprintf(outside, sizeof(outside), "%.*s", (int)strlen(journal) - 6, journal);
	ck_assert_int_eq(rename(journal, outside), 0);
	ck_assert_int_eq(rig_recover(&rig), 0);
	assert_is("file", &after);
	ck_assert(!rig_has_dir(&rig));
}
END_TEST

START_TEST(a_file_that_was_resized_since_is_not_touched)
{
	struct content resized;
	int fd;

	interrupt("file", STORE_POINT_window_recorded, 1);
	fd = openat(rig.source_fd, "file", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, 12345), 0);
	resized = fd_read(fd);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_ORPHAN));
	assert_is("file", &resized);
	content_free(&resized);
	close(fd);
}
END_TEST

static int ready[2];
static int go_on[2];

static void wait_for_parent(enum store_test_point point)
{
	char byte = 0;

	if (point == STORE_POINT_window_recorded)
		if (write(ready[1], &byte, 1) != 1 || read(go_on[0], &byte, 1) != 1)
			_exit(2);
}

START_TEST(a_live_journal_is_left_alone)
{
	const int fd = rig_write(&rig, "file", &before);
	char byte = 0;
	int status;
	pid_t pid;

	ck_assert_int_eq(pipe(ready) | pipe(go_on), 0);
	pid = fork();
	if (pid == 0) {
		store_test_point_hook = wait_for_parent;
		_exit(rig_apply(&rig, fd, &geometry) == 0 ? 0 : 1);
	}
	for (int window = 0; window < 5; window++) {
		ck_assert_int_eq(read(ready[0], &byte, 1), 1);
		rig_forget(&rig);
		ck_assert_int_eq(rig_recover(&rig), 0);
		ck_assert(rig_was_told(&rig, STORE_EVENT_LIVE));
		ck_assert_int_eq(rig_apply(&rig, fd, &geometry), -EBUSY);
		ck_assert_int_eq(write(go_on[1], &byte, 1), 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	assert_is("file", &after);
	close(fd);
}
END_TEST

static int file_to_cut;

static void cut_when_locked(enum store_test_point point)
{
	if (point == STORE_POINT_journal_locked)
		ck_assert_int_eq(ftruncate(file_to_cut, 3), 0);
}

/* Another foldfs, say, has done its operation between our look at the size and the lock. */
START_TEST(a_file_that_is_not_as_long_any_more_is_left_alone)
{
	char bytes[8] = "";

	file_to_cut = rig_write(&rig, "file", &before);
	store_test_point_hook = cut_when_locked;
	ck_assert_int_eq(rig_apply(&rig, file_to_cut, &geometry), -EBUSY);
	store_test_point_hook = NULL;
	ck_assert(rig_was_told(&rig, STORE_EVENT_LIVE));
	ck_assert_int_eq(pread(file_to_cut, bytes, sizeof(bytes), 0), 3);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert_int_eq(pread(file_to_cut, bytes, sizeof(bytes), 0), 3);
	close(file_to_cut);
}
END_TEST

START_TEST(making_a_journal_and_recovering_do_not_race)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		for (;;)
			rig_recover(&rig);
	for (int i = 0; i < 300; i++) {
		const int fd = rig_write(&rig, "file", &before);

		ck_assert_int_eq(rig_apply(&rig, fd, &geometry), 0);
		assert_is("file", &after);
		close(fd);
	}
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}
END_TEST

/* ------------------------------------------------------------------- whose they are */

#define SOMEBODY 65534
#define ANOTHER	 65533

static bool takes_root(void)
{
	if (geteuid() != 0)
		fprintf(stderr, "SKIP: takes root to make what is another user's\n");
	return geteuid() == 0;
}

static void give(const char *name, uid_t uid)
{
	ck_assert_int_eq(fchownat(rig.source_fd, name, uid, uid, AT_SYMLINK_NOFOLLOW),
			 0);
}

/* A journal of root's about "file", as somebody would have it: in a directory of his. */
static void interrupt_as(uid_t dir_owner, uid_t journal_owner, uid_t file_owner)
{
	char path[256];

	interrupt("file", STORE_POINT_window_recorded, 1);
	rig_journal_path(&rig, path);
	ck_assert_int_eq(chown(path, journal_owner, journal_owner), 0);
	give(".foldfs", dir_owner);
	give("file", file_owner);
}

/* Neither touched nor removed, and no reason not to serve. */
static void recover_and_expect_nothing(enum store_event_kind told)
{
	struct content between = rig_read(&rig, "file");
	char path[256];

	rig_forget(&rig);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert_msg(rig_was_told(&rig, told), "%s", rig.text);
	ck_assert_uint_eq(rig.nevents, 1);
	assert_is("file", &between);
	rig_journal_path(&rig, path); /* it is still there */
	content_free(&between);
}

START_TEST(what_another_user_left_shuts_his_file_and_is_not_acted_upon)
{
	if (!takes_root())
		return;
	interrupt_as(SOMEBODY, SOMEBODY, SOMEBODY);
	recover_and_expect_nothing(STORE_EVENT_FOREIGN);
	ck_assert(rig_is_shut(&rig, "file"));
}
END_TEST

START_TEST(nobody_shuts_what_is_not_his)
{
	if (!takes_root())
		return;
	interrupt_as(SOMEBODY, SOMEBODY, ANOTHER);
	recover_and_expect_nothing(STORE_EVENT_FOREIGN);
	ck_assert(!rig_is_shut(&rig, "file"));
}
END_TEST

/* Root's copy of his file, brought to that place: it looks like root's journal. */
START_TEST(a_journal_in_another_user_s_directory_is_never_ours)
{
	if (!takes_root())
		return;
	interrupt_as(SOMEBODY, 0, 0);
	recover_and_expect_nothing(STORE_EVENT_FOREIGN);
	ck_assert(!rig_is_shut(&rig, "file"));
}
END_TEST

START_TEST(a_journal_of_another_user_s_in_our_directory_is_left_alone)
{
	if (!takes_root())
		return;
	interrupt_as(0, SOMEBODY, SOMEBODY);
	recover_and_expect_nothing(STORE_EVENT_NOT_OURS);
}
END_TEST

/* A directory that root made (a backup), renamed by the one to whom SOURCE belongs. */
START_TEST(a_directory_that_others_could_rename_is_ours_only_with_a_mark)
{
	char dir[160];

	if (!takes_root())
		return;
	/* Made in a SOURCE of root's, so it has no mark: like a copy by cp -r. */
	interrupt("file", STORE_POINT_window_recorded, 1);
	snprintf(dir, sizeof(dir), "%s/.foldfs", rig.source);
	ck_assert_int_eq(removexattr(dir, "trusted.foldfs.journals"), -1);
	give(".", SOMEBODY);
	recover_and_expect_nothing(STORE_EVENT_UNPROVEN);
	ck_assert(rig_is_shut(&rig, "file"));
	/* The same SOURCE in root's hands: nobody else could have put it there. */
	give(".", 0);
	ck_assert_int_eq(rig_recover(&rig), 0);
	assert_is("file", &after);
}
END_TEST

START_TEST(in_a_source_that_others_may_rename_in_root_s_own_journals_are_known)
{
	if (!takes_root())
		return;
	give(".", SOMEBODY);
	interrupt("file", STORE_POINT_window_recorded, 1);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_FINISHED));
	assert_is("file", &after);
	ck_assert(!rig_has_dir(&rig));
}
END_TEST

START_TEST(who_takes_our_name_first_stops_nobody)
{
	const mode_t modes[] = {0700, 0777, 0000};

	if (!takes_root())
		return;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		ck_assert_int_eq(mkdirat(rig.source_fd, ".foldfs", 0700), 0);
		give(".foldfs", SOMEBODY);
		ck_assert_int_eq(fchmodat(rig.source_fd, ".foldfs", modes[i], 0), 0);
		interrupt("file", STORE_POINT_window_recorded, 1);
		ck_assert_int_eq(faccessat(rig.source_fd, ".foldfs-0", F_OK, 0), 0);
		ck_assert_int_eq(rig_recover(&rig), 0);
		ck_assert(rig_was_told(&rig, STORE_EVENT_FINISHED));
		assert_is("file", &after);
		ck_assert_int_lt(faccessat(rig.source_fd, ".foldfs-0", F_OK, 0), 0);
		ck_assert_int_eq(unlinkat(rig.source_fd, ".foldfs", AT_REMOVEDIR), 0);
	}
}
END_TEST

static void plant(const char *name, mode_t type)
{
	ck_assert_int_eq(type == S_IFDIR ? mkdirat(rig.source_fd, name, 0777)
			 : type == S_IFLNK
				 ? symlinkat("/etc", rig.source_fd, name)
				 : mknodat(rig.source_fd, name, type | 0666, 0),
			 0);
	give(name, SOMEBODY);
}

START_TEST(who_takes_both_our_names_gives_way)
{
	const mode_t types[] = {S_IFDIR, S_IFREG, S_IFIFO, S_IFLNK};

	if (!takes_root())
		return;
	ck_assert_int_eq(fchmodat(rig.source_fd, ".", 01777, 0), 0);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct stat st;

		plant(".foldfs", types[i]);
		plant(".foldfs-0", types[i]);
		interrupt("file", STORE_POINT_window_recorded, 1);
		ck_assert_int_eq(
			fstatat(rig.source_fd, ".foldfs-0", &st, AT_SYMLINK_NOFOLLOW),
			0);
		ck_assert(S_ISDIR(st.st_mode) && st.st_uid == 0);
		ck_assert_int_eq(rig_recover(&rig), 0);
		assert_is("file", &after);
		(void)unlinkat(rig.source_fd, ".foldfs",
			       types[i] == S_IFDIR ? AT_REMOVEDIR : 0);
	}
}
END_TEST

START_TEST(thousands_of_planted_journals_cost_a_bounded_look)
{
	char name[64];
	int fd;

	if (!takes_root())
		return;
	plant(".foldfs", S_IFDIR);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), ".foldfs/shift-1-%x", i);
		fd = openat(rig.source_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(ftruncate(fd, (off_t)15 << 40), 0);
		close(fd);
		give(name, SOMEBODY);
	}
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert_uint_eq(rig.nevents, 1);
	ck_assert_uint_eq(rig.nshut, 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), ".foldfs/shift-1-%x", i);
		ck_assert_int_eq(unlinkat(rig.source_fd, name, 0), 0);
	}
}
END_TEST

/* Two daemons of different users: each in a directory of its own, never on one file. */
START_TEST(daemons_of_different_users_do_not_work_on_one_file)
{
	char name[64];
	struct stat st;
	int fd;

	if (!takes_root())
		return;
	fd = rig_write(&rig, "file", &before);
	ck_assert_int_eq(fstat(fd, &st), 0);
	plant(".foldfs", S_IFDIR);
	snprintf(name, sizeof(name), ".foldfs/shift-%llx-%llx",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	plant(name, S_IFREG);
	/* Somebody's word does not count about root's file, but about his own. */
	ck_assert_int_eq(rig_apply(&rig, fd, &geometry), 0);
	assert_is("file", &after);
	give("file", SOMEBODY);
	ck_assert_int_eq(ftruncate(fd, (off_t)geometry.size), 0);
	ck_assert_int_eq(rig_apply(&rig, fd, &geometry), -EBUSY);
	ck_assert(rig_was_told(&rig, STORE_EVENT_LIVE));
	close(fd);
}
END_TEST

/* --------------------------------------------------------- what cannot be looked for */

/* Runs as somebody, to whom SOURCE belongs, in a child. */
static void as_somebody(void (*body)(void))
{
	const pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 ||
		    setresgid(SOMEBODY, SOMEBODY, SOMEBODY) < 0 ||
		    setresuid(SOMEBODY, SOMEBODY, SOMEBODY) < 0)
			_exit(2);
		body();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(status == 0, "as somebody: status %#x", status);
}

static void recover_unlistable(void)
{
	if (rig_recover(&rig) != 0 || !rig_was_told(&rig, STORE_EVENT_BLOCKED) ||
	    !rig_is_shut(&rig, "p/moved"))
		_exit(3);
}

START_TEST(a_file_that_may_be_in_an_unlistable_directory_is_shut)
{
	char path[256];

	if (!takes_root())
		return;
	interrupt_as(SOMEBODY, SOMEBODY, SOMEBODY);
	give(".", SOMEBODY);
	ck_assert_int_eq(mkdirat(rig.source_fd, "p", 0700), 0);
	give("p", SOMEBODY);
	ck_assert_int_eq(renameat(rig.source_fd, "file", rig.source_fd, "p/moved"), 0);
	ck_assert_int_eq(fchmodat(rig.source_fd, "p", 0311, 0), 0);
	as_somebody(recover_unlistable);
	/* And when it can be looked into, the file is made whole. */
	ck_assert_int_eq(fchmodat(rig.source_fd, "p", 0755, 0), 0);
	give(".foldfs", 0);
	give(".", 0);
	rig_journal_path(&rig, path);
	ck_assert_int_eq(chown(path, 0, 0), 0);
	ck_assert_int_eq(rig_recover(&rig), 0);
	assert_is("p/moved", &after);
}
END_TEST

/* Directories of long names, one in the other; the innermost is opened. */
static int make_deep(unsigned levels)
{
	int fd = openat(rig.source_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[201];

	memset(name, 'd', 200);
	name[200] = '\0';
	for (unsigned i = 0; i < levels; i++) {
		int next;

		ck_assert_int_eq(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ck_assert_int_ge(next, 0);
		close(fd);
		fd = next;
	}
	return fd;
}

START_TEST(a_file_below_any_path_is_found)
{
	const int dir_fd = make_deep(45); /* twice PATH_MAX */
	struct content got;
	int fd;

	interrupt("file", STORE_POINT_window_recorded, 1);
	ck_assert_int_eq(renameat(rig.source_fd, "file", dir_fd, "moved"), 0);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert_msg(rig_was_told(&rig, STORE_EVENT_FINISHED), "%s", rig.text);
	fd = openat(dir_fd, "moved", O_RDONLY | O_CLOEXEC);
	got = fd_read(fd);
	ck_assert(content_equal(&got, &after));
	content_free(&got);
	close(fd);
	close(dir_fd);
}
END_TEST

/* More than 2 EiB, of which hardly anything is data. */
#define HUGE_BYTES ((uint64_t)3 << 60)
static const uint64_t huge_data[] = {PAGES(100), (uint64_t)1 << 40, (uint64_t)5 << 59};
#define HUGE_DATA (sizeof(huge_data) / sizeof(huge_data[0]))

static const struct shift_geometry huge_collapse = {SHIFT_COLLAPSE, PAGES(1), PAGES(1),
						    0, HUGE_BYTES};

START_TEST(an_operation_on_a_file_of_exbibytes_is_finished)
{
	struct stat attr;
	uint64_t got;
	int fd;

	rig.ctx.window_bytes = rig.ctx.stage_below_bytes = 0; /* as usual */
	fd = openat(rig.source_fd, "huge", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)HUGE_BYTES), 0);
	for (size_t i = 0; i < HUGE_DATA; i++)
		ck_assert_int_eq(pwrite(fd, &huge_data[i], sizeof(huge_data[i]),
					(off_t)huge_data[i]),
				 sizeof(huge_data[i]));
	die_in(fd, &huge_collapse, STORE_POINT_window_applied, 1);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert_msg(rig_was_told(&rig, STORE_EVENT_FINISHED), "%s", rig.text);
	ck_assert(!rig_is_shut(&rig, "huge"));
	ck_assert_int_eq(fstat(fd, &attr), 0);
	ck_assert_uint_eq((uint64_t)attr.st_size, HUGE_BYTES - PAGES(1));
	for (size_t i = 0; i < HUGE_DATA; i++) {
		ck_assert_int_eq(
			pread(fd, &got, sizeof(got), (off_t)(huge_data[i] - PAGES(1))),
			sizeof(got));
		ck_assert_uint_eq(got, huge_data[i]);
	}
	close(fd);
	ck_assert(!rig_has_dir(&rig));
}
END_TEST

START_TEST(an_operation_on_a_file_below_any_path_can_be_recovered)
{
	const int dir_fd = make_deep(25);
	int fd = rig_write(&rig, "file", &before);
	struct content got;
	int status;
	pid_t pid;

	ck_assert_int_eq(renameat(rig.source_fd, "file", dir_fd, "f"), 0);
	pid = fork();
	if (pid == 0) {
		die_at = STORE_POINT_window_applied;
		store_test_point_hook = maybe_die;
		rig_apply(&rig, fd, &geometry);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(rig_recover(&rig), 0);
	got = fd_read(fd);
	ck_assert_msg(content_equal(&got, &after), "%s", rig.text);
	content_free(&got);
	close(fd);
	close(dir_fd);
}
END_TEST

static unsigned long asked;
static unsigned long stop_at;

static bool stop_sometime(void *arg)
{
	(void)arg;
	return ++asked >= stop_at;
}

/* Wherever it is stopped, the next one goes on. */
START_TEST(recovery_that_is_told_to_stop_does_and_loses_nothing)
{
	int err = -EINTR;

	for (stop_at = 1; err == -EINTR; stop_at++) {
		interrupt("file", STORE_POINT_window_recorded, 0);
		rig.stop = stop_sometime;
		asked = 0;
		rig_forget(&rig);
		err = rig_recover(&rig);
		ck_assert_int_eq(err, asked >= stop_at ? -EINTR : 0);
		rig.stop = NULL;
		ck_assert_int_eq(rig_recover(&rig), 0);
		assert_is("file", &after);
	}
	ck_assert_uint_gt(stop_at, 5);
}
END_TEST

/* --------------------------------------------------------------------------- fuzz */

static struct content journal_bytes;
static struct content file_between;

static void capture(enum store_test_point point, unsigned times)
{
	char path[256];
	int fd;

	interrupt("file", point, times);
	rig_journal_path(&rig, path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	journal_bytes = fd_read(fd);
	close(fd);
	ck_assert_int_eq(unlink(path), 0);
	file_between = rig_read(&rig, "file");
}

/* The captured file again, in place, with this journal. */
static void put_back(const struct content *journal)
{
	int fd;

	(void)mkdirat(rig.source_fd, ".foldfs", 0700);
	(void)unlinkat(rig.source_fd, ".foldfs/shift-1-1", 0);
	(void)unlinkat(rig.source_fd, ".foldfs/shift-1-1.aside", 0);
	fd = openat(rig.source_fd, ".foldfs/shift-1-1", O_RDWR | O_CREAT | O_CLOEXEC,
		    0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, journal->bytes, journal->size, 0),
			 (ssize_t)journal->size);
	close(fd);
	fd = openat(rig.source_fd, "file", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(ftruncate(fd, (off_t)file_between.size), 0);
	ck_assert_int_eq(pwrite(fd, file_between.bytes, file_between.size, 0),
			 (ssize_t)file_between.size);
	close(fd);
}

/* The file is whole, or not touched at all; the other file is untouched. */
static void assert_undamaged(const struct content *other, const char *what, unsigned n)
{
	struct content got = rig_read(&rig, "file");

	ck_assert_msg(content_equal(&got, &after) || content_equal(&got, &before) ||
			      content_equal(&got, &file_between),
		      "%s %u: the file is damaged: %s", what, n, rig.text);
	content_free(&got);
	assert_is("other", other);
}

static void recover_with(const struct content *journal, const struct content *other,
			 const char *what, unsigned n)
{
	put_back(journal);
	rig_forget(&rig);
	ck_assert_int_le(rig_recover(&rig), 0);
	assert_undamaged(other, what, n);
}

/* Everything that recovery reads: the header, both records, staged bytes. */
static uint64_t interesting(unsigned *seed)
{
	const uint64_t starts[] = {0, SHIFT_RECORD_AT(0), SHIFT_RECORD_AT(1),
				   SHIFT_DATA_AT, SHIFT_DATA_AT + SHIFT_AREA_ALIGN};
	const uint64_t lengths[] = {SHIFT_HEADER_BYTES, 88, 88, PAGES(1),
				    journal_bytes.size - SHIFT_DATA_AT -
					    SHIFT_AREA_ALIGN};
	const unsigned i = (unsigned)rand_r(seed) % 5;

	return starts[i] + (uint64_t)rand_r(seed) % lengths[i];
}

START_TEST(a_journal_with_any_bytes_flipped_damages_nothing)
{
	struct content other = content_make(PAGES(3), 77, false);
	unsigned seed = 4711;

	close(rig_write(&rig, "other", &other));
	capture(STORE_POINT_window_applied, (unsigned)_i);
	for (unsigned n = 0; n < 500; n++) {
		struct content journal = content_copy(&journal_bytes);
		const unsigned flips = 1 + (unsigned)rand_r(&seed) % 3;

		for (unsigned k = 0; k < flips; k++)
			journal.bytes[interesting(&seed)] ^=
				(uint8_t)(1 + rand_r(&seed) % 255);
		if (rand_r(&seed) % 8 == 0)
			journal.size = (uint64_t)rand_r(&seed) % journal.size;
		recover_with(&journal, &other, "flips", n);
		content_free(&journal);
	}
	content_free(&other);
	content_free(&journal_bytes);
	content_free(&file_between);
}
END_TEST

/* Wrong numbers under right checksums: what a forger, or a bug, would write. */
START_TEST(a_record_with_forged_numbers_is_refused_or_harmless)
{
	struct shift_journal journal = {.id = 0};
	struct shift_record record;
	uint64_t sequence;
	unsigned seed = 99;
	unsigned accepted = 0;

	capture(STORE_POINT_window_applied, 2);
	ck_assert_int_eq(shift_header_decode(journal_bytes.bytes, &journal), 0);
	for (unsigned n = 0; n < 20000; n++) {
		char buf[SHIFT_RECORD_BYTES];
		const struct shift_record forged = {
			.state = (enum shift_state)(rand_r(&seed) % 7),
			.staged = rand_r(&seed) % 2,
			.start = (uint64_t)rand_r(&seed) % 40 * 2048,
			.bytes = (uint64_t)rand_r(&seed) % 40 * 2048 +
				 (rand_r(&seed) % 4 ? 0 : UINT64_MAX / 2),
		};

		shift_record_encode(journal.id, n, &forged, buf);
		if (shift_record_decode(buf, &journal, &sequence, &record) < 0)
			continue;
		accepted++;
		ck_assert_uint_le(record.start + record.bytes,
				  shift_count(&journal.geometry));
		ck_assert(record.staged || record.bytes <= geometry.len);
	}
	ck_assert_uint_gt(accepted, 0);
	content_free(&journal_bytes);
	content_free(&file_between);
}
END_TEST

START_TEST(a_header_with_forged_numbers_is_refused_or_makes_sense)
{
	struct shift_journal journal = {.id = 7, .area_bytes = SHIFT_AREA_ALIGN};
	unsigned seed = 98;

	for (unsigned n = 0; n < 20000; n++) {
		char buf[SHIFT_HEADER_BYTES];
		struct shift_journal decoded;

		journal.geometry = (struct shift_geometry){
			.op = (enum shift_op)(rand_r(&seed) % 5),
			.offset = (uint64_t)rand_r(&seed) << rand_r(&seed) % 33,
			.len = (uint64_t)rand_r(&seed) << rand_r(&seed) % 33,
			.destination = (uint64_t)rand_r(&seed) << rand_r(&seed) % 33,
			.size = (uint64_t)rand_r(&seed) << rand_r(&seed) % 33,
		};
		journal.geometry.offset &= ~(uint64_t)4095;
		journal.geometry.len &= ~(uint64_t)4095;
		journal.area_bytes = (uint64_t)rand_r(&seed) << rand_r(&seed) % 40;
		shift_header_encode(&journal, buf);
		if (shift_header_decode(buf, &decoded) < 0)
			continue;
		ck_assert_int_eq(shift_geometry_check(&decoded.geometry), 0);
		ck_assert_uint_le(shift_journal_area_at(&decoded, 1) +
					  decoded.area_bytes,
				  INT64_MAX);
	}
}
END_TEST

START_TEST(a_path_that_leads_out_of_source_leads_nowhere)
{
	const char *const paths[] = {"../outside", "/etc/passwd", "link",
				     "dir/../../outside"};
	struct content other = content_make(geometry.size, 77, false);
	char outside[160];

	capture(STORE_POINT_window_applied, 1);
	snprintf(outside, sizeof(outside), "%s/outside", rig.dir);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct shift_journal journal = {.id = 0};
		struct content forged = content_copy(&journal_bytes);

		/* The very file, so only its place speaks against it. */
		ck_assert_int_eq(shift_header_decode(forged.bytes, &journal), 0);
		snprintf(journal.target.path, sizeof(journal.target.path), "%s",
			 paths[i]);
		shift_header_encode(&journal, forged.bytes);
		put_back(&forged);
		(void)unlinkat(rig.source_fd, "link", 0);
		ck_assert_int_eq(renameat(rig.source_fd, "file", AT_FDCWD, outside), 0);
		ck_assert_int_eq(symlinkat(outside, rig.source_fd, "link"), 0);
		rig_forget(&rig);
		ck_assert_int_eq(rig_recover(&rig), 0);
		ck_assert(rig_was_told(&rig, STORE_EVENT_ORPHAN));
		ck_assert_int_eq(renameat(AT_FDCWD, outside, rig.source_fd, "file"), 0);
		assert_is("file", &file_between);
		content_free(&forged);
	}
	content_free(&other);
	content_free(&journal_bytes);
	content_free(&file_between);
}
END_TEST

START_TEST(things_that_are_no_journals_are_left_alone)
{
	char outside[160];

	ck_assert_int_eq(mkdirat(rig.source_fd, ".foldfs", 0700), 0);
	close(openat(rig.source_fd, ".foldfs/notes", O_RDWR | O_CREAT | O_CLOEXEC,
		     0600));
	ck_assert_int_eq(mkdirat(rig.source_fd, ".foldfs/shift-dir", 0700), 0);
	snprintf(outside, sizeof(outside), "%s/outside", rig.dir);
	ck_assert_int_eq(symlinkat(outside, rig.source_fd, ".foldfs/shift-link"), 0);
	ck_assert_int_eq(
		mknodat(rig.source_fd, ".foldfs/shift-fifo", S_IFIFO | 0600, 0), 0);
	/* They are not ours, and a mount must not be taken in by them. */
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_NOT_OURS));
	ck_assert_uint_eq(rig.nevents, 3);
	ck_assert_int_eq(faccessat(rig.source_fd, ".foldfs/notes", F_OK, 0), 0);
	ck_assert_int_eq(access(outside, F_OK), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shift_journal");
	TCase *tcase = tcase_create("shift_journal");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 300);
	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, an_interrupted_operation_is_finished_and_told);
	tcase_add_test(tcase, one_that_had_not_begun_is_undone_and_told);
	tcase_add_test(tcase, several_files_are_all_finished);
	tcase_add_test(tcase, a_file_that_was_renamed_is_found_by_its_inode);
	tcase_add_test(tcase, a_file_that_was_deleted_costs_nothing);
	tcase_add_test(
		tcase,
		an_operation_on_an_unlinked_file_works_and_its_journal_is_dropped);
	tcase_add_test(tcase, a_file_that_left_source_is_kept_in_mind);
	tcase_add_test(tcase, a_file_that_was_resized_since_is_not_touched);
	tcase_add_test(tcase, a_live_journal_is_left_alone);
	tcase_add_test(tcase, a_file_that_is_not_as_long_any_more_is_left_alone);
	tcase_add_test(tcase, making_a_journal_and_recovering_do_not_race);
	tcase_add_test(tcase,
		       what_another_user_left_shuts_his_file_and_is_not_acted_upon);
	tcase_add_test(tcase, nobody_shuts_what_is_not_his);
	tcase_add_test(tcase, a_journal_in_another_user_s_directory_is_never_ours);
	tcase_add_test(tcase,
		       a_journal_of_another_user_s_in_our_directory_is_left_alone);
	tcase_add_test(tcase,
		       a_directory_that_others_could_rename_is_ours_only_with_a_mark);
	tcase_add_test(
		tcase,
		in_a_source_that_others_may_rename_in_root_s_own_journals_are_known);
	tcase_add_test(tcase, who_takes_our_name_first_stops_nobody);
	tcase_add_test(tcase, who_takes_both_our_names_gives_way);
	tcase_add_test(tcase, thousands_of_planted_journals_cost_a_bounded_look);
	tcase_add_test(tcase, daemons_of_different_users_do_not_work_on_one_file);
	tcase_add_test(tcase, a_file_that_may_be_in_an_unlistable_directory_is_shut);
	tcase_add_test(tcase, a_file_below_any_path_is_found);
	tcase_add_test(tcase, an_operation_on_a_file_of_exbibytes_is_finished);
	tcase_add_test(tcase, an_operation_on_a_file_below_any_path_can_be_recovered);
	tcase_add_test(tcase, recovery_that_is_told_to_stop_does_and_loses_nothing);
	tcase_add_loop_test(tcase, a_journal_with_any_bytes_flipped_damages_nothing, 0,
			    3);
	tcase_add_test(tcase, a_record_with_forged_numbers_is_refused_or_harmless);
	tcase_add_test(tcase, a_header_with_forged_numbers_is_refused_or_makes_sense);
	tcase_add_test(tcase, a_path_that_leads_out_of_source_leads_nowhere);
	tcase_add_test(tcase, things_that_are_no_journals_are_left_alone);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	rig_sweep();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
