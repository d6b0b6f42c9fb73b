/* SPDX-License-Identifier: MIT */
/*
 * A page that the kernel has kept, and that the daemon has dropped, and got again after it
 * was changed behind the mount: to the daemon it looks as the store does, and the kernel
 * still has the old one. The next open has to notice.
 *
 * In a world of its own, with a cache of 8 MiB.
 */

#include "files.h"

#define FILE_SIZE  (2 * MIB)
/* So much of its front the kernel drops. */
#define FRONT	   (256 * KIB)
/* Longer than attributes are trusted, for --no-open. */
#define NOTICED_MS 1150

/* What is read last takes the place of all that was read before. */
static void crowd_out(void)
{
	char name[16];

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "other%d", i);
		const int fd = ok(open(name, O_RDONLY));

		ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
		has_bytes(fd, 0, MIB, 1);
		ok(close(fd));
	}
}

/* A file that the kernel has and the daemon has not, and that is another one now. */
static int changed_file(int flags)
{
	char name[32];
	int fd;

	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "other%d", i);
		ok(close(make_file(name, MIB, 1)));
	}
	fd = make_file("f", FILE_SIZE, 1);
	ok(fsync(fd));
	ok(close(fd));
	fd = ok(open("f", flags));
	has_bytes(fd, 0, FILE_SIZE, 1);
	crowd_out();
	const int store = ok(open(behind("f"), O_WRONLY));

	put_bytes(store, 0, FILE_SIZE, 2);
	ok(close(store));
	return fd;
}

static void next_open_sees(unsigned seed)
{
	sleep_ms(NOTICED_MS);
	const int fd = ok(open("f", O_RDONLY));

	fstat_of(fd);
	has_bytes(fd, 0, FILE_SIZE, seed);
	ok(close(fd));
}

START_TEST(an_open_sees_what_was_fetched_ahead_of_a_reader)
{
	const int fd = changed_file(O_RDONLY);
	char page[PAGE];

	ok(posix_fadvise(fd, 0, FRONT, POSIX_FADV_DONTNEED));
	for (off_t at = 0; at < (off_t)(FRONT * 3 / 4); at += (off_t)PAGE)
		ck_assert_int_eq(ok(pread(fd, page, PAGE, at)), PAGE);
	sleep_ms(200); /* for the fetching */
	next_open_sees(2);
}
END_TEST

START_TEST(an_open_sees_what_a_direct_read_has_seen)
{
	const int fd = changed_file(O_RDONLY);
	char *block;

	ok(fcntl(fd, F_SETFL, O_DIRECT)); /* an open would notice by itself */
	ck_assert_int_eq(posix_memalign((void **)&block, PAGE, MIB), 0);
	for (off_t at = 0; at < (off_t)FILE_SIZE; at += (off_t)MIB)
		ck_assert_int_eq(ok(pread(fd, block, MIB, at)), (ssize_t)MIB);
	free(block);
	next_open_sees(2);
}
END_TEST

/* A few bytes into a page: with --writeback the rest of it is fetched. */
START_TEST(an_open_sees_what_is_around_bytes_that_were_written)
{
	const int fd = changed_file(O_RDWR);

	for (off_t at = 0; at < (off_t)FILE_SIZE; at += (off_t)PAGE)
		put_bytes(fd, at + 1000, 10, 2);
	ok(fsync(fd));
	next_open_sees(2);
}
END_TEST

void describe(void)
{
	everyone(an_open_sees_what_was_fetched_ahead_of_a_reader);
	everyone(an_open_sees_what_a_direct_read_has_seen);
	everyone(an_open_sees_what_is_around_bytes_that_were_written);
}
