/* SPDX-License-Identifier: MIT */
/*
 * Writes of many pages at a time, one after the other: all of the bytes arrive, in
 * order, and nobody sees those that were there before once the write has returned.
 */

#include <sys/uio.h>

#include "files.h"

#define LENGTH (8 * MIB)

static void *aligned_room(size_t len)
{
	void *room;

	ck_assert_int_eq(posix_memalign(&room, PAGE, len), 0);
	return room;
}

/* One long write for each piece. */
static void write_in_pieces(int fd, off_t start, size_t len, size_t piece,
			    unsigned seed)
{
	for (size_t at = 0; at < len; at += piece)
		put_bytes(fd, start + (off_t)at, len - at < piece ? len - at : piece,
			  seed);
}

/* Past the kernel's cache: what the file system itself says. */
static void has_bytes_below(const char *name, off_t offset, size_t len, unsigned seed)
{
	const int fd = ok(open(name, O_RDONLY | O_DIRECT));
	char *room = aligned_room(len);

	read_all(fd, room, len, offset);
	memory_has_bytes(room, offset, len, seed);
	free(room);
	ok(close(fd));
}

START_TEST(bytes_of_any_length_arrive_at_any_offset)
{
	static const size_t pieces[] = {128 * KIB,	 200 * KIB + 1, 512 * KIB,
					512 * KIB + 333, MIB,		3 * MIB - 1};
	const int fd = make_file("f", LENGTH, 1);

	for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		write_in_pieces(fd, 777, 5 * MIB, pieces[i], i + 2);
		has_bytes(fd, 777, 5 * MIB, i + 2);
	}
	has_bytes(fd, 0, 777, 1);
	has_bytes(fd, 777 + 5 * MIB, LENGTH - 777 - 5 * MIB, 1);
}
END_TEST

START_TEST(they_are_in_the_store)
{
	const int fd = make_file("f", LENGTH, 1);
	int store;

	write_in_pieces(fd, 0, LENGTH, 512 * KIB, 2);
	if (writes_back())
		ok(fsync(fd));
	store = ok(open(behind("f"), O_RDONLY));
	has_bytes(store, 0, LENGTH, 2);
	ok(close(store));
}
END_TEST

START_TEST(short_ones_in_between_arrive_in_order)
{
	const int fd = make_file("f", LENGTH, 1);

	for (unsigned i = 0; i < 20; i++) {
		put_bytes(fd, 0, MIB, 2 * i);
		put_bytes(fd, 300 * KIB, 100, 2 * i + 1);
		put_bytes(fd, MIB, 600 * KIB, 2 * i);
		has_bytes(fd, 300 * KIB, 100, 2 * i + 1);
		has_bytes(fd, 0, 300 * KIB, 2 * i);
		has_bytes(fd, 300 * KIB + 100, MIB + 300 * KIB - 100, 2 * i);
	}
}
END_TEST

START_TEST(what_was_cached_is_replaced_everywhere)
{
	const int fd = make_file("f", LENGTH, 1);
	char *map = map_shared(fd, LENGTH);

	memory_has_bytes(map, 0, LENGTH, 1);
	has_bytes_below("f", 0, LENGTH, 1);
	write_in_pieces(fd, 0, LENGTH, MIB, 2);
	memory_has_bytes(map, 0, LENGTH, 2);
	has_bytes_below("f", 0, LENGTH, 2);
	/* Out of the kernel's cache: they come from below again. */
	ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	has_bytes(fd, 0, LENGTH, 2);
}
END_TEST

START_TEST(a_file_grows_by_them)
{
	const int fd = make_file("f", 1000, 1);

	put_bytes(fd, 3 * MIB, MIB + 5, 2);
	ck_assert_int_eq(fstat_of(fd).st_size, 4 * MIB + 5);
	has_bytes(fd, 0, 1000, 1);
	has_zeros(fd, 1000, 3 * MIB - 1000);
	has_bytes(fd, 3 * MIB, MIB + 5, 2);
}
END_TEST

START_TEST(direct_ones_arrive)
{
	const int fd = make_file("f", LENGTH, 1);
	const int direct = ok(open("f", O_WRONLY | O_DIRECT));
	char *map = map_shared(fd, LENGTH);
	char *room = aligned_room(MIB);

	memory_has_bytes(map, 0, LENGTH, 1);
	for (size_t i = 0; i < MIB; i++)
		room[i] = (char)byte_at(2, (off_t)(2 * MIB + i));
	for (int i = 0; i < 3; i++)
		write_all(direct, room, MIB, 2 * MIB);
	memory_has_bytes(map, 0, 2 * MIB, 1);
	memory_has_bytes(map + 2 * MIB, 2 * MIB, MIB, 2);
	memory_has_bytes(map + 3 * MIB, 3 * MIB, LENGTH - 3 * MIB, 1);
	has_bytes_below("f", 0, 2 * MIB, 1);
	has_bytes_below("f", 2 * MIB, MIB, 2);
	free(room);
}
END_TEST

START_TEST(many_buffers_make_one_long_write)
{
	const int fd = make_file("f", 0, 1);
	char *room = aligned_room(4 * MIB);
	struct iovec iov[64];

	for (size_t i = 0; i < 4 * MIB; i++)
		room[i] = (char)byte_at(2, (off_t)i);
	for (size_t i = 0; i < 64; i++)
		iov[i] = (struct iovec){room + i * 64 * KIB, 64 * KIB};
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ok(pwritev(fd, iov, 64, 0)), (ssize_t)(4 * MIB));
	has_bytes(fd, 0, 4 * MIB, 2);
	free(room);
}
END_TEST

/* ------------------------------------------------------------------ beside readers */

#define ROUNDS	    150u
#define BLOCK	    MIB
#define BLOCK_PAGES (BLOCK / PAGE)

struct watch {
	_Atomic unsigned written; /* the last round whose write has returned */
	_Atomic bool over;
};

/* Each page says of which round it is; none is older than a write that had returned
 * when the reading began, nor younger than the one under way. */
static void pages_are_recent(const char *block, const struct watch *watch,
			     unsigned oldest)
{
	for (size_t i = 0; i < BLOCK_PAGES; i++) {
		const unsigned round =
			*(const volatile unsigned *)(const void *)(block + i * PAGE);
		const unsigned newest = watch->written + 1;

		ck_assert_msg(round >= oldest && round <= newest,
			      "page %zu is of round %u; written were %u to %u", i,
			      round, oldest, newest);
	}
}

static void read_directly(void *arg)
{
	const struct watch *watch = arg;
	const int fd = ok(open("f", O_RDONLY | O_DIRECT));
	char *block = aligned_room(BLOCK);

	while (!watch->over) {
		const unsigned oldest = watch->written;

		read_all(fd, block, BLOCK, 0);
		pages_are_recent(block, watch, oldest);
	}
	free(block);
}

static void read_mapped(void *arg)
{
	const struct watch *watch = arg;
	const int fd = ok(open("f", O_RDONLY));
	const char *map = map_readonly(fd, BLOCK);

	while (!watch->over) {
		pages_are_recent(map, watch, watch->written);
		ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	}
}

static void read_cached(void *arg)
{
	const struct watch *watch = arg;
	const int fd = ok(open("f", O_RDONLY));
	char *block = aligned_room(BLOCK);

	while (!watch->over) {
		const unsigned oldest = watch->written;

		read_all(fd, block, BLOCK, 0);
		pages_are_recent(block, watch, oldest);
		ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	}
	free(block);
}

START_TEST(a_reader_sees_nothing_older_than_a_write_that_has_returned)
{
	const int fd = make_file("f", BLOCK, 1);
	struct watch *watch = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *block = aligned_room(BLOCK);
	pid_t readers[3];

	ck_assert_ptr_ne(watch, MAP_FAILED);
	memset(block, 0, BLOCK);
	write_all(fd, block, BLOCK, 0);
	readers[0] = start(read_directly, watch);
	readers[1] = start(read_mapped, watch);
	readers[2] = start(read_cached, watch);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		for (size_t i = 0; i < BLOCK_PAGES; i++)
			memcpy(block + i * PAGE, &round, sizeof(round));
		write_all(fd, block, BLOCK, 0);
		watch->written = round;
	}
	watch->over = true;
	for (int i = 0; i < 3; i++)
		finish(readers[i]);
	free(block);
}
END_TEST

void describe(void)
{
	everyone(bytes_of_any_length_arrive_at_any_offset);
	everyone(they_are_in_the_store);
	everyone(short_ones_in_between_arrive_in_order);
	everyone(what_was_cached_is_replaced_everywhere);
	everyone(a_file_grows_by_them);
	everyone(direct_ones_arrive);
	everyone(many_buffers_make_one_long_write);
	everyone(a_reader_sees_nothing_older_than_a_write_that_has_returned);
}
