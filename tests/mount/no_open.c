/* SPDX-License-Identifier: MIT */
/*
 * Files that are open for long, while nobody uses them: whatever rights are taken away
 * meanwhile, who has a file open keeps his. A world of its own with --no-open, where
 * the daemon has closed the file long before; true of any file system.
 */

#include "files.h"

#include <sys/wait.h>

/* Until whatever is not kept for a reason has been closed. */
#define CLOSED_MS 1300
/* Of a file: nobody has read it so far, so it is in no cache. */
#define SIZE	  (64 * PAGE)

/* A file that others have made, as far as we are concerned. */
static void old_file(const char *name)
{
	ok(close(make_file(behind(name), SIZE, 1)));
}

START_TEST(a_reader_keeps_his_right)
{
	int fd;

	old_file("f");
	fd = ok(open("f", O_RDONLY));
	ok(chmod("f", 0));
	sleep_ms(CLOSED_MS);
	has_bytes(fd, 0, SIZE, 1);
}
END_TEST

START_TEST(a_mapping_keeps_its_right)
{
	char *memory;
	int fd;

	old_file("f");
	fd = ok(open("f", O_RDWR));
	memory = map_shared(fd, SIZE);
	ok(close(fd));
	memory[0] = 'a';
	ok(chmod("f", 0));
	sleep_ms(CLOSED_MS);
	memory_has_bytes(memory + PAGE, PAGE, SIZE - PAGE, 1);
	memory[PAGE] = 'b';
	ok(msync(memory, SIZE, MS_SYNC));
	ok(chmod("f", 0600));
	read_all(ok(open(behind("f"), O_RDONLY)), memory, 1, PAGE);
	ck_assert_int_eq(memory[0], 'b');
}
END_TEST

static void a_writer_keeps_his_right(mode_t mode)
{
	int fd;

	old_file("f");
	fd = ok(open("f", O_RDWR));
	ok(chmod("f", mode));
	sleep_ms(CLOSED_MS);
	put_bytes(fd, 0, SIZE, 2);
	ok(fsync(fd));
	ok(ftruncate(fd, 10 * PAGE));
	ok(posix_fallocate(fd, 0, 20 * PAGE));
	has_bytes(fd, 0, 10 * PAGE, 2);
	has_zeros(fd, 10 * PAGE, 10 * PAGE);
}

START_TEST(a_writer_keeps_his_right_when_nobody_may_write)
{
	a_writer_keeps_his_right(0444);
}
END_TEST

START_TEST(a_writer_keeps_his_right_when_nobody_may_do_anything)
{
	a_writer_keeps_his_right(0);
}
END_TEST

START_TEST(a_writer_keeps_his_right_to_a_program)
{
	a_writer_keeps_his_right(0555);
}
END_TEST

START_TEST(who_makes_a_file_keeps_his_right_whatever_its_mode)
{
	const int fd = ok(open("f", O_CREAT | O_RDWR, 0));

	sleep_ms(CLOSED_MS);
	put_bytes(fd, 0, SIZE, 1);
	sleep_ms(CLOSED_MS);
	has_bytes(fd, 0, SIZE, 1);
	ok(fsync(fd));
}
END_TEST

START_TEST(a_right_that_is_given_back_is_there_again)
{
	int fd;

	old_file("f");
	fd = ok(open("f", O_RDWR));
	ok(chmod("f", 0));
	ok(chmod("f", 0600));
	sleep_ms(CLOSED_MS);
	has_bytes(fd, 0, SIZE, 1);
	put_bytes(fd, 0, SIZE, 2);
	has_bytes(ok(open("f", O_RDONLY)), 0, SIZE, 2);
}
END_TEST

START_TEST(a_file_that_may_only_be_written_is_written_and_synced)
{
	int fd;

	old_file("f");
	ok(chmod("f", 0200));
	fd = ok(open("f", O_WRONLY));
	sleep_ms(CLOSED_MS);
	ok(fsync(fd));
	put_bytes(fd, 3, 10, 2);
	sleep_ms(CLOSED_MS);
	ok(fsync(fd));
	ok(chmod("f", 0600));
	has_bytes(ok(open("f", O_RDONLY)), 3, 10, 2);
}
END_TEST

START_TEST(a_file_without_a_name_lives_on)
{
	int fd, copy;

	old_file("f");
	fd = ok(open("f", O_RDWR));
	copy = ok(open("copy", O_CREAT | O_RDWR, 0600));
	ok(unlink("f"));
	sleep_ms(CLOSED_MS);
	has_bytes(fd, 0, SIZE, 1);
	put_bytes(fd, SIZE, PAGE, 1);
	sleep_ms(CLOSED_MS);
	ck_assert_int_eq(ok(copy_file_range(fd, NULL, copy, NULL, SIZE + PAGE, 0)),
			 SIZE + PAGE);
	has_bytes(copy, 0, SIZE + PAGE, 1);
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_DATA)), 0);
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_HOLE)), SIZE + PAGE);
}
END_TEST

START_TEST(a_cut_by_open_is_seen_by_who_has_it_mapped)
{
	char *memory;

	old_file("f");
	memory = map_readonly(ok(open("f", O_RDONLY)), SIZE);
	memory_has_bytes(memory, 0, SIZE, 1);
	ok(close(ok(open("f", O_WRONLY | O_TRUNC))));
	ck_assert_int_eq(size_of(behind("f")), 0);
	ck_assert(load_faults(memory));
}
END_TEST

#define TEXT_BUSY 26

static int status_of_program(const char *path)
{
	const pid_t child = ok(fork());
	int status;

	if (child == 0) {
		execl(path, path, NULL);
		_exit(errno == ETXTBSY ? TEXT_BUSY : 1);
	}
	ok(waitpid(child, &status, 0));
	return WEXITSTATUS(status);
}

START_TEST(a_program_that_was_written_and_closed_can_be_run_soon)
{
	int fd;

	make_text("p", "#!/bin/sh\nexit 1\n");
	ok(chmod("p", 0755));
	fd = ok(open("p", O_WRONLY | O_TRUNC));
	write_all(fd, "#!/bin/sh\nexit 7\n", 17, 0);
	ok(close(fd));
	ck_assert_int_eq(status_of_program("./p"), 7);
	for (int i = 0; i < 200 && status_of_program(behind("p")) == TEXT_BUSY; i++)
		sleep_ms(50);
	ck_assert_int_eq(status_of_program(behind("p")), 7);
}
END_TEST

/* Readers and writers of some files, and somebody who takes away and gives rights. */
#define BUSY_FILES 4
#define BUSY_MS	   3000

static void use_file(void *arg)
{
	const char *name = arg;
	const int fd = ok(open(name, O_RDWR | O_DIRECT));
	struct timespec start, now;
	char *buf;

	ck_assert_int_eq(posix_memalign((void **)&buf, PAGE, PAGE), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		for (int i = 0; i < 20; i++) {
			ck_assert_int_eq(ok(pread(fd, buf, PAGE, i * (off_t)PAGE)),
					 PAGE);
			memory_has_bytes(buf, i * (off_t)PAGE, PAGE, 1);
			ck_assert_int_eq(ok(pwrite(fd, buf, PAGE, i * (off_t)PAGE)),
					 PAGE);
		}
		ok(fsync(fd));
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000 < BUSY_MS);
}

START_TEST(rights_that_come_and_go_disturb_nobody)
{
	static char names[BUSY_FILES][8];
	pid_t children[2 * BUSY_FILES];

	for (int i = 0; i < BUSY_FILES; i++) {
		snprintf(names[i], sizeof(names[i]), "f%d", i);
		old_file(names[i]);
		children[2 * i] = start(use_file, names[i]);
		children[2 * i + 1] = start(use_file, names[i]);
	}
	sleep_ms(300);
	for (int i = 0; i < 500; i++) {
		ok(chmod(names[i % BUSY_FILES], i / BUSY_FILES % 2 ? 0600 : 0));
		sleep_ms(5);
	}
	for (int i = 0; i < 2 * BUSY_FILES; i++)
		finish(children[i]);
}
END_TEST

void describe(void)
{
	everyone(a_reader_keeps_his_right);
	everyone(a_mapping_keeps_its_right);
	everyone(a_writer_keeps_his_right_when_nobody_may_write);
	everyone(a_writer_keeps_his_right_when_nobody_may_do_anything);
	everyone(a_writer_keeps_his_right_to_a_program);
	everyone(who_makes_a_file_keeps_his_right_whatever_its_mode);
	everyone(a_right_that_is_given_back_is_there_again);
	everyone(a_file_that_may_only_be_written_is_written_and_synced);
	everyone(a_file_without_a_name_lives_on);
	everyone(a_cut_by_open_is_seen_by_who_has_it_mapped);
	everyone(a_program_that_was_written_and_closed_can_be_run_soon);
	everyone(rights_that_come_and_go_disturb_nobody);
}
