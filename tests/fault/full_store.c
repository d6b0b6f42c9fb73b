/* SPDX-License-Identifier: MIT */
/*
 * A store that is really full, of eight MiB: every error reaches somebody, what was
 * taken is there, and when there is room again all goes on.
 */

#include "../mount/files.h"

#include <foldfs.h>
#include <sys/statvfs.h>

static const off_t page = PAGE;

/* Leave no room. Behind the mount, so that nothing of it is ours. */
static void fill_up(void)
{
	static const char zeros[PAGE];
	struct statvfs store;
	int fd;

	ok(statvfs(behind("."), &store));
	if (store.f_blocks * store.f_frsize > 16 * MIB)
		skip("the store is not a small one: it would take everybody's room");
	fd = ok(open(behind("ballast"), O_WRONLY | O_CREAT, 0600));
	while (write(fd, zeros, sizeof(zeros)) > 0)
		continue;
	ck_assert_int_eq(errno, ENOSPC);
	ok(close(fd));
}

static void make_room(void)
{
	ok(unlink(behind("ballast")));
}

static void store_has(off_t offset, size_t len, unsigned seed)
{
	const int fd = ok(open(behind("f"), O_RDONLY));

	has_bytes(fd, offset, len, seed);
	ok(close(fd));
}

START_TEST(a_write_that_does_not_fit_is_told_and_what_fitted_is_there)
{
	const int fd = make_file("f", 8 * PAGE, 1);
	char buf[4 * PAGE];

	ok(fsync(fd));
	memset(buf, 'w', sizeof(buf));
	fill_up();
	if (writes_back()) {
		ck_assert_int_eq(ok(pwrite(fd, buf, sizeof(buf), 8 * page)),
				 (ssize_t)sizeof(buf));
		fails_with(ENOSPC, fsync(fd));
		fails_with(ENOSPC, fsync(fd));
	} else {
		fails_with(ENOSPC, pwrite(fd, buf, sizeof(buf), 8 * page));
		ok(fsync(fd));
		ck_assert_int_eq(size_of("f"), 8 * page);
	}
	has_bytes(fd, 0, 8 * PAGE, 1);
	/* What has its blocks can be overwritten. */
	put_bytes(fd, 0, PAGE, 2);
	if (!writes_back())
		ok(fsync(fd));

	make_room();
	if (writes_back()) {
		fsync(fd); /* may tell of a try in between */
		ok(fsync(fd));
		ck_assert_int_eq(size_of(behind("f")), 12 * page);
	}
	store_has(0, PAGE, 2);
	put_bytes(fd, 8 * page, 8 * PAGE, 1);
	ok(fsync(fd));
	store_has(page, 15 * PAGE, 1);
	ok(close(fd));
	ok(unlink("f"));
}
END_TEST

START_TEST(a_mapped_page_that_does_not_fit_is_told_by_msync)
{
	const int fd = make_file("f", PAGE, 1);
	char *map;

	ok(ftruncate(fd, 4 * page));
	ok(fsync(fd));
	map = map_shared(fd, 4 * PAGE);
	fill_up();
	map[2 * PAGE] = 'x'; /* into the hole */
	fails_with(ENOSPC, msync(map, 4 * PAGE, MS_SYNC));
	ck_assert_int_eq(map[2 * PAGE], 'x');
	has_bytes(fd, 0, PAGE, 1);

	make_room();
	map[2 * PAGE] = 'y';
	msync(map, 4 * PAGE, MS_SYNC); /* may tell of a try in between */
	ok(msync(map, 4 * PAGE, MS_SYNC));
	ok(munmap(map, 4 * PAGE));
	ok(close(fd));
	store_has(0, PAGE, 1);
	ok(unlink("f"));
}
END_TEST

/* ------------------------------------------------------------- range operations */

#define SIZE (64 * PAGE)

/* The file, by whatever it is looked at, has been changed as a whole, or not at all. */
static void is_wholly(int fd, bool done, off_t size_after,
		      void (*has_after)(int fd, size_t size))
{
	const int store = ok(open(behind("f"), O_RDONLY));

	if (done) {
		ck_assert_int_eq(size_of("f"), size_after);
		has_after(fd, (size_t)size_after);
		has_after(store, (size_t)size_after);
	} else {
		ck_assert_int_eq(size_of("f"), (off_t)SIZE);
		has_bytes(fd, 0, SIZE, 1);
		has_bytes(store, 0, SIZE, 1);
	}
	ok(close(store));
}

/* done, or refused for want of room */
static bool done_or_full(int result)
{
	if (result < 0)
		ck_assert_msg(errno == ENOSPC, "%s", strerror(errno));
	return result == 0;
}

static void has_collapsed(int fd, size_t size)
{
	char *bytes = malloc(SIZE);

	read_all(fd, bytes, size, 0);
	memory_has_bytes(bytes, page, size, 1);
	free(bytes);
}

static void has_inserted(int fd, size_t size)
{
	char *bytes = malloc(size);

	read_all(fd, bytes, size, 0);
	memory_has_zeros(bytes, PAGE);
	memory_has_bytes(bytes + PAGE, 0, SIZE, 1);
	free(bytes);
}

static void has_moved(int fd, size_t size)
{
	char *bytes = malloc(size);

	read_all(fd, bytes, size, 0);
	memory_has_zeros(bytes, PAGE);
	memory_has_bytes(bytes + PAGE, page, 7 * PAGE, 1);
	memory_has_bytes(bytes + 8 * PAGE, 0, PAGE, 1);
	memory_has_bytes(bytes + 9 * PAGE, 9 * page, size - 9 * PAGE, 1);
	free(bytes);
}

static void on_a_full_store(int (*operate)(int fd), off_t size_after,
			    void (*has_after)(int fd, size_t size))
{
	int fd = make_file("f", SIZE, 1);
	char *map = map_shared(fd, SIZE);
	bool done;

	memory_has_bytes(map, 0, SIZE, 1);
	ok(fsync(fd));
	fill_up();
	done = done_or_full(operate(fd));
	is_wholly(fd, done, size_after, has_after);
	ok(munmap(map, SIZE));
	ok(close(fd));
	make_room();

	if (!done) {
		fd = ok(open("f", O_RDWR));
		ok(operate(fd));
		is_wholly(fd, true, size_after, has_after);
		ok(close(fd));
	}
	ok(unlink("f"));
}

static int collapse(int fd)
{
	return foldfs_collapse_range(fd, 0, page);
}

static int insert(int fd)
{
	return foldfs_insert_range(fd, 0, page);
}

static int move(int fd)
{
	return foldfs_move_range(fd, 0, page, 8 * page);
}

START_TEST(a_collapse_on_a_full_store_is_done_or_not)
{
	on_a_full_store(collapse, (off_t)(SIZE - PAGE), has_collapsed);
}
END_TEST

START_TEST(an_insert_on_a_full_store_is_done_or_not)
{
	on_a_full_store(insert, (off_t)(SIZE + PAGE), has_inserted);
}
END_TEST

START_TEST(a_move_on_a_full_store_is_done_or_not)
{
	on_a_full_store(move, (off_t)SIZE, has_moved);
}
END_TEST

START_TEST(a_punch_makes_room)
{
	const int fd = make_file("f", SIZE, 1);

	ok(fsync(fd));
	fill_up();
	ok(foldfs_punch_hole(fd, page, 8 * page));
	has_zeros(fd, page, 8 * PAGE);
	has_bytes(fd, 9 * page, SIZE - 9 * PAGE, 1);
	put_bytes(fd, page, 2 * PAGE, 1);
	ok(fsync(fd));
	store_has(0, 3 * PAGE, 1);
	make_room();
	ok(close(fd));
	ok(unlink("f"));
}
END_TEST

static off_t room(void)
{
	struct statvfs store;

	ok(statvfs(behind("."), &store));
	return (off_t)(store.f_bfree * store.f_frsize);
}

/* Dirty pages keep a closed file open in the daemon; of a removed one nobody wants
 * them. */
START_TEST(a_file_removed_with_pages_that_did_not_fit_makes_room)
{
	const int fd = make_file("f", 2 * MIB, 1);
	int tries = 100;

	ok(fsync(fd));
	fill_up();
	pwrite(fd, "x", 1, 3 * MIB);
	ck_assert_int_eq(close(fd), writes_back() ? -1 : 0);
	ck_assert_int_lt(room(), MIB);
	ok(unlink("f"));
	while (room() < (off_t)(2 * MIB) && tries-- > 0)
		usleep(50000);
	ck_assert_int_gt(tries, 0);
	make_room();
}
END_TEST

void describe(void)
{
	everyone(a_write_that_does_not_fit_is_told_and_what_fitted_is_there);
	everyone(a_mapped_page_that_does_not_fit_is_told_by_msync);
	everyone(a_collapse_on_a_full_store_is_done_or_not);
	everyone(an_insert_on_a_full_store_is_done_or_not);
	everyone(a_move_on_a_full_store_is_done_or_not);
	everyone(a_punch_makes_room);
	everyone(a_file_removed_with_pages_that_did_not_fit_makes_room);
}
