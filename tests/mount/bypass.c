/* SPDX-License-Identifier: MIT */
/*
 * Files larger than the daemon's whole cache: large READs are passed on from the store,
 * and nobody can tell but by the counter.
 *
 * In a world of its own, with a cache of 8 MiB.
 */

#include "files.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define LARGE (12 * MIB)
#define SMALL (4 * MIB)

static unsigned long bypassed(void)
{
	return mount_counter("bypassed_bytes");
}

/* A file that nobody has open, and of which the kernel has nothing in memory. */
static int reopened(const char *name, size_t size, unsigned seed)
{
	int fd = make_file(name, size, seed);

	close(fd);
	fd = ok(open(name, O_RDONLY));
	ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	return fd;
}

START_TEST(a_large_file_reads_as_written)
{
	const int fd = reopened("f", LARGE, 1);
	const unsigned long before = bypassed();

	has_bytes(fd, 0, LARGE, 1);
	ck_assert_uint_ge(bypassed() - before, LARGE / 2);
	/* Again, by way of a mapping. */
	ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	memory_has_bytes(map_readonly(fd, LARGE), 0, LARGE, 1);
}
END_TEST

START_TEST(a_file_that_the_cache_has_room_for_is_cached)
{
	const int fd = reopened("f", SMALL, 1);
	const unsigned long before = bypassed();

	has_bytes(fd, 0, SMALL, 1);
	ck_assert_uint_eq(bypassed(), before);
}
END_TEST

START_TEST(the_end_of_a_large_file_is_where_it_is)
{
	const size_t size = LARGE + 5 * PAGE + 123;
	const int fd = reopened("f", size, 1);
	char *map;

	has_bytes(fd, 0, size, 1);
	ck_assert_int_eq(fstat_of(fd).st_size, (off_t)size);
	map = map_readonly(fd, size);
	memory_has_zeros(map + size, PAGE - size % PAGE);
}
END_TEST

START_TEST(while_somebody_may_write_nothing_is_passed_on)
{
	const int fd = reopened("f", LARGE, 1);
	const int writer = ok(open("f", O_WRONLY));
	const unsigned long before = bypassed();

	put_bytes(writer, MIB, MIB, 2);
	has_bytes(fd, 0, MIB, 1);
	has_bytes(fd, MIB, MIB, 2);
	has_bytes(fd, 2 * MIB, LARGE - 2 * MIB, 1);
	ck_assert_uint_eq(bypassed(), before);
	close(writer);
	ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	has_bytes(fd, MIB, MIB, 2);
}
END_TEST

/* Somebody who reads all of it again and again, in large READs. */
static void read_for_ever(void *arg)
{
	const int fd = ok(open("f", O_RDONLY));
	char *buf = malloc(LARGE);

	(void)arg;
	for (;;) {
		ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		ok(pread(fd, buf, LARGE, 0));
	}
}

/* READs that are on their way when a writer comes must not leave old bytes behind. */
START_TEST(what_a_writer_left_is_what_everybody_finds)
{
	const pid_t reader =
		(close(make_file("f", LARGE, 1)), start(read_for_ever, NULL));

	for (unsigned round = 0; round < 200; round++) {
		const off_t at = (off_t)(round * 13 % 300 * PAGE);
		int fd = ok(open("f", O_WRONLY));

		put_bytes(fd, at, 10 * PAGE, 2 + round);
		close(fd);
		fd = ok(open("f", O_RDONLY));
		has_bytes(fd, at, 10 * PAGE, 2 + round);
		close(fd);
	}
	kill(reader, SIGKILL);
	waitpid(reader, NULL, 0);
}
END_TEST

START_TEST(a_change_behind_the_mount_is_seen_by_the_next_open)
{
	int fd = reopened("f", LARGE, 1), store;

	has_bytes(fd, 0, LARGE, 1);
	close(fd);
	sleep_ms(20); /* past the tick of the store's clock */
	store = ok(open(behind("f"), O_WRONLY));
	put_bytes(store, 3 * MIB, 2 * MIB, 2);
	close(store);
	fd = ok(open("f", O_RDONLY));
	has_bytes(fd, 0, 3 * MIB, 1);
	has_bytes(fd, 3 * MIB, 2 * MIB, 2);
	has_bytes(fd, 5 * MIB, LARGE - 5 * MIB, 1);
}
END_TEST

/* The store has less than it had, and nobody has noticed yet. */
START_TEST(a_cut_behind_the_mount_is_seen_by_the_next_open)
{
	const int fd = reopened("f", LARGE, 1);
	char *map = map_readonly(fd, LARGE), *buf = malloc(LARGE);

	memory_has_bytes(map, 0, MIB, 1);
	ok(truncate(behind("f"), LARGE - 2 * MIB - 100));
	(void)!pread(fd, buf, LARGE, 0);
	has_bytes(ok(open("f", O_RDONLY)), 0, LARGE - 2 * MIB - 100, 1);
	ck_assert_int_eq(fstat_of(fd).st_size, (off_t)(LARGE - 2 * MIB - 100));
	ck_assert(load_faults(map + LARGE - PAGE));
}
END_TEST

/* From a short answer the kernel would have taken the size by itself, and have left
 * alone who has a page of his own past it. */
START_TEST(a_read_across_a_cut_behind_the_mount_is_not_short)
{
	const int fd = reopened("f", LARGE, 1);
	char *last = map_private(fd, LARGE) + LARGE - PAGE, *buf = malloc(MIB);

	*last = 'X';
	ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	ok(truncate(behind("f"), 6 * MIB + 16 * KIB));
	(void)!pread(fd, buf, MIB, 6 * MIB);
	close(ok(open("f", O_RDONLY)));
	ck_assert_int_eq(fstat_of(fd).st_size, (off_t)(6 * MIB + 16 * KIB));
	ck_assert(load_faults(last));
}
END_TEST

void describe(void)
{
	everyone(a_large_file_reads_as_written);
	everyone(a_file_that_the_cache_has_room_for_is_cached);
	everyone(the_end_of_a_large_file_is_where_it_is);
	everyone(while_somebody_may_write_nothing_is_passed_on);
	everyone(what_a_writer_left_is_what_everybody_finds);
	everyone(a_change_behind_the_mount_is_seen_by_the_next_open);
	everyone(a_cut_behind_the_mount_is_seen_by_the_next_open);
	everyone(a_read_across_a_cut_behind_the_mount_is_not_short);
}
