/* SPDX-License-Identifier: MIT */
/*
 * A kernel that does not take notifications: who asked for what needed one is told, the
 * file is as it was, and the next try does not build on what has not happened.
 */

#include "faults.h"

#include <foldfs.h>
#include <pthread.h>

#define SIZE (8 * PAGE)

static const off_t page = PAGE;

/* A file whose pages the kernel has, in a mapping. */
static int make_mapped(char **ret_map)
{
	const int fd = make_file("f", SIZE, 1);

	*ret_map = map_shared(fd, SIZE);
	memory_has_bytes(*ret_map, 0, SIZE, 1);
	ok(fsync(fd));
	return fd;
}

/* The first page is gone, as seen by a mapping and by read. */
static void is_collapsed(int fd, const char *map)
{
	char *bytes = malloc(SIZE);

	ck_assert_int_eq(size_of("f"), (off_t)(SIZE - PAGE));
	memory_has_bytes(map, page, SIZE - PAGE, 1);
	ck_assert(load_faults(map + SIZE - PAGE));
	ck_assert_int_eq(ok(pread(fd, bytes, SIZE, 0)), (ssize_t)(SIZE - PAGE));
	memory_has_bytes(bytes, page, SIZE - PAGE, 1);
	free(bytes);
}

static void collapse_is_refused_with(int error, const char *fault)
{
	char *map;
	const int fd = make_mapped(&map);

	arm("f", fault);
	for (int i = 0; i < 3; i++) {
		fails_with(error, foldfs_collapse_range(fd, 0, page));
		memory_has_bytes(map, 0, SIZE, 1);
	}
	ck_assert_uint_ge(struck(), 3);
	map[0] = 'x'; /* it can be used, and written, as before */
	ok(msync(map, SIZE, MS_SYNC));
	store_has("f", page, SIZE - PAGE, 1);
	others_are_served();

	/* The pages are still mapped: it must not believe that they are gone. */
	arm("f", "none");
	ok(foldfs_collapse_range(fd, 0, page));
	is_collapsed(fd, map);
	ok(munmap(map, SIZE));
	all_is_well(fd, "f");
	ok(close(fd));
}

START_TEST(an_operation_that_the_kernel_puts_off_changes_nothing)
{
	collapse_is_refused_with(EBUSY, "kernel-eagain");
}
END_TEST

START_TEST(an_operation_whose_connection_is_gone_changes_nothing)
{
	collapse_is_refused_with(ENOTCONN, "kernel-enotconn");
}
END_TEST

/* "I do not know it" is what a kernel says that has forgotten the file. */
START_TEST(a_file_that_the_kernel_has_forgotten_is_changed_all_the_same)
{
	const int fd = open_unread("f", SIZE, 1, O_RDWR);
	char *map;

	arm("f", "kernel-enoent");
	ok(foldfs_collapse_range(fd, 0, page));
	arm("f", "none");
	map = map_shared(fd, SIZE);
	is_collapsed(fd, map);
	ok(munmap(map, SIZE));
	all_is_well(fd, "f");
}
END_TEST

START_TEST(a_slow_kernel_is_slow_and_nothing_else)
{
	char *map;
	const int fd = make_mapped(&map);

	arm("f", "kernel-slow=30");
	ok(foldfs_collapse_range(fd, 0, page));
	ck_assert_uint_gt(struck(), 0);
	is_collapsed(fd, map);
	arm("f", "none");
	ok(munmap(map, SIZE));
	all_is_well(fd, "f");
	ok(close(fd));
}
END_TEST

static void collapse_first_page(void *arg)
{
	ok(foldfs_collapse_range(*(const int *)arg, 0, page));
}

/* The file's inode lock is held by who asked; loads, reads and other files need none.
 */
START_TEST(while_a_notification_does_not_return_the_rest_goes_on)
{
	char *map;
	int fd = make_mapped(&map);
	pid_t caller;

	arm("f", "kernel-never");
	caller = start(collapse_first_page, &fd);
	while (struck() == 0)
		sleep_ms(1);
	memory_has_bytes(map, 0, SIZE, 1);
	has_bytes(fd, 0, SIZE, 1);
	others_are_served();
	arm(".", "none");
	finish(caller);
	is_collapsed(fd, map);
	ok(munmap(map, SIZE));
	all_is_well(fd, "f");
	ok(close(fd));
}
END_TEST

/* Close-to-open: who cannot be shown the new bytes must not be given the old ones. */
START_TEST(a_change_behind_the_mount_that_cannot_be_shown_fails_the_open)
{
	char *map;
	const int fd = make_mapped(&map);
	const int store = ok(open(behind("f"), O_RDWR));
	int again;

	arm("f", "kernel-eagain");
	put_bytes(store, page, page, 2);
	fails_with(EIO, open("f", O_RDONLY));
	ck_assert_uint_gt(struck(), 0);
	others_are_served();
	arm(".", "none");
	again = ok(open("f", O_RDONLY));
	has_bytes(again, page, PAGE, 2);
	memory_has_bytes(map + PAGE, page, PAGE, 2);
	has_bytes(again, 2 * page, 6 * PAGE, 1);
	ok(close(again));
	ok(close(store));
	ok(munmap(map, SIZE));
	all_is_well(fd, "f");
	ok(close(fd));
}
END_TEST

static void *open_once(void *unused)
{
	(void)unused;
	ok(close(ok(open("f", O_RDONLY))));
	return NULL;
}

/* While the kernel is being told to drop what differs, somebody has us cache bytes that
 * are changed once more: who opens the file then waits for another round. */
/* The kernel has the line where it believes the end to be, and somebody else has the bytes
 * there. It must not count them as the file's, and so write them back. */
START_TEST(an_append_whose_wrong_place_cannot_be_dropped_fails_and_harms_nobody)
{
	enum { OURS = 100, THEIRS = 50 };
	char *map, text[OURS + THEIRS + 2];
	int fd, store;

	ok(close(make_file("other", 1, 1)));
	ok(close(make_file("f", OURS, 1)));
	fd = ok(open("f", O_RDWR | O_APPEND));
	map = map_shared(fd, PAGE);
	memory_has_bytes(map, 0, OURS, 1);
	store = ok(open(behind("f"), O_RDWR | O_APPEND));
	memset(text, 'b', THEIRS);
	ck_assert_int_eq(ok(write(store, text, THEIRS)), THEIRS);

	arm("f", "kernel-never");
	fails_with(EIO, (int)write(fd, "x\n", 2));
	map[0] = 'm';
	ok(msync(map, PAGE, MS_SYNC));
	ck_assert_int_eq(ok(pread(store, text, sizeof(text), 0)), OURS + THEIRS + 2);
	ck_assert_int_eq(text[0], 'm');
	memory_has_bytes(text + 1, 1, OURS - 1, 1);
	for (int i = 0; i < THEIRS; i++)
		ck_assert_int_eq(text[OURS + i], 'b');
	ck_assert(memcmp(text + OURS + THEIRS, "x\n", 2) == 0);

	arm("other", "none"); /* a look at f itself waits */
	ok(close(ok(open("f", O_RDONLY))));
	ck_assert_int_eq(fstat_of(fd).st_size, OURS + THEIRS + 2);
	ck_assert(memcmp(map, text, sizeof(text)) == 0);
	ok(close(store));
	ok(close(fd));
	ok(munmap(map, PAGE));
}
END_TEST

START_TEST(a_change_while_an_earlier_one_is_being_shown_is_shown_as_well)
{
	const int fd = open_unread("f", SIZE, 1, O_RDONLY);
	const int store = ok(open(behind("f"), O_RDWR));
	pthread_t opener;
	int last;

	has_bytes(fd, 0, SIZE, 1);
	arm("f", "kernel-slow=500");
	put_bytes(store, 0, SIZE, 2);
	ck_assert_int_eq(pthread_create(&opener, NULL, open_once, NULL), 0);
	while (struck() == 0)
		usleep(1000);
	ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	has_bytes(fd, 0, SIZE, 2);
	put_bytes(store, 0, SIZE, 3);
	last = ok(open("f", O_RDONLY));
	has_bytes(last, 0, SIZE, 3);
	ck_assert_int_eq(pthread_join(opener, NULL), 0);
	has_bytes(fd, 0, SIZE, 3);
	ok(close(last));
	ok(close(store));
	ok(close(fd));
}
END_TEST

void describe(void)
{
	everyone(an_operation_that_the_kernel_puts_off_changes_nothing);
	everyone(an_operation_whose_connection_is_gone_changes_nothing);
	everyone(a_file_that_the_kernel_has_forgotten_is_changed_all_the_same);
	everyone(a_slow_kernel_is_slow_and_nothing_else);
	everyone(while_a_notification_does_not_return_the_rest_goes_on);
	everyone(a_change_behind_the_mount_that_cannot_be_shown_fails_the_open);
	everyone(an_append_whose_wrong_place_cannot_be_dropped_fails_and_harms_nobody);
	everyone(a_change_while_an_earlier_one_is_being_shown_is_shown_as_well);
}
