/* SPDX-License-Identifier: MIT */
/*
 * One file, seen by read(2), write(2), shared and private mappings, in one process and
 * in several: always the same bytes.
 */

#include "files.h"

#include <pthread.h>
#include <sys/uio.h>

START_TEST(a_write_is_seen_through_a_mapping_at_once)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	char *memory = map_shared(fd, 4 * PAGE);

	memory_has_bytes(memory, 0, 4 * PAGE, 1);
	put_bytes(fd, 100, 3 * PAGE, 2);
	memory_has_bytes(memory, 0, 100, 1);
	memory_has_bytes(memory + 100, 100, 3 * PAGE, 2);
}
END_TEST

START_TEST(a_store_through_a_mapping_is_read_at_once)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	char *memory = map_shared(fd, 4 * PAGE);
	char c;

	for (size_t i = 0; i < 4 * PAGE; i += 511) {
		memory[i] = 'X';
		read_all(fd, &c, 1, (off_t)i);
		ck_assert_int_eq(c, 'X');
	}
}
END_TEST

START_TEST(a_private_mapping_keeps_what_it_has_stored_and_sees_the_rest_change)
{
	const int fd = make_file("f", 2 * PAGE, 1);
	char *memory = map_private(fd, 2 * PAGE);

	memory[0] = 'X';
	put_bytes(fd, 0, 2 * PAGE, 2);
	ck_assert_int_eq(memory[0], 'X');
	memory_has_bytes(memory + 1, 1, PAGE - 1, 1);
	memory_has_bytes(memory + PAGE, PAGE, PAGE, 2);
	has_bytes(fd, 0, 2 * PAGE, 2);
}
END_TEST

START_TEST(a_write_fed_from_a_mapping_of_the_same_file_arrives)
{
	const int fd = make_file("f", 64 * PAGE, 1);
	char *memory = map_shared(fd, 64 * PAGE);

	/* Not yet faulted in: the write itself has to read. */
	ck_assert_int_eq(ok(pwrite(fd, memory, 10 * PAGE, 20 * PAGE + 77)), 10 * PAGE);
	memory_has_bytes(memory + 20 * PAGE + 77, 0, 10 * PAGE, 1);
	ck_assert_int_eq(ok(pread(fd, memory + 40 * PAGE, 3 * PAGE, 0)), 3 * PAGE);
	has_bytes(fd, 0, 20 * PAGE, 1);
	memory_has_bytes(memory + 40 * PAGE, 0, 3 * PAGE, 1);
}
END_TEST

static void check_and_change(void *arg)
{
	struct signal_box *boxes = arg;
	const int fd = ok(open("f", O_RDWR));
	char *memory = map_shared(fd, 4 * PAGE);

	memory_has_bytes(memory, 0, 4 * PAGE, 1);
	tell(&boxes[0]);
	await(&boxes[1]);
	memory_has_bytes(memory, 0, 4 * PAGE, 2);
	has_bytes(fd, 0, 4 * PAGE, 2);
	memory[3 * PAGE] = 'X';
	put_bytes(fd, PAGE, PAGE, 3);
}

START_TEST(two_processes_see_each_other_s_writes_and_stores)
{
	struct signal_box boxes[2] = {make_signal_box(), make_signal_box()};
	const int fd = make_file("f", 4 * PAGE, 1);
	char *memory = map_shared(fd, 4 * PAGE);
	const pid_t child = start(check_and_change, boxes);
	char c;

	await(&boxes[0]);
	put_bytes(fd, 0, 4 * PAGE, 2);
	tell(&boxes[1]);
	finish(child);
	ck_assert_int_eq(memory[3 * PAGE], 'X');
	read_all(fd, &c, 1, 3 * PAGE);
	ck_assert_int_eq(c, 'X');
	memory_has_bytes(memory + PAGE, PAGE, PAGE, 3);
}
END_TEST

#define COUNTERS  (64 * PAGE / sizeof(uint32_t))
#define ADDITIONS 200000u

static void add_to_counters(void *arg)
{
	const int fd = ok(open("counters", O_RDWR));
	uint32_t *counters = (uint32_t *)map_shared(fd, 64 * PAGE);
	unsigned x = *(unsigned *)arg;

	for (unsigned i = 0; i < ADDITIONS; i++) {
		x = x * 1103515245 + 12345;
		__atomic_add_fetch(&counters[(x >> 8) % COUNTERS], 1, __ATOMIC_RELAXED);
		if (i % 20000 == 0)
			ok(msync(counters, 64 * PAGE, MS_ASYNC));
		if (i % 50000 == 0)
			ok(fsync(fd));
	}
}

START_TEST(additions_of_several_processes_to_shared_counters_all_count)
{
	const int fd = ok(open("counters", O_RDWR | O_CREAT, 0644));
	unsigned seeds[3] = {1, 2, 3};
	uint32_t *counters;
	uint64_t sum = 0;
	pid_t children[3];

	ok(ftruncate(fd, 64 * PAGE));
	for (int i = 0; i < 3; i++)
		children[i] = start(add_to_counters, &seeds[i]);
	for (int i = 0; i < 3; i++)
		finish(children[i]);
	counters = malloc(64 * PAGE);
	read_all(fd, counters, 64 * PAGE, 0);
	for (size_t i = 0; i < COUNTERS; i++)
		sum += counters[i];
	ck_assert_uint_eq(sum, 3 * ADDITIONS);
	ok(fsync(fd));
	read_all(ok(open(behind("counters"), O_RDONLY)), counters, 64 * PAGE, 0);
	for (size_t i = 0; i < COUNTERS; i++)
		sum -= counters[i];
	ck_assert_uint_eq(sum, 0);
}
END_TEST

START_TEST(growth_is_seen_by_a_mapping_that_was_there_before)
{
	const int fd = make_file("f", 100, 1);
	char *memory = map_shared(fd, 4 * PAGE);

	memory_has_bytes(memory, 0, 100, 1);
	memory_has_zeros(memory + 100, PAGE - 100);
	put_bytes(fd, 100, 3 * PAGE, 1);
	memory_has_bytes(memory, 0, 100 + 3 * PAGE, 1);
}
END_TEST

START_TEST(bytes_stored_past_the_end_in_its_page_never_become_part_of_the_file)
{
	const int fd = make_file("f", 100, 1);
	char *memory = map_shared(fd, PAGE);

	reference_lacks("tmpfs", "shows such bytes when the file grows");
	memory[200] = 'X';
	ok(msync(memory, PAGE, MS_SYNC));
	ck_assert_int_eq(size_of("f"), 100);
	ck_assert_int_eq(size_of(behind("f")), 100);
	ok(munmap(memory, PAGE));
	ok(ftruncate(fd, PAGE));
	has_zeros(fd, 100, PAGE - 100);
}
END_TEST

START_TEST(a_shrunk_and_grown_file_has_zeros_where_it_was_cut)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	char *memory = map_shared(fd, 4 * PAGE);

	memory_has_bytes(memory, 0, 4 * PAGE, 1);
	ok(ftruncate(fd, PAGE + 10));
	ok(ftruncate(fd, 4 * PAGE));
	memory_has_bytes(memory, 0, PAGE + 10, 1);
	memory_has_zeros(memory + PAGE + 10, 3 * PAGE - 10);
	has_zeros(fd, PAGE + 10, 3 * PAGE - 10);
}
END_TEST

START_TEST(vectors_are_gathered_and_scattered_in_order)
{
	const int fd = make_file("f", 0, 1);
	static char a[100], b[3 * PAGE], c[7];
	struct iovec iov[3] = {{a, sizeof(a)}, {b, sizeof(b)}, {c, sizeof(c)}};
	const size_t len = sizeof(a) + sizeof(b) + sizeof(c);

	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	memset(c, 'c', sizeof(c));
	ck_assert_int_eq(ok(pwritev(fd, iov, 3, 1)), len);
	memset(b, 0, sizeof(b));
	ck_assert_int_eq(ok(preadv(fd, iov, 3, 1)), len);
	ck_assert(a[99] == 'a' && b[0] == 'b' && b[3 * PAGE - 1] == 'b' && c[6] == 'c');
}
END_TEST

START_TEST(reading_at_and_past_the_end_gives_nothing)
{
	const int fd = make_file("f", 100, 1);
	char c;

	ck_assert_int_eq(ok(pread(fd, &c, 1, 100)), 0);
	ck_assert_int_eq(ok(pread(fd, &c, 1, 1000000)), 0);
	ck_assert_int_eq(ok(pread(fd, &c, 0, 0)), 0);
	fails_with(EINVAL, pread(fd, &c, 1, -1));
}
END_TEST

struct slice {
	int fd;
	unsigned number;
};

static void *rewrite_a_slice(void *arg)
{
	const struct slice *slice = arg;
	/* One byte is left out between any two; no slice begins at a page. */
	const off_t first = (off_t)(slice->number * (8 * PAGE + 1) + 1);

	for (unsigned i = 0; i < 50; i++) {
		put_bytes(slice->fd, first, 8 * PAGE, i);
		has_bytes(slice->fd, first, 8 * PAGE, i);
	}
	return NULL;
}

START_TEST(threads_that_write_neighbouring_ranges_do_not_disturb_each_other)
{
	const int fd = make_file("f", 0, 1);
	struct slice slices[6];
	pthread_t threads[6];

	for (unsigned i = 0; i < 6; i++) {
		slices[i] = (struct slice){.fd = fd, .number = i};
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, rewrite_a_slice, &slices[i]),
			0);
	}
	for (unsigned i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < 6; i++)
		has_bytes(fd, (off_t)(i * (8 * PAGE + 1) + 1), 8 * PAGE, 49);
}
END_TEST

START_TEST(more_than_the_cache_holds_is_read_back_right)
{
	const int fd = make_file("f", 24 * MIB, 1);

	ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	has_bytes(fd, 0, 24 * MIB, 1);
	memory_has_bytes(map_readonly(fd, 24 * MIB), 0, 24 * MIB, 1);
}
END_TEST

void describe(void)
{
	everyone(a_write_is_seen_through_a_mapping_at_once);
	everyone(a_store_through_a_mapping_is_read_at_once);
	everyone(a_private_mapping_keeps_what_it_has_stored_and_sees_the_rest_change);
	everyone(a_write_fed_from_a_mapping_of_the_same_file_arrives);
	everyone(two_processes_see_each_other_s_writes_and_stores);
	everyone(additions_of_several_processes_to_shared_counters_all_count);
	everyone(growth_is_seen_by_a_mapping_that_was_there_before);
	everyone(bytes_stored_past_the_end_in_its_page_never_become_part_of_the_file);
	everyone(a_shrunk_and_grown_file_has_zeros_where_it_was_cut);
	everyone(vectors_are_gathered_and_scattered_in_order);
	everyone(reading_at_and_past_the_end_gives_nothing);
	everyone(threads_that_write_neighbouring_ranges_do_not_disturb_each_other);
	everyone(more_than_the_cache_holds_is_read_back_right);
}
