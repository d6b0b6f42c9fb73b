/* SPDX-License-Identifier: MIT */
/*
 * When bytes are in the store: at once if the mount writes through, after fsync,
 * fdatasync, msync or close if it keeps dirty pages.
 */

#include "files.h"

#include <sys/uio.h>

static void store_has_bytes(off_t offset, size_t len, unsigned seed)
{
	const int fd = ok(open(behind("f"), O_RDONLY));

	has_bytes(fd, offset, len, seed);
	ok(close(fd));
}

START_TEST(an_acknowledged_write_is_in_the_store)
{
	const int fd = make_file("f", 10000, 1);

	store_has_bytes(0, 10000, 1);
	put_bytes(fd, 5000, 123, 2);
	store_has_bytes(5000, 123, 2);
	put_bytes(fd, 10000, 3 * MIB, 1);
	store_has_bytes(5123, 3 * MIB, 1);
}
END_TEST

START_TEST(after_fsync_everything_is_in_the_store)
{
	const int fd = make_file("f", 3 * MIB, 1);

	ok(fsync(fd));
	store_has_bytes(0, 3 * MIB, 1);
}
END_TEST

START_TEST(after_fdatasync_the_bytes_and_the_size_are_in_the_store)
{
	const int fd = make_file("f", 100000, 1);

	ok(fdatasync(fd));
	store_has_bytes(0, 100000, 1);
	ck_assert_int_eq(size_of(behind("f")), 100000);
}
END_TEST

START_TEST(after_close_everything_is_in_the_store)
{
	ok(close(make_file("f", 100001, 1)));
	store_has_bytes(0, 100001, 1);
	ck_assert_int_eq(size_of(behind("f")), 100001);
}
END_TEST

START_TEST(after_msync_the_stores_of_a_mapping_are_in_the_store)
{
	const int fd = make_file("f", 8 * PAGE, 1);
	char *memory = map_shared(fd, 8 * PAGE);

	for (size_t i = 0; i < 8 * PAGE; i++)
		memory[i] = (char)byte_at(2, (off_t)i);
	ok(msync(memory, 8 * PAGE, MS_SYNC));
	store_has_bytes(0, 8 * PAGE, 2);
}
END_TEST

START_TEST(after_unmapping_and_closing_the_stores_of_a_mapping_are_in_the_store)
{
	const int fd = make_file("f", 8 * PAGE, 1);
	char *memory = map_shared(fd, 8 * PAGE);

	for (size_t i = 0; i < 8 * PAGE; i++)
		memory[i] = (char)byte_at(2, (off_t)i);
	ok(munmap(memory, 8 * PAGE));
	ok(close(fd));
	store_has_bytes(0, 8 * PAGE, 2);
}
END_TEST

START_TEST(fsync_of_another_descriptor_of_the_file_is_as_good)
{
	const int fd = make_file("f", 100000, 1);
	const int other = ok(open("f", O_RDONLY));

	ok(fsync(other));
	store_has_bytes(0, 100000, 1);
	ok(fsync(fd));
}
END_TEST

START_TEST(o_sync_and_o_dsync_need_no_fsync)
{
	const int fd = ok(open("f", O_RDWR | O_CREAT | O_SYNC, 0644));
	const int data = ok(open("f", O_RDWR | O_DSYNC));

	put_bytes(fd, 0, 10000, 1);
	store_has_bytes(0, 10000, 1);
	put_bytes(data, 10000, 10000, 1);
	store_has_bytes(0, 20000, 1);
}
END_TEST

START_TEST(a_write_can_ask_for_sync_by_itself)
{
	const int fd = make_file("f", 0, 1);
	char bytes[1000];
	struct iovec iov = {bytes, sizeof(bytes)};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)byte_at(1, (off_t)i);
	ck_assert_int_eq(ok(pwritev2(fd, &iov, 1, 0, RWF_DSYNC)), 1000);
	store_has_bytes(0, 1000, 1);
}
END_TEST

START_TEST(sync_file_range_and_syncfs_are_accepted)
{
	const int fd = make_file("f", 100000, 1);

	ok(sync_file_range(fd, 0, 50000,
			   SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				   SYNC_FILE_RANGE_WAIT_AFTER));
	ok(syncfs(fd));
	ok(fsync(fd));
	store_has_bytes(0, 100000, 1);
}
END_TEST

START_TEST(directories_can_be_synced)
{
	const int fd = ok(open(".", O_RDONLY | O_DIRECTORY));

	make_text("f", "x");
	ok(fsync(fd));
	ok(fdatasync(fd));
}
END_TEST

START_TEST(a_mapping_outlives_its_descriptor)
{
	const int fd = make_file("f", 4 * PAGE, 1);
	char *memory = map_shared(fd, 4 * PAGE);

	ok(close(fd));
	memory[PAGE] = (char)byte_at(2, PAGE);
	ok(msync(memory, 4 * PAGE, MS_SYNC));
	store_has_bytes(PAGE, 1, 2);
	ok(munmap(memory, 4 * PAGE));
}
END_TEST

void describe(void)
{
	if (!writes_back())
		everyone(an_acknowledged_write_is_in_the_store);
	everyone(after_fsync_everything_is_in_the_store);
	everyone(after_fdatasync_the_bytes_and_the_size_are_in_the_store);
	everyone(after_close_everything_is_in_the_store);
	everyone(after_msync_the_stores_of_a_mapping_are_in_the_store);
	everyone(after_unmapping_and_closing_the_stores_of_a_mapping_are_in_the_store);
	everyone(fsync_of_another_descriptor_of_the_file_is_as_good);
	everyone(o_sync_and_o_dsync_need_no_fsync);
	everyone(a_write_can_ask_for_sync_by_itself);
	everyone(sync_file_range_and_syncfs_are_accepted);
	everyone(directories_can_be_synced);
	everyone(a_mapping_outlives_its_descriptor);
}
