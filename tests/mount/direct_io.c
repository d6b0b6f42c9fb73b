/* SPDX-License-Identifier: MIT */
/*
 * O_DIRECT: accepted, coherent with read, write and mappings, and no obstacle to msync
 * on a file whose end is not aligned.
 */

#include "files.h"

#include <linux/aio_abi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

static char *aligned(size_t len)
{
	void *memory;

	ck_assert_int_eq(posix_memalign(&memory, PAGE, len), 0);
	return memory;
}

static void fill(char *memory, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		memory[i] = (char)byte_at(seed, (off_t)i);
}

START_TEST(direct_writes_are_read_back_by_every_way)
{
	const int direct = ok(open("f", O_RDWR | O_CREAT | O_DIRECT, 0644));
	const int plain = ok(open("f", O_RDWR));
	char *buf = aligned(16 * PAGE);

	fill(buf, 16 * PAGE, 1);
	ck_assert_int_eq(ok(pwrite(direct, buf, 16 * PAGE, 0)), 16 * PAGE);
	has_bytes(plain, 0, 16 * PAGE, 1);
	memory_has_bytes(map_readonly(plain, 16 * PAGE), 0, 16 * PAGE, 1);
	memset(buf, 0, 16 * PAGE);
	ck_assert_int_eq(ok(pread(direct, buf, 16 * PAGE, 0)), 16 * PAGE);
	memory_has_bytes(buf, 0, 16 * PAGE, 1);
	ok(fsync(direct));
	ck_assert_int_eq(size_of(behind("f")), 16 * PAGE);
}
END_TEST

START_TEST(a_direct_write_is_seen_by_a_reader_that_had_cached_the_old_bytes)
{
	const int plain = make_file("f", 16 * PAGE, 1);
	const int direct = ok(open("f", O_RDWR | O_DIRECT));
	char *memory = map_shared(plain, 16 * PAGE);
	char *buf = aligned(4 * PAGE);

	memory_has_bytes(memory, 0, 16 * PAGE, 1);
	fill(buf, 4 * PAGE, 2);
	ck_assert_int_eq(ok(pwrite(direct, buf, 4 * PAGE, 0)), 4 * PAGE);
	has_bytes(plain, 0, 4 * PAGE, 2);
	memory_has_bytes(memory, 0, 4 * PAGE, 2);
	has_bytes(plain, 4 * PAGE, 12 * PAGE, 1);
}
END_TEST

START_TEST(a_direct_read_sees_plain_writes_and_stores_through_mappings)
{
	const int plain = make_file("f", 16 * PAGE, 1);
	const int direct = ok(open("f", O_RDWR | O_DIRECT));
	char *memory = map_shared(plain, 16 * PAGE);
	char *buf = aligned(16 * PAGE);

	put_bytes(plain, 0, PAGE, 3);
	memory[5 * PAGE] = 'X';
	ck_assert_int_eq(ok(pread(direct, buf, 16 * PAGE, 0)), 16 * PAGE);
	memory_has_bytes(buf, 0, PAGE, 3);
	ck_assert_int_eq(buf[5 * PAGE], 'X');
}
END_TEST

START_TEST(a_direct_write_past_the_end_extends_the_file)
{
	const int direct = ok(open("f", O_RDWR | O_CREAT | O_DIRECT, 0644));
	char *buf = aligned(PAGE);

	fill(buf, PAGE, 1);
	ck_assert_int_eq(ok(pwrite(direct, buf, PAGE, 8 * PAGE)), PAGE);
	ck_assert_int_eq(size_of("f"), 9 * PAGE);
	has_zeros(ok(open("f", O_RDONLY)), 0, 8 * PAGE);
}
END_TEST

START_TEST(a_direct_read_ends_at_an_unaligned_end)
{
	const int plain = make_file("f", 5 * PAGE + 100, 1);
	const int direct = ok(open("f", O_RDONLY | O_DIRECT));
	char *buf = aligned(8 * PAGE);

	ok(fsync(plain));
	ck_assert_int_eq(ok(pread(direct, buf, 8 * PAGE, 0)), 5 * PAGE + 100);
	memory_has_bytes(buf, 0, 5 * PAGE + 100, 1);
	ck_assert_int_eq(ok(pread(direct, buf, PAGE, 6 * PAGE)), 0);
}
END_TEST

START_TEST(msync_works_at_an_unaligned_end_on_a_descriptor_opened_for_direct_io)
{
	int direct;
	char *memory;

	ok(close(make_file("f", 2 * PAGE + 100, 1)));
	direct = ok(open("f", O_RDWR | O_DIRECT));
	memory = map_shared(direct, 2 * PAGE + 100);
	memory[2 * PAGE + 50] = 'X';
	memory[7] = 'Y';
	ok(msync(memory, 2 * PAGE + 100, MS_SYNC));
	ok(fsync(direct));
	ck_assert_int_eq(size_of(behind("f")), 2 * PAGE + 100);
	{
		const int store = ok(open(behind("f"), O_RDONLY));
		char c;

		read_all(store, &c, 1, 2 * PAGE + 50);
		ck_assert_int_eq(c, 'X');
		read_all(store, &c, 1, 7);
		ck_assert_int_eq(c, 'Y');
	}
}
END_TEST

START_TEST(direct_can_be_switched_on_for_an_open_file)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	char *buf = aligned(PAGE);

	ok(fcntl(fd, F_SETFL, O_DIRECT));
	ck_assert_int_eq(ok(pread(fd, buf, PAGE, PAGE)), PAGE);
	memory_has_bytes(buf, PAGE, PAGE, 1);
}
END_TEST

START_TEST(a_large_direct_transfer_is_whole)
{
	const int direct = ok(open("f", O_RDWR | O_CREAT | O_DIRECT, 0644));
	const size_t len = 9 * MIB;
	char *buf = aligned(len);

	fill(buf, len, 1);
	ck_assert_int_eq(ok(pwrite(direct, buf, len, 0)), len);
	memset(buf, 0, len);
	ck_assert_int_eq(ok(pread(direct, buf, len, 0)), len);
	memory_has_bytes(buf, 0, len, 1);
}
END_TEST

/* ------------------------------------------- asynchronous, beside readers that cache
 */

#define ASYNC_PAGES 160

struct reader {
	pthread_t thread;
	int fd;
	_Atomic bool over;
};

static void *read_again_and_again(void *arg)
{
	struct reader *reader = arg;
	char *buf = aligned(ASYNC_PAGES * PAGE);

	while (!atomic_load(&reader->over)) {
		(void)!pread(reader->fd, buf, ASYNC_PAGES * PAGE, 0);
		posix_fadvise(reader->fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	free(buf);
	return NULL;
}

/* Submit one write of the whole file, and wait for its completion. */
static void write_asynchronously(aio_context_t ctx, int fd, const char *buf)
{
	struct iocb iocb = {
		.aio_fildes = (uint32_t)fd,
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_buf = (uint64_t)(uintptr_t)buf,
		.aio_nbytes = ASYNC_PAGES * PAGE,
	};
	struct iocb *iocbs[] = {&iocb};
	struct io_event event;

	ck_assert_int_eq(ok((int)syscall(SYS_io_submit, ctx, 1, iocbs)), 1);
	ck_assert_int_eq(ok((int)syscall(SYS_io_getevents, ctx, 1, 1, &event, NULL)),
			 1);
	ck_assert_int_eq((int64_t)event.res, ASYNC_PAGES * PAGE);
}

START_TEST(a_completed_asynchronous_write_is_seen_by_every_reader)
{
	const int plain = make_file("f", ASYNC_PAGES * PAGE, 1);
	const int direct = ok(open("f", O_RDWR | O_DIRECT));
	char *buf = aligned(ASYNC_PAGES * PAGE);
	struct reader readers[2];
	aio_context_t ctx = 0;

	ok((int)syscall(SYS_io_setup, 1, &ctx));
	for (int i = 0; i < 2; i++) {
		readers[i] = (struct reader){.fd = ok(open("f", O_RDONLY))};
		ck_assert_int_eq(pthread_create(&readers[i].thread, NULL,
						read_again_and_again, &readers[i]),
				 0);
	}
	for (unsigned round = 2; round < 60; round++) {
		fill(buf, ASYNC_PAGES * PAGE, round);
		write_asynchronously(ctx, direct, buf);
		has_bytes(plain, 0, ASYNC_PAGES * PAGE, round);
	}
	for (int i = 0; i < 2; i++) {
		atomic_store(&readers[i].over, true);
		pthread_join(readers[i].thread, NULL);
	}
	ok((int)syscall(SYS_io_destroy, ctx));
}
END_TEST

void describe(void)
{
	everyone(direct_writes_are_read_back_by_every_way);
	everyone(a_direct_write_is_seen_by_a_reader_that_had_cached_the_old_bytes);
	everyone(a_direct_read_sees_plain_writes_and_stores_through_mappings);
	everyone(a_direct_write_past_the_end_extends_the_file);
	everyone(a_direct_read_ends_at_an_unaligned_end);
	everyone(msync_works_at_an_unaligned_end_on_a_descriptor_opened_for_direct_io);
	everyone(direct_can_be_switched_on_for_an_open_file);
	everyone(a_large_direct_transfer_is_whole);
	everyone(a_completed_asynchronous_write_is_seen_by_every_reader);
}
