/* SPDX-License-Identifier: MIT */
/*
 * Sparse files: SEEK_DATA and SEEK_HOLE tell the truth, also of data that only a
 * mapping knows of so far; and a file of 8 TiB is a file.
 */

#include "files.h"

#include <signal.h>
#include <sys/resource.h>

/* Stores allocate in units of up to 64 KiB: holes in these tests are far larger. */
#define FAR (8 * MIB)

static int sparse(off_t size)
{
	const int fd = make_file("f", 0, 1);

	ok(ftruncate(fd, size));
	return fd;
}

START_TEST(data_and_holes_are_found)
{
	const int fd = sparse(3 * FAR);

	put_bytes(fd, FAR, 64 * KIB, 1);
	ok(fsync(fd));
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_DATA)), FAR);
	ck_assert_int_eq(ok(lseek(fd, FAR, SEEK_DATA)), FAR);
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_HOLE)), 0);
	ck_assert_int_eq(ok(lseek(fd, FAR, SEEK_HOLE)), FAR + 64 * KIB);
	fails_with(ENXIO, lseek(fd, FAR + MIB, SEEK_DATA));
	ck_assert_int_eq(ok(lseek(fd, FAR + MIB, SEEK_HOLE)), FAR + MIB);
}
END_TEST

START_TEST(there_is_a_hole_at_the_end_and_nothing_past_it)
{
	const int fd = make_file("f", 100000, 1);

	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_HOLE)), 100000);
	ck_assert_int_eq(ok(lseek(fd, 99999, SEEK_DATA)), 99999);
	fails_with(ENXIO, lseek(fd, 100000, SEEK_DATA));
	fails_with(ENXIO, lseek(fd, 100000, SEEK_HOLE));
	fails_with(ENXIO, lseek(fd, 100001, SEEK_HOLE));
}
END_TEST

START_TEST(data_written_and_not_synced_is_found)
{
	const int fd = sparse(3 * FAR);

	put_bytes(fd, 2 * FAR, 100, 1);
	ck_assert_int_le(ok(lseek(fd, 0, SEEK_DATA)), 2 * FAR);
	ck_assert_int_gt(ok(lseek(fd, 0, SEEK_DATA)), FAR);
}
END_TEST

START_TEST(data_stored_through_a_mapping_and_not_flushed_is_found)
{
	const int fd = sparse(3 * FAR);
	char *memory = map_shared(fd, 3 * FAR);

	memory[FAR] = 'X';
	ck_assert_int_gt(ok(lseek(fd, 0, SEEK_DATA)), FAR / 2);
	ck_assert_int_le(ok(lseek(fd, 0, SEEK_DATA)), FAR);
	memory[2 * FAR] = 'Y';
	ck_assert_int_le(ok(lseek(fd, FAR + FAR / 2, SEEK_DATA)), 2 * FAR);
	ck_assert_int_ge(ok(lseek(fd, FAR, SEEK_HOLE)), FAR + 1);
}
END_TEST

START_TEST(a_punched_range_is_a_hole)
{
	const int fd = make_file("f", 3 * MIB, 1);

	ok(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, MIB, MIB));
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_HOLE)), MIB);
	ck_assert_int_eq(ok(lseek(fd, MIB, SEEK_DATA)), 2 * MIB);
}
END_TEST

START_TEST(the_other_ways_to_seek_work_too)
{
	const int fd = make_file("f", 1000, 1);

	ck_assert_int_eq(ok(lseek(fd, -10, SEEK_END)), 990);
	ck_assert_int_eq(ok(lseek(fd, 5, SEEK_CUR)), 995);
	put_bytes(fd, 1000, 500, 1);
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_END)), 1500);
	fails_with(EINVAL, lseek(fd, -2000, SEEK_END));
}
END_TEST

START_TEST(a_hole_reads_as_zeros_and_takes_no_space)
{
	const int fd = sparse((off_t)(64 * MIB));

	reference_lacks("tmpfs", "fills holes that a mapping looks at");
	has_zeros(fd, 0, 2 * MIB);
	memory_has_zeros(map_readonly(fd, 4 * MIB), 4 * MIB);
	ck_assert_int_lt(stat_of(behind("f")).st_blocks, 100);
}
END_TEST

START_TEST(a_file_can_have_eight_tebibytes)
{
	const int fd = sparse(8 * TIB);
	char *memory;

	ck_assert_int_eq(size_of("f"), 8 * TIB);
	put_bytes(fd, 8 * TIB - 10000, 10000, 1);
	put_bytes(fd, 5 * TIB + 77, 5000, 2);
	has_bytes(fd, 8 * TIB - 10000, 10000, 1);
	has_bytes(fd, 5 * TIB + 77, 5000, 2);
	has_zeros(fd, 3 * TIB, 100000);
	ok(fsync(fd));
	ck_assert_int_gt(ok(lseek(fd, TIB, SEEK_DATA)), 5 * TIB - (off_t)MIB);
	ck_assert_int_le(lseek(fd, TIB, SEEK_DATA), 5 * TIB + 77);
	memory = ok(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 8 * TIB - (off_t)PAGE));
	memory_has_bytes(memory, 8 * TIB - (off_t)PAGE, PAGE, 1);
	memory[0] = 'X';
	ok(msync(memory, PAGE, MS_SYNC));
	ck_assert_int_eq(stat_of(behind("f")).st_size, 8 * TIB);
	ok(ftruncate(fd, 6 * TIB));
	ck_assert(load_faults(memory));
	has_bytes(fd, 5 * TIB + 77, 5000, 2);
	ck_assert_int_lt(fstat_of(fd).st_blocks, 10000);
}
END_TEST

START_TEST(a_file_can_end_just_before_eight_tebibytes_and_grow_over)
{
	const int fd = sparse(8 * TIB - 100);

	put_bytes(fd, 8 * TIB - 100, 5000, 1);
	ck_assert_int_eq(size_of("f"), 8 * TIB + 4900);
	has_zeros(fd, 8 * TIB - 5000, 4900);
	has_bytes(fd, 8 * TIB - 100, 5000, 1);
}
END_TEST

START_TEST(a_size_that_the_store_refuses_is_refused_alike)
{
	const int fd = make_file("f", 10, 1);
	const int store = ok(open(behind("g"), O_CREAT | O_RDWR, 0644));
	const off_t last = INT64_MAX - 1;
	char c = 'x';

	if (pwrite(store, &c, 1, last) == -1)
		fails_with(errno, pwrite(fd, &c, 1, last));
	else
		ck_assert_int_eq(ok(pwrite(fd, &c, 1, last)), 1);
	fails_with(EINVAL, ftruncate(fd, -1));
	fails_with(EINVAL, pwrite(fd, &c, 1, INT64_MAX));
}
END_TEST

/* One that lies partly below it is short. */
START_TEST(what_is_written_across_the_largest_size_of_the_store_is_as_short_as_there)
{
	const int fd = make_file("f", 10, 1);
	const int store = ok(open(behind("g"), O_CREAT | O_RDWR, 0644));
	char buf[5000] = "";
	off_t fits = 10, does_not = INT64_MAX;

	while (does_not - fits > 1) {
		const off_t middle = fits + (does_not - fits) / 2;

		if (ftruncate(store, middle) == 0)
			fits = middle;
		else
			does_not = middle;
	}
	ok(ftruncate(store, 0));
	if (fits > INT64_MAX - (off_t)sizeof(buf))
		return; /* the kernel refuses it before anybody is asked */
	const ssize_t there = ok(pwrite(store, buf, sizeof(buf), fits - 1000));

	ck_assert_int_eq(ok(pwrite(fd, buf, sizeof(buf), fits - 1000)), there);
	ck_assert_int_eq(fstat_of(fd).st_size, fstat_of(store).st_size);
	ok(fsync(fd));
	ck_assert_int_eq(size_of("f"), fits);
	fails_with(EFBIG, pwrite(fd, buf, sizeof(buf), fits));
}
END_TEST

/* What is in the page that is one byte short of a page. */
START_TEST(the_last_byte_of_the_largest_file_can_be_read)
{
	const off_t last = INT64_MAX - 1;
	const int fd = make_file("f", 10, 1);
	char c = 'x', got[8] = "";

	if (pwrite(fd, &c, 1, last) == -1) {
		fails_with(EFBIG, pwrite(fd, &c, 1, last));
		ck_assert(!store_is("tmpfs") && !store_is("xfs"));
		return;
	}
	ck_assert_int_eq(ok(pread(fd, got, 1, last)), 1);
	ck_assert_int_eq(got[0], 'x');
	ck_assert_int_eq(ok(pread(fd, got, 1, last - 100)), 1);
	ck_assert_int_eq(got[0], 0);
	ck_assert_int_eq(ok(lseek(fd, -5, SEEK_END)), last - 4);
	ck_assert_int_eq(ok(read(fd, got, 5)), 5);
	ck_assert_int_eq(got[4], 'x');
	/* And once more from the store. */
	ok(fsync(fd));
	ok(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	ck_assert_int_eq(ok(pread(fd, got, 1, last)), 1);
	ck_assert_int_eq(got[0], 'x');
}
END_TEST

START_TEST(a_process_may_not_write_past_its_own_limit)
{
	const struct rlimit limit = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
	const int fd = make_file("f", 99990, 1);
	char buf[100] = "";

	ck_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	ok(setrlimit(RLIMIT_FSIZE, &limit));
	ck_assert_int_eq(ok(pwrite(fd, buf, 100, 99990)), 10);
	fails_with(EFBIG, pwrite(fd, buf, 100, 100000));
	fails_with(EFBIG, ftruncate(fd, 100001));
	ck_assert_int_eq(fstat_of(fd).st_size, 100000);
}
END_TEST

void describe(void)
{
	everyone(data_and_holes_are_found);
	everyone(there_is_a_hole_at_the_end_and_nothing_past_it);
	everyone(data_written_and_not_synced_is_found);
	everyone(data_stored_through_a_mapping_and_not_flushed_is_found);
	everyone(a_punched_range_is_a_hole);
	everyone(the_other_ways_to_seek_work_too);
	everyone(a_hole_reads_as_zeros_and_takes_no_space);
	everyone(a_file_can_have_eight_tebibytes);
	everyone(a_file_can_end_just_before_eight_tebibytes_and_grow_over);
	everyone(a_size_that_the_store_refuses_is_refused_alike);
	everyone(
		what_is_written_across_the_largest_size_of_the_store_is_as_short_as_there);
	everyone(the_last_byte_of_the_largest_file_can_be_read);
	everyone(a_process_may_not_write_past_its_own_limit);
}
