/* SPDX-License-Identifier: MIT */
/*
 * Range operations on the store: every way of doing them, on every store, against a
 * model; their errors; what they leave behind, which is nothing.
 */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shift_recover.h"
#include "store_rig.h"

static const char *const stores[] = {"tmpfs", "ext4", "xfs", "btrfs"};
#define STORES ((int)(sizeof(stores) / sizeof(stores[0])))

static const unsigned ways[] = {
	0,
	STORE_AVOID_NATIVE,
	STORE_AVOID_NATIVE | STORE_AVOID_REFLINK,
};

static struct rig rig;

static void compare_with_model(const struct shift_geometry *g, unsigned avoid,
			       bool sparse)
{
	struct content want = content_make(g->size, 5, sparse);
	const int fd = rig_write(&rig, "file", &want);
	struct content got;

	rig.ctx.avoid = avoid;
	ck_assert_int_eq(rig_apply(&rig, fd, g), 0);
	content_apply(&want, g);
	got = fd_read(fd);
	ck_assert_msg(content_equal(&want, &got),
		      "%s of %llu at %llu in %llu, avoiding %u, differs on %s",
		      shift_op_name(g->op), (unsigned long long)g->len,
		      (unsigned long long)g->offset, (unsigned long long)g->size, avoid,
		      rig.store);
	content_free(&got);
	content_free(&want);
	close(fd);
}

START_TEST(every_way_of_doing_it_does_what_the_model_does)
{
	if (!rig_open(&rig, stores[_i], 0))
		return;
	rig_small_windows(&rig);
	for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++)
		for (const struct shift_geometry *g = rig_geometries; g->len; g++) {
			compare_with_model(g, ways[way], false);
			compare_with_model(g, ways[way], true);
		}
	rig_close(&rig);
}
END_TEST

START_TEST(windows_of_the_usual_size_do_the_same)
{
	const struct shift_geometry cases[] = {
		{SHIFT_COLLAPSE, PAGES(1), PAGES(1), 0, 70000001},
		{SHIFT_INSERT, PAGES(1), PAGES(1), 0, 70000001},
		{SHIFT_COLLAPSE, PAGES(1), 20u << 20, 0, 70000001},
		{SHIFT_MOVE, PAGES(1), 20u << 20, 24u << 20, 70000001},
	};

	if (!rig_open(&rig, stores[_i], 0))
		return;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		compare_with_model(&cases[i], STORE_AVOID_NATIVE | STORE_AVOID_REFLINK,
				   i % 2);
	rig_close(&rig);
}
END_TEST

START_TEST(holes_stay_holes)
{
	const struct shift_geometry g = {SHIFT_COLLAPSE, PAGES(1), PAGES(1), 0,
					 PAGES(64)};
	struct content content = content_make(g.size, 3, true);
	uint64_t before;
	int fd;

	if (!rig_open(&rig, stores[_i], 0))
		return;
	rig_small_windows(&rig);
	rig.ctx.avoid = STORE_AVOID_NATIVE | STORE_AVOID_REFLINK;
	fd = rig_write(&rig, "file", &content);
	before = fd_hole_bytes(fd);
	ck_assert_uint_gt(before, PAGES(16));
	ck_assert_int_eq(rig_apply(&rig, fd, &g), 0);
	ck_assert_uint_ge(fd_hole_bytes(fd) + PAGES(1), before);
	close(fd);
	content_free(&content);
	rig_close(&rig);
}
END_TEST

START_TEST(a_file_of_eight_tebibytes_of_holes_takes_no_time)
{
	const uint64_t size = (uint64_t)8 << 40;
	uint64_t word = 42;
	int fd;

	if (!rig_open(&rig, "tmpfs", 0))
		return;
	fd = openat(rig.source_fd, "huge", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(pwrite(fd, &word, 8, (off_t)PAGES(1) << 30), 8);
	ck_assert_int_eq(store_collapse(&rig.ctx, fd, 0, PAGES(1)), 0);
	ck_assert_int_eq(store_insert(&rig.ctx, fd, PAGES(5), PAGES(2)), 0);
	word = 0;
	ck_assert_int_eq(pread(fd, &word, 8, (off_t)(PAGES(1) << 30) + 4096), 8);
	ck_assert_uint_eq(word, 42);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)(size + PAGES(1)));
	close(fd);
	rig_close(&rig);
}
END_TEST

static void assert_refusals(int fd)
{
	const struct store_range_ctx *ctx = &rig.ctx;
	const uint64_t size = PAGES(8);

	ck_assert_int_eq(store_collapse(ctx, fd, 0, 0), -EINVAL);
	ck_assert_int_eq(store_collapse(ctx, fd, 1, PAGES(1)), -EINVAL);
	ck_assert_int_eq(store_collapse(ctx, fd, 0, 100), -EINVAL);
	ck_assert_int_eq(store_collapse(ctx, fd, PAGES(7), PAGES(1)), -EINVAL);
	ck_assert_int_eq(store_collapse(ctx, fd, 0, INT64_MAX - 4095 + PAGES(1)),
			 -EFBIG);
	ck_assert_int_eq(store_insert(ctx, fd, size, PAGES(1)), -EINVAL);
	ck_assert_int_eq(store_insert(ctx, fd, 0, INT64_MAX - 4095), -EFBIG);
	ck_assert_int_eq(store_move(ctx, fd, 0, PAGES(2), PAGES(1)), -EINVAL);
	ck_assert_int_eq(store_move(ctx, fd, PAGES(1), PAGES(2), PAGES(1)), -EINVAL);
	ck_assert_int_eq(store_move(ctx, fd, 0, PAGES(2), PAGES(7)), -EINVAL);
	ck_assert_int_eq(store_move(ctx, fd, PAGES(7), PAGES(2), 0), -EINVAL);
	ck_assert_int_eq(store_move(ctx, fd, 0, PAGES(1), 5), -EINVAL);
	ck_assert_int_eq(store_punch(ctx, fd, 0, 0), -EINVAL);
	ck_assert_int_eq(store_zero(ctx, fd, 77, 0), -EINVAL);
	ck_assert_int_eq(store_punch(ctx, fd, INT64_MAX - 4095, PAGES(1)), -EFBIG);
}

START_TEST(what_makes_no_sense_is_refused_and_changes_nothing)
{
	struct content content = content_make(PAGES(8), 9, false);
	struct content got;
	int fd;

	if (!rig_open(&rig, stores[_i], 0))
		return;
	fd = rig_write(&rig, "file", &content);
	for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
		rig.ctx.avoid = ways[way];
		assert_refusals(fd);
	}
	got = fd_read(fd);
	ck_assert(content_equal(&content, &got));
	ck_assert(!rig_has_dir(&rig));
	close(fd);
	content_free(&got);
	content_free(&content);
	rig_close(&rig);
}
END_TEST

START_TEST(growing_past_the_store_s_limit_is_efbig_and_changes_nothing)
{
	/* ext4 ends at 16 TiB, the others below 2^63. */
	const uint64_t len =
		strcmp(stores[_i], "ext4") == 0
			? (uint64_t)16 << 40
			: ((uint64_t)INT64_MAX & ~(uint64_t)4095) - PAGES(7);
	struct content content = content_make(PAGES(8) + 4000, 9, false);
	struct content got;
	int fd;

	if (!rig_open(&rig, stores[_i], 0))
		return;
	for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
		rig.ctx.avoid = ways[way];
		fd = rig_write(&rig, "file", &content);
		ck_assert_int_eq(store_insert(&rig.ctx, fd, PAGES(1), len), -EFBIG);
		got = fd_read(fd);
		ck_assert(content_equal(&content, &got));
		content_free(&got);
		close(fd);
	}
	content_free(&content);
	rig_close(&rig);
}
END_TEST

static void assert_clears(int (*clear)(const struct store_range_ctx *, int, uint64_t,
				       uint64_t),
			  uint64_t offset, uint64_t len)
{
	struct content want = content_make(PAGES(8) + 17, 9, true);
	const int fd = rig_write(&rig, "file", &want);
	struct content got;

	ck_assert_int_eq(clear(&rig.ctx, fd, offset, len), 0);
	for (uint64_t i = offset; i < offset + len && i < want.size; i++)
		want.bytes[i] = 0;
	got = fd_read(fd);
	ck_assert(content_equal(&want, &got));
	content_free(&got);
	content_free(&want);
	close(fd);
}

static int refuse_fallocate(int fd, int mode, uint64_t offset, uint64_t len)
{
	(void)fd, (void)mode, (void)offset, (void)len;
	return -EOPNOTSUPP;
}

START_TEST(punch_and_zero_clear_and_keep_the_size)
{
	struct store_io no_fallocate = store_io_system;

	no_fallocate.fallocate = refuse_fallocate;
	if (!rig_open(&rig, stores[_i], 0))
		return;
	for (int pass = 0; pass < 2; pass++) {
		assert_clears(store_punch, PAGES(2), PAGES(3));
		assert_clears(store_punch, PAGES(2), PAGES(300));
		assert_clears(store_punch, PAGES(200), PAGES(3));
		assert_clears(store_punch, 7, PAGES(3) + 11);
		assert_clears(store_zero, PAGES(1) + 7, 100);
		assert_clears(store_zero, PAGES(2), PAGES(3));
		assert_clears(store_zero, PAGES(2), PAGES(30));
		/* And on a store that can do nothing of it. */
		rig.ctx.io = &no_fallocate;
		store_probe_free(rig.ctx.probe);
		rig.ctx.probe = store_probe_new();
	}
	rig_close(&rig);
}
END_TEST

START_TEST(only_regular_files_have_ranges)
{
	int fds[2];
	int dir;

	if (!rig_open(&rig, "tmpfs", 0))
		return;
	dir = openat(rig.source_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_eq(store_collapse(&rig.ctx, dir, 0, PAGES(1)), -EISDIR);
	ck_assert_int_eq(store_punch(&rig.ctx, dir, 0, PAGES(1)), -EISDIR);
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(store_move(&rig.ctx, fds[1], 0, PAGES(1), PAGES(1)), -ENODEV);
	close(dir);
	close(fds[0]);
	close(fds[1]);
	rig_close(&rig);
}
END_TEST

static unsigned collapses_tried;

static int count_collapses(int fd, int mode, uint64_t offset, uint64_t len)
{
	collapses_tried += mode == 8; /* FALLOC_FL_COLLAPSE_RANGE */
	return store_io_system.fallocate(fd, mode, offset, len);
}

START_TEST(a_file_system_is_probed_once_and_nothing_of_it_is_left)
{
	struct store_io counting = store_io_system;
	struct content content = content_make(PAGES(8), 9, false);
	int fd;

	counting.fallocate = count_collapses;
	if (!rig_open(&rig, "tmpfs", 0))
		return;
	rig.ctx.io = &counting;
	fd = rig_write(&rig, "file", &content);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(store_collapse(&rig.ctx, fd, 0, PAGES(1)), 0);
	ck_assert_uint_eq(collapses_tried, 1);
	shift_recover_cleanup(rig.source_fd);
	ck_assert(!rig_has_dir(&rig));
	close(fd);
	content_free(&content);
	rig_close(&rig);
}
END_TEST

static int refusal;

static int over_quota(int fd, int mode, uint64_t offset, uint64_t len)
{
	(void)fd;
	(void)mode;
	(void)offset;
	(void)len;
	return refusal;
}

START_TEST(what_there_is_no_room_for_now_is_not_taken_for_impossible)
{
	const int errors[] = {-EDQUOT, -ENOSPC, -EPERM, -EACCES, -EIO, -ENOMEM};
	struct store_io full = store_io_system;
	struct content content = content_make(PAGES(8), 9, false);
	struct store_abilities can;
	int fd;

	full.fallocate = over_quota;
	if (!rig_open(&rig, "tmpfs", 0))
		return;
	fd = rig_write(&rig, "file", &content);
	/* Nor what this caller may not. */
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		refusal = errors[i];
		can = store_probe_ask(rig.ctx.probe, &full, rig.source_fd, fd);
		ck_assert(can.punch && can.zero && can.collapse && can.insert);
	}
	/* And is asked anew: tmpfs has no collapse. */
	can = store_probe_ask(rig.ctx.probe, &store_io_system, rig.source_fd, fd);
	ck_assert(can.punch && !can.collapse);
	close(fd);
	content_free(&content);
	rig_close(&rig);
}
END_TEST

START_TEST(the_directory_goes_when_the_mount_does)
{
	struct content content = content_make(PAGES(8), 9, false);
	struct stat st;
	int fd;

	if (!rig_open(&rig, "tmpfs", 0))
		return;
	fd = rig_write(&rig, "file", &content);
	ck_assert_int_eq(store_collapse(&rig.ctx, fd, 0, PAGES(1)), 0);
	ck_assert_int_eq(fstatat(rig.source_fd, ".foldfs", &st, 0), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0711);
	shift_recover_cleanup(rig.source_fd);
	ck_assert(!rig_has_dir(&rig));
	close(fd);
	content_free(&content);
	rig_close(&rig);
}
END_TEST

/* As nobody, in a SOURCE that belongs to root; the file may be written. */
static void as_nobody(int fd)
{
	const struct shift_geometry g = {SHIFT_COLLAPSE, 0, PAGES(1), 0, PAGES(8)};

	if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
	    setresuid(65534, 65534, 65534) < 0)
		_exit(2);
	if (rig_apply(&rig, fd, &g) != -EOPNOTSUPP)
		_exit(3);
	_exit(rig_was_told(&rig, STORE_EVENT_REFUSED) ? 0 : 4);
}

START_TEST(a_source_that_may_not_be_written_refuses_what_needs_a_journal)
{
	struct content content = content_make(PAGES(8), 9, false);
	struct content got;
	int status;
	pid_t pid;
	int fd;

	if (geteuid() != 0) {
		fprintf(stderr, "SKIP: takes root to become somebody else\n");
		return;
	}
	if (!rig_open(&rig, "tmpfs", 0))
		return;
	fd = rig_write(&rig, "file", &content);
	pid = fork();
	if (pid == 0)
		as_nobody(fd);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	got = fd_read(fd);
	ck_assert(content_equal(&content, &got));
	content_free(&got);
	content_free(&content);
	close(fd);
	rig_close(&rig);
}
END_TEST

START_TEST(a_directory_that_others_may_write_is_not_trusted_and_stops_nobody)
{
	struct content content = content_make(PAGES(8), 9, false);
	int fd;

	if (!rig_open(&rig, "tmpfs", 0))
		return;
	fd = rig_write(&rig, "file", &content);
	ck_assert_int_eq(mkdirat(rig.source_fd, ".foldfs", 0700), 0);
	ck_assert_int_eq(fchmodat(rig.source_fd, ".foldfs", 0777, 0), 0);
	ck_assert_int_eq(store_collapse(&rig.ctx, fd, 0, PAGES(1)), 0);
	ck_assert_int_eq(rig_recover(&rig), 0);
	ck_assert(rig_was_told(&rig, STORE_EVENT_FOREIGN));
	close(fd);
	content_free(&content);
	rig_close(&rig);
}
END_TEST

/* A clock that goes on by a second whenever somebody looks. */
static uint64_t clock_ms;

static uint64_t hasty_clock_ms(void)
{
	return clock_ms += 1000;
}

START_TEST(long_operations_tell_how_far_they_are_every_ten_seconds)
{
	struct content content = content_make(PAGES(200), 9, false);
	int fd;

	if (!rig_open(&rig, "tmpfs", 0))
		return;
	rig_small_windows(&rig);
	rig.ctx.clock_ms = hasty_clock_ms;
	fd = rig_write(&rig, "file", &content);
	/* Windows of four pages, so 50 of them, each of which looks once, or twice if it
	 * tells. */
	ck_assert_int_eq(store_collapse(&rig.ctx, fd, 0, PAGES(1)), 0);
	ck_assert_uint_eq(rig.nevents, 5);
	ck_assert_str_eq(rig.text,
			 "file: collapse of 4096 bytes at offset 0: 815104 of "
			 "815104 bytes moved");
	/* What was not long says nothing. */
	rig_forget(&rig);
	ck_assert_int_eq(ftruncate(fd, PAGES(20)), 0);
	ck_assert_int_eq(store_collapse(&rig.ctx, fd, 0, PAGES(1)), 0);
	ck_assert_uint_eq(rig.nevents, 0);
	close(fd);
	content_free(&content);
	rig_close(&rig);
}
END_TEST

static unsigned long calls;

static ssize_t counted_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	calls++;
	return store_io_system.pwrite(fd, buf, len, offset);
}

static int counted_fallocate(int fd, int mode, uint64_t offset, uint64_t len)
{
	calls++;
	return store_io_system.fallocate(fd, mode, offset, len);
}

/* A page of data here and there in eight exbibytes. */
static int open_huge(uint64_t size, const uint64_t *data, size_t count)
{
	const int fd = openat(rig.source_fd, "huge",
			      O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(pwrite(fd, &data[i], sizeof(data[i]), (off_t)data[i]),
				 sizeof(data[i]));
	return fd;
}

static void assert_data_at(int fd, uint64_t expected, uint64_t offset)
{
	uint64_t got;

	ck_assert_int_eq(pread(fd, &got, sizeof(got), (off_t)offset), sizeof(got));
	ck_assert_uint_eq(got, expected);
	ck_assert_int_eq(lseek(fd, (off_t)offset, SEEK_DATA), (off_t)offset);
}

/* What it costs is what there is: counted, not timed. */
START_TEST(holes_cost_nothing_however_large)
{
	const uint64_t end = (uint64_t)INT64_MAX & ~(uint64_t)4095;
	const uint64_t data[] = {PAGES(100), (uint64_t)1 << 40, (uint64_t)1 << 61};
	const uint64_t lens[] = {PAGES(1), PAGES(16), PAGES(256), (uint64_t)1 << 41};
	struct store_io counting = store_io_system;

	counting.pwrite = counted_pwrite;
	counting.fallocate = counted_fallocate;
	if (!rig_open(&rig, "tmpfs", 0))
		return;
	rig.ctx.io = &counting;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		const uint64_t len = lens[i];
		int fd = open_huge(end - len, data, 3);

		calls = 0;
		ck_assert_int_eq(store_insert(&rig.ctx, fd, PAGES(50), len), 0);
		for (size_t k = 0; k < 3; k++)
			assert_data_at(fd, data[k], data[k] + len);
		ck_assert_int_eq(store_collapse(&rig.ctx, fd, PAGES(50), len), 0);
		for (size_t k = 0; k < 3; k++)
			assert_data_at(fd, data[k], data[k]);
		ck_assert_uint_lt(calls, 300);
		/* And one without any data. */
		close(fd);
		fd = open_huge(end, NULL, 0);
		calls = 0;
		ck_assert_int_eq(store_collapse(&rig.ctx, fd, 0, len), 0);
		ck_assert_uint_lt(calls, 50);
		close(fd);
	}
	rig_close(&rig);
}
END_TEST

static unsigned long asked;
static unsigned long wish_at;
static enum shift_wish what_wish;

static enum shift_wish wish_sometime(void *arg)
{
	(void)arg;
	return ++asked >= wish_at ? what_wish : SHIFT_GO_ON;
}

/* At every moment at which it asks. */
static void wish_everywhere(const struct shift_geometry *g, enum shift_wish wish)
{
	struct content before = content_make(g->size, 9, true);
	struct content after = content_copy(&before);
	int answer = 1;

	content_apply(&after, g);
	rig.ctx.wish = wish_sometime;
	what_wish = wish;
	for (wish_at = 1; answer != 0; wish_at++) {
		const int fd = rig_write(&rig, "file", &before);
		struct content got;

		asked = 0;
		answer = rig_apply(&rig, fd, g);
		if (wish == SHIFT_STOP)
			ck_assert_int_eq(rig_recover(&rig), 0);
		got = fd_read(fd);
		if (answer == STORE_BETWEEN)
			ck_assert(wish == SHIFT_STOP && (content_equal(&got, &after) ||
							 content_equal(&got, &before)));
		else if (answer < 0)
			ck_assert(answer == -EINTR && content_equal(&got, &before));
		else
			ck_assert(content_equal(&got, &after));
		content_free(&got);
		close(fd);
	}
	ck_assert_uint_gt(wish_at, 2);
	content_free(&before);
	content_free(&after);
}

static void wish_on_all(enum shift_wish wish)
{
	if (!rig_open(&rig, "tmpfs", 0))
		return;
	rig_small_windows(&rig);
	for (const struct shift_geometry *g = rig_geometries; g->len; g++)
		wish_everywhere(g, wish);
	rig_close(&rig);
}

START_TEST(an_operation_that_nobody_wants_any_more_is_undone)
{
	wish_on_all(SHIFT_GO_BACK);
}
END_TEST

START_TEST(an_operation_that_nobody_can_wait_for_is_left_to_recovery)
{
	wish_on_all(SHIFT_STOP);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_range");
	TCase *tcase = tcase_create("store_range");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, 300);
	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, every_way_of_doing_it_does_what_the_model_does, 0,
			    STORES);
	tcase_add_loop_test(tcase, windows_of_the_usual_size_do_the_same, 0, STORES);
	tcase_add_loop_test(tcase, holes_stay_holes, 0, STORES);
	tcase_add_test(tcase, a_file_of_eight_tebibytes_of_holes_takes_no_time);
	tcase_add_loop_test(tcase, what_makes_no_sense_is_refused_and_changes_nothing,
			    0, STORES);
	tcase_add_loop_test(tcase,
			    growing_past_the_store_s_limit_is_efbig_and_changes_nothing,
			    0, STORES);
	tcase_add_loop_test(tcase, punch_and_zero_clear_and_keep_the_size, 0, STORES);
	tcase_add_test(tcase, only_regular_files_have_ranges);
	tcase_add_test(tcase, a_file_system_is_probed_once_and_nothing_of_it_is_left);
	tcase_add_test(tcase,
		       what_there_is_no_room_for_now_is_not_taken_for_impossible);
	tcase_add_test(tcase, the_directory_goes_when_the_mount_does);
	tcase_add_test(tcase,
		       a_source_that_may_not_be_written_refuses_what_needs_a_journal);
	tcase_add_test(
		tcase,
		a_directory_that_others_may_write_is_not_trusted_and_stops_nobody);
	tcase_add_test(tcase, long_operations_tell_how_far_they_are_every_ten_seconds);
	tcase_add_test(tcase, holes_cost_nothing_however_large);
	tcase_add_test(tcase, an_operation_that_nobody_wants_any_more_is_undone);
	tcase_add_test(tcase,
		       an_operation_that_nobody_can_wait_for_is_left_to_recovery);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	rig_sweep();
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
