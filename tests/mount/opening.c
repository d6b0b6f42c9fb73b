/* SPDX-License-Identifier: MIT */
/*
 * open(2) and its flags, and appends from several processes at once.
 */

#include "files.h"

START_TEST(excl_makes_a_file_once)
{
	ok(close(ok(open("f", O_CREAT | O_EXCL | O_WRONLY, 0644))));
	fails_with(EEXIST, open("f", O_CREAT | O_EXCL | O_WRONLY, 0644));
	ok(symlink("absent", "link"));
	fails_with(EEXIST, open("link", O_CREAT | O_EXCL | O_WRONLY, 0644));
}
END_TEST

static void make_all_names(void *arg)
{
	int *made = arg;

	for (int i = 0; i < 300; i++) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "f%d", i);
		fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0644);
		if (fd >= 0) {
			__atomic_add_fetch(&made[i], 1, __ATOMIC_RELAXED);
			ok(close(fd));
		} else {
			ck_assert_int_eq(errno, EEXIST);
		}
	}
}

START_TEST(of_several_makers_of_one_name_just_one_wins)
{
	const size_t len = 300 * sizeof(int);
	int *made = ok(mmap(NULL, len, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t children[4];

	for (int i = 0; i < 4; i++)
		children[i] = start(make_all_names, made);
	for (int i = 0; i < 4; i++)
		finish(children[i]);
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(made[i], 1);
}
END_TEST

START_TEST(trunc_empties_the_file_for_everybody)
{
	const int fd = make_file("f", 3 * PAGE, 1);
	char *memory = map_shared(fd, 3 * PAGE);

	memory_has_bytes(memory, 0, 3 * PAGE, 1);
	ok(close(ok(open("f", O_WRONLY | O_TRUNC))));
	ck_assert_int_eq(fstat_of(fd).st_size, 0);
	ck_assert_int_eq(size_of(behind("f")), 0);
	ck_assert(load_faults(memory));
	put_bytes(fd, 0, 10, 2);
	memory_has_bytes(memory, 0, 10, 2);
	memory_has_zeros(memory + 10, PAGE - 10);
}
END_TEST

START_TEST(trunc_moves_the_times)
{
	const struct timespec past[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

	make_text("f", "text");
	ok(utimensat(AT_FDCWD, "f", past, 0));
	ok(close(ok(open("f", O_WRONLY | O_TRUNC))));
	ck_assert_int_gt(stat_of("f").st_mtim.tv_sec, 1);
}
END_TEST

START_TEST(a_file_that_may_not_be_read_can_be_written)
{
	int fd;

	make_text("f", "0123456789");
	ok(chmod("f", 0200));
	fd = ok(open("f", O_WRONLY));
	/* Not a whole page: what is around it has to be read, but not by us. */
	write_all(fd, "ab", 2, 3);
	ok(close(fd));
	fails_with(EACCES, open("f", O_RDONLY));
	ok(chmod("f", 0600));
	has_text("f", "012ab56789");
}
END_TEST

START_TEST(a_new_file_is_writable_through_its_first_descriptor_whatever_its_mode)
{
	const int fd = ok(open("f", O_CREAT | O_RDWR, 0));

	put_bytes(fd, 0, 10000, 1);
	has_bytes(fd, 0, 10000, 1);
	ck_assert_uint_eq(fstat_of(fd).st_mode & 07777, 0);
	ok(fsync(fd));
}
END_TEST

START_TEST(a_writer_keeps_his_right_when_the_mode_is_taken_away)
{
	const int fd = make_file("f", 10, 1);

	ok(chmod("f", 0));
	put_bytes(fd, 0, 10000, 2);
	has_bytes(fd, 0, 10000, 2);
	ok(ftruncate(fd, 5000));
}
END_TEST

START_TEST(descriptors_are_for_what_they_were_opened_for)
{
	char c = 'x';
	int fd;

	make_text("f", "x");
	fd = ok(open("f", O_RDONLY));
	fails_with(EBADF, write(fd, &c, 1));
	fd = ok(open("f", O_WRONLY));
	fails_with(EBADF, read(fd, &c, 1));
	fd = ok(open("f", O_PATH));
	fails_with(EBADF, read(fd, &c, 1));
	fails_with(EISDIR, open(".", O_WRONLY));
	fails_with(ENOTDIR, open("f", O_RDONLY | O_DIRECTORY));
}
END_TEST

START_TEST(a_read_only_and_a_writable_descriptor_see_the_same_bytes)
{
	int reader, writer;

	make_text("f", "old");
	reader = ok(open("f", O_RDONLY));
	has_bytes(reader, 0, 0, 1);
	writer = ok(open("f", O_RDWR));
	write_all(writer, "new!", 4, 0);
	ok(close(writer));
	has_text("f", "new!");
	ck_assert_int_eq(fstat_of(reader).st_size, 4);
}
END_TEST

#define RECORD	64
#define RECORDS 2000

static void append_records(void *arg)
{
	const int fd = ok(open("log", O_WRONLY | O_APPEND));
	char record[RECORD];

	memset(record, *(char *)arg, sizeof(record));
	record[RECORD - 1] = '\n';
	for (int i = 0; i < RECORDS; i++)
		ck_assert_int_eq(ok(write(fd, record, sizeof(record))), RECORD);
}

START_TEST(appends_of_two_processes_are_neither_lost_nor_torn)
{
	const int fd = make_file("log", 0, 1);
	int count[2] = {0, 0};
	char record[RECORD];
	pid_t a, b;

	a = start(append_records, "a");
	b = start(append_records, "b");
	finish(a);
	finish(b);
	ck_assert_int_eq(fstat_of(fd).st_size, 2 * RECORDS * RECORD);
	while (ok(read(fd, record, RECORD)) == RECORD) {
		if (record[RECORD - 1] != '\n' ||
		    (record[0] != 'a' && record[0] != 'b'))
			ck_abort_msg("a torn record");
		for (int i = 1; i < RECORD - 1; i++)
			if (record[i] != record[0])
				ck_abort_msg("a mixed record");
		count[record[0] - 'a']++;
	}
	ck_assert_int_eq(count[0], RECORDS);
	ck_assert_int_eq(count[1], RECORDS);
}
END_TEST

START_TEST(append_ignores_where_the_descriptor_stands)
{
	const int fd = make_file("f", 10, 1);
	int appender = ok(open("f", O_RDWR | O_APPEND));

	ok(lseek(appender, 0, SEEK_SET));
	ck_assert_int_eq(ok(write(appender, "end", 3)), 3);
	ck_assert_int_eq(fstat_of(fd).st_size, 13);
	has_bytes(fd, 0, 10, 1);
	ck_assert_int_eq(lseek(appender, 0, SEEK_CUR), 13);
}
END_TEST

START_TEST(append_can_be_switched_on_and_off_later)
{
	const int fd = make_file("f", 10, 1);

	ok(fcntl(fd, F_SETFL, O_APPEND));
	ok(lseek(fd, 0, SEEK_SET));
	ok(write(fd, "x", 1));
	ck_assert_int_eq(fstat_of(fd).st_size, 11);
	ok(fcntl(fd, F_SETFL, 0));
	ok(lseek(fd, 0, SEEK_SET));
	ok(write(fd, "x", 1));
	ck_assert_int_eq(fstat_of(fd).st_size, 11);
}
END_TEST

START_TEST(a_thousand_descriptors_of_a_file_are_as_good_as_one)
{
	static int fds[900];

	ok(close(make_file("f", 10000, 1)));
	for (int i = 0; i < 900; i++)
		fds[i] = ok(open("f", i % 2 ? O_RDONLY : O_RDWR));
	put_bytes(fds[0], 0, 10000, 2);
	for (int i = 0; i < 900; i += 99)
		has_bytes(fds[i], 0, 10000, 2);
}
END_TEST

START_TEST(many_files_can_be_open_at_once)
{
	static int fds[900];

	for (int i = 0; i < 900; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		fds[i] = make_file(name, 100, (unsigned)i);
	}
	for (int i = 0; i < 900; i++)
		has_bytes(fds[i], 0, 100, (unsigned)i);
}
END_TEST

void describe(void)
{
	everyone(excl_makes_a_file_once);
	everyone(of_several_makers_of_one_name_just_one_wins);
	everyone(trunc_empties_the_file_for_everybody);
	everyone(trunc_moves_the_times);
	user_only(a_file_that_may_not_be_read_can_be_written);
	everyone(a_new_file_is_writable_through_its_first_descriptor_whatever_its_mode);
	everyone(a_writer_keeps_his_right_when_the_mode_is_taken_away);
	everyone(descriptors_are_for_what_they_were_opened_for);
	everyone(a_read_only_and_a_writable_descriptor_see_the_same_bytes);
	everyone(appends_of_two_processes_are_neither_lost_nor_torn);
	everyone(append_ignores_where_the_descriptor_stands);
	everyone(append_can_be_switched_on_and_off_later);
	everyone(a_thousand_descriptors_of_a_file_are_as_good_as_one);
	everyone(many_files_can_be_open_at_once);
}
