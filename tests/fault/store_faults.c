/* SPDX-License-Identifier: MIT */
/*
 * A store that fails: who learns of it, how often, and that nobody else is harmed. The
 * same with and without --writeback; where they differ, the tests say how.
 */

#include "faults.h"

#include <foldfs.h>

/* ------------------------------------------------------------------------- reading */

/* Direct, as the kernel would ask a second time for a page of its cache. */
START_TEST(a_read_that_fails_once_is_an_error_once)
{
	const int fd = open_unread("f", 4 * PAGE, 1, O_RDWR | O_DIRECT);
	void *buf;

	ck_assert_int_eq(posix_memalign(&buf, PAGE, PAGE), 0);
	arm("f", "store-read-eio-once");
	fails_with(EIO, pread(fd, buf, PAGE, PAGE));
	ck_assert_int_eq(ok(pread(fd, buf, PAGE, PAGE)), (ssize_t)PAGE);
	memory_has_bytes(buf, PAGE, PAGE, 1);
	ck_assert_uint_eq(struck(), 1);
	ok(fsync(fd)); /* which is about writes */
	free(buf);
}
END_TEST

START_TEST(while_reads_fail_each_is_an_error_and_a_load_a_sigbus)
{
	const int fd = open_unread("f", 8 * PAGE, 1, O_RDWR);
	char *map = map_shared(fd, 8 * PAGE);
	char buf[PAGE];

	arm("f", "store-read-eio");
	for (int i = 0; i < 3; i++)
		fails_with(EIO, pread(fd, buf, PAGE, 0));
	ck_assert(load_faults(map + PAGE));
	ck_assert(store_faults(map + 2 * PAGE));
	others_are_served();

	arm("f", "none");
	has_bytes(fd, 0, 8 * PAGE, 1);
	memory_has_bytes(map, 0, 8 * PAGE, 1);
	ok(fsync(fd));
	all_is_well(fd, "f");
	ok(munmap(map, 8 * PAGE));
}
END_TEST

START_TEST(a_page_that_is_cached_needs_no_store)
{
	const int fd = open_unread("f", 4 * PAGE, 1, O_RDWR);

	has_bytes(fd, 0, 4 * PAGE, 1);
	arm("f", "store-read-eio");
	has_bytes(fd, 0, 4 * PAGE, 1);
}
END_TEST

START_TEST(short_reads_are_completed)
{
	const int fd = open_unread("f", 200 * PAGE + 123, 1, O_RDWR);

	arm("f", "store-read-short");
	has_bytes(fd, 0, 200 * PAGE + 123, 1);
	ck_assert_uint_gt(struck(), 0);
	arm("f", "none");
	all_is_well(fd, "f");
}
END_TEST

/* ------------------------------------------------------------------------- writing */

/* What is not in the store is told once to each who has the file open: by the write
 * itself if it goes through, and by fsync. */
START_TEST(a_write_that_fails_once_is_told_once_to_each_open_file)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	const int second = ok(open("f", O_RDWR));
	char page[PAGE];
	int late;

	ok(fsync(fd));
	memset(page, 'w', sizeof(page));
	arm("f", "store-write-eio-once");
	if (writes_back())
		ck_assert_int_eq(ok(pwrite(fd, page, PAGE, 0)), (ssize_t)PAGE);
	else
		fails_with(EIO, pwrite(fd, page, PAGE, 0));
	fails_with(EIO, fsync(fd));
	ck_assert_uint_eq(struck(), 1);
	ok(fsync(fd));
	fails_with(EIO, fsync(second));
	ok(fsync(second));
	late = ok(open("f", O_RDWR));
	ok(fsync(late));
	if (writes_back()) { /* it was kept, and tried again */
		const int store = ok(open(behind("f"), O_RDONLY));
		char got[PAGE];

		read_all(store, got, PAGE, 0);
		ck_assert_mem_eq(got, page, PAGE);
		ok(close(store));
	} else {
		store_has("f", 0, 4 * PAGE, 1);
	}
	has_bytes(fd, PAGE, 3 * PAGE, 1);
	all_is_well(fd, "f");
	ok(close(second));
	ok(close(late));
	ok(close(fd));
}
END_TEST

START_TEST(while_writes_fail_nothing_that_is_acknowledged_is_forgotten)
{
	const int fd = make_file("f", 4 * PAGE, 1);

	ok(fsync(fd));
	arm("f", "store-write-eio");
	if (writes_back()) {
		put_bytes(fd, 0, 2 * PAGE, 2);
		for (int i = 0; i < 3; i++)
			fails_with(EIO, fsync(fd));
		has_bytes(fd, 0, 2 * PAGE, 2);
	} else {
		for (int i = 0; i < 3; i++) {
			fails_with(EIO, pwrite(fd, "x", 1, 0));
			fails_with(EIO, fsync(fd));
		}
		has_bytes(fd, 0, 2 * PAGE, 1);
	}
	others_are_served();
	arm("f", "none");
	if (writes_back()) {
		fsync(fd); /* may tell of a try of the flusher's since */
		store_has("f", 0, 2 * PAGE, 2);
	}
	ok(fsync(fd));
	all_is_well(fd, "f");
	ok(close(fd));
}
END_TEST

/* A lease is refused as long as somebody has the file open for writing: the daemon. */
static bool is_held_in_the_store(const char *name)
{
	const int fd = ok(open(behind(name), O_RDONLY));
	const bool held = fcntl(fd, F_SETLEASE, F_RDLCK) == -1 && errno == EAGAIN;

	ok(close(fd));
	return held;
}

START_TEST(a_closed_file_is_held_until_its_pages_are_taken_and_no_longer)
{
	int fd = make_file("f", 4 * PAGE, 1), tries = 100;

	ok(fsync(fd));
	arm("f", "store-write-eio");
	pwrite(fd, "x", 1, 0);
	if (writes_back()) {
		fails_with(EIO, close(fd));
		ck_assert(is_held_in_the_store("f"));
	} else {
		ok(close(fd)); /* write(2) has told */
	}
	arm("f", "none");
	fd = ok(open("f", O_RDWR));
	fsync(fd); /* may tell of what was before */
	ok(fsync(fd));
	ok(close(fd));
	/* The last of it happens after close(2). */
	while (is_held_in_the_store("f") && tries-- > 0)
		usleep(50000);
	ck_assert_int_gt(tries, 0);
	fd = ok(open(behind("f"), O_RDONLY));
	has_bytes(fd, 1, 4 * PAGE - 1, 1);
	ok(close(fd));
}
END_TEST

START_TEST(a_mapped_page_that_could_not_be_written_is_told_by_close)
{
	int fd = make_file("f", 4 * PAGE, 1);
	char *map = map_shared(fd, 4 * PAGE);

	ok(fsync(fd));
	arm("f", "store-write-eio");
	map[PAGE] = 'x';
	ok(munmap(map, 4 * PAGE));
	fails_with(EIO, close(fd));
	arm("f", "none");
	fd = ok(open("f", O_RDWR));
	/* May tell of what was before: the kernel, and we. */
	fsync(fd);
	fsync(fd);
	ok(fsync(fd));
	ok(close(fd));
}
END_TEST

/* Written through, it is told twice: once by the kernel, which remembers what became of
 * its page, and once by us, who remember it for everybody. */
START_TEST(a_mapped_page_that_could_not_be_written_is_told_by_msync)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	char *map = map_shared(fd, 4 * PAGE);

	ok(fsync(fd));
	arm("f", "store-write-eio-once");
	map[PAGE] = 'x';
	fails_with(EIO, msync(map, 4 * PAGE, MS_SYNC));
	if (!writes_back())
		fails_with(EIO, msync(map, 4 * PAGE, MS_SYNC));
	ok(msync(map, 4 * PAGE, MS_SYNC));
	ck_assert_int_eq(map[PAGE], 'x');
	map[PAGE] = 'y';
	ok(msync(map, 4 * PAGE, MS_SYNC));
	has_bytes(fd, 0, PAGE, 1);
	store_has("f", 0, PAGE, 1);
	all_is_well(fd, "f");
	ok(munmap(map, 4 * PAGE));
	ok(close(fd));
}
END_TEST

/* The kernel had the bytes in its pages before it asked, and mappings see those. Whole
 * pages, parts of one, of several, a long one: what was there before is there, by load
 * and by read(2), and what is stored there afterwards stays. */
START_TEST(a_write_that_fails_leaves_nothing_in_mappings)
{
	static const struct {
		off_t offset;
		size_t len;
	} writes[] = {
		{0, PAGE}, {100, 50}, {PAGE - 10, 20}, {10, 3 * PAGE}, {0, 256 * 1024}};
	const size_t size = 512 * 1024;
	char *const bytes = malloc(size), *const got = malloc(size);
	const int fd = make_file("f", size, 1);
	char *map = map_shared(fd, size);

	memset(bytes, 'w', size);
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		memory_has_bytes(map, 0, size, 1);
		arm("f", "store-write-eio");
		fails_with(EIO, pwrite(fd, bytes, writes[i].len, writes[i].offset));
		memory_has_bytes(map, 0, size, 1);
		arm("f", "none");
		fails_with(EIO, fsync(fd)); /* of that write */
		map[writes[i].offset + 7] ^= 1;
		read_all(fd, got, size, 0);
		ck_assert_msg(memcmp(map, got, size) == 0, "after write %zu", i);
		map[writes[i].offset + 7] ^= 1;
		ok(msync(map, size, MS_SYNC));
		store_has("f", 0, size, 1);
	}
	ok(munmap(map, size));
	ok(close(fd));
	free(bytes);
	free(got);
}
END_TEST

START_TEST(a_full_store_takes_what_it_can_and_says_so_to_who_wrote)
{
	const int fd = make_file("f", PAGE, 1);
	char buf[3 * PAGE];

	ok(fsync(fd));
	memset(buf, 'w', sizeof(buf));
	arm("f", "store-enospc=5000");
	if (writes_back()) {
		ck_assert_int_eq(ok(pwrite(fd, buf, sizeof(buf), PAGE)),
				 (ssize_t)sizeof(buf));
		fails_with(ENOSPC, fsync(fd));
		fails_with(ENOSPC, fsync(fd)); /* it tried again */
	} else {
		ck_assert_int_eq(ok(pwrite(fd, buf, sizeof(buf), PAGE)), 5000);
		fails_with(ENOSPC, pwrite(fd, buf, PAGE, 2 * PAGE));
		ok(fsync(fd)); /* what was acknowledged is there */
		ck_assert_int_eq(size_of("f"), (off_t)PAGE + 5000);
	}
	others_are_served();
	has_bytes(fd, 0, PAGE, 1);

	arm("f", "none");
	if (writes_back()) {
		fsync(fd);
		ck_assert_int_eq(size_of(behind("f")), 4 * (off_t)PAGE);
	}
	ok(fsync(fd));
	all_is_well(fd, "f");
	ok(close(fd));
}
END_TEST

START_TEST(short_writes_are_completed)
{
	const int fd = make_file("f", PAGE, 1);

	arm("f", "store-write-short");
	put_bytes(fd, 0, 100 * PAGE + 77, 2);
	ok(fsync(fd));
	ck_assert_uint_gt(struck(), 0);
	store_has("f", 0, 100 * PAGE + 77, 2);
	arm("f", "none");
	all_is_well(fd, "f");
	ok(close(fd));
}
END_TEST

/* Written through they go past the cache; after the first they come in a pipe. */
START_TEST(long_writes_that_fall_short_are_completed)
{
	const int fd = make_file("f", 2 * MIB, 1);

	put_bytes(fd, 0, MIB, 2);
	arm("f", "store-write-short");
	put_bytes(fd, 333, 2 * MIB, 3);
	ok(fsync(fd));
	ck_assert_uint_gt(struck(), 0);
	store_has("f", 0, 333, 2);
	store_has("f", 333, 2 * MIB, 3);
	arm("f", "none");
	has_bytes(fd, 333, 2 * MIB, 3);
	all_is_well(fd, "f");
	ok(close(fd));
}
END_TEST

START_TEST(a_long_write_that_fails_is_told_and_those_after_it_arrive)
{
	const int fd = make_file("f", 2 * MIB, 1);
	char *map = map_shared(fd, 2 * MIB);

	memory_has_bytes(map, 0, 2 * MIB, 1);
	put_bytes(fd, 0, MIB, 2);
	ok(fsync(fd));
	arm("f", "store-write-eio-once");
	if (writes_back()) {
		put_bytes(fd, MIB, 512 * KIB, 3);
	} else {
		char *room = malloc(512 * KIB);

		ck_assert_ptr_nonnull(room);
		memset(room, 'w', 512 * KIB);
		fails_with(EIO, pwrite(fd, room, 512 * KIB, MIB));
		free(room);
	}
	fails_with(EIO, fsync(fd));
	ck_assert_uint_eq(struck(), 1);
	put_bytes(fd, MIB, MIB, 4);
	put_bytes(fd, 0, PAGE, 5);
	ok(fsync(fd));
	store_has("f", 0, PAGE, 5);
	store_has("f", PAGE, MIB - PAGE, 2);
	store_has("f", MIB, MIB, 4);
	memory_has_bytes(map, 0, PAGE, 5);
	memory_has_bytes(map + MIB, MIB, MIB, 4);
	all_is_well(fd, "f");
	ok(munmap(map, 2 * MIB));
	ok(close(fd));
}
END_TEST

START_TEST(an_fsync_that_fails_once_is_told_once_to_each_open_file)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	const int second = ok(open("f", O_RDWR));

	arm("f", "store-fsync-eio-once");
	fails_with(EIO, fsync(fd));
	ok(fsync(fd));
	fails_with(EIO, fsync(second));
	ok(fsync(second));
	ck_assert_uint_eq(struck(), 1);
	store_has("f", 0, 4 * PAGE, 1);
	all_is_well(fd, "f");
	ok(close(second));
	ok(close(fd));
}
END_TEST

/* Handed on, ENOSYS would have the kernel take every fsync(2) from then on for done. */
START_TEST(a_store_without_fsync_is_asked_again)
{
	const int fd = make_file("f", 4 * PAGE, 1);

	arm("f", "store-fsync-enosys-once");
	fails_with(EOPNOTSUPP, fsync(fd));
	arm("f", "store-fsync-eio-once");
	fails_with(EIO, fsync(fd));
	ck_assert_uint_eq(struck(), 1);
	all_is_well(fd, "f");
	ok(close(fd));
}
END_TEST

START_TEST(a_slow_store_is_slow_and_nothing_else)
{
	const int fd = make_file("f", 4 * PAGE, 1);

	arm("f", "store-slow=20");
	put_bytes(fd, PAGE, 3 * PAGE, 2);
	ok(fsync(fd));
	ck_assert_uint_gt(struck(), 0);
	store_has("f", PAGE, 3 * PAGE, 2);
	others_are_served();
	arm("f", "none");
	all_is_well(fd, "f");
	ok(close(fd));
}
END_TEST

/* --------------------------------------------------------------- range operations */

#define PAGES_OF_FILE 16

/* The file is as it was, in the store, by read, and in a mapping. */
START_TEST(a_range_operation_that_the_store_fails_changes_nothing)
{
	const size_t size = PAGES_OF_FILE * PAGE;
	const off_t page = (off_t)PAGE;
	const int fd = make_file("f", size, 1);
	char *map = map_shared(fd, size);

	memory_has_bytes(map, 0, size, 1);
	ok(fsync(fd));
	arm("f", "store-range-eio");
	fails_with(EIO, foldfs_collapse_range(fd, page, page));
	fails_with(EIO, foldfs_insert_range(fd, page, page));
	fails_with(EIO, foldfs_punch_hole(fd, page, page));
	fails_with(EIO, foldfs_zero_range(fd, page, page));
	fails_with(EIO, foldfs_move_range(fd, page, page, 4 * page));
	ck_assert_uint_gt(struck(), 0);
	ck_assert_int_eq(size_of("f"), (off_t)size);
	memory_has_bytes(map, 0, size, 1);
	has_bytes(fd, 0, size, 1);
	store_has("f", 0, size, 1);
	others_are_served();

	arm("f", "none");
	ok(foldfs_collapse_range(fd, 0, page));
	ok(foldfs_insert_range(fd, 0, page));
	memory_has_zeros(map, PAGE);
	memory_has_bytes(map + PAGE, page, size - PAGE, 1);
	store_has("f", page, size - PAGE, 1);
	ok(fsync(fd));
	all_is_well(fd, "f");
	ok(munmap(map, size));
	ok(close(fd));
}
END_TEST

void describe(void)
{
	everyone(a_read_that_fails_once_is_an_error_once);
	everyone(while_reads_fail_each_is_an_error_and_a_load_a_sigbus);
	everyone(a_page_that_is_cached_needs_no_store);
	everyone(short_reads_are_completed);
	everyone(a_write_that_fails_once_is_told_once_to_each_open_file);
	everyone(while_writes_fail_nothing_that_is_acknowledged_is_forgotten);
	everyone(a_closed_file_is_held_until_its_pages_are_taken_and_no_longer);
	everyone(a_mapped_page_that_could_not_be_written_is_told_by_close);
	everyone(a_mapped_page_that_could_not_be_written_is_told_by_msync);
	if (!writes_back()) /* nothing fails before it is written */
		everyone(a_write_that_fails_leaves_nothing_in_mappings);
	everyone(a_full_store_takes_what_it_can_and_says_so_to_who_wrote);
	everyone(short_writes_are_completed);
	everyone(long_writes_that_fall_short_are_completed);
	everyone(a_long_write_that_fails_is_told_and_those_after_it_arrive);
	everyone(an_fsync_that_fails_once_is_told_once_to_each_open_file);
	everyone(a_store_without_fsync_is_asked_again);
	everyone(a_slow_store_is_slow_and_nothing_else);
	everyone(a_range_operation_that_the_store_fails_changes_nothing);
}
