/* SPDX-License-Identifier: MIT */
/*
 * Locks between processes: POSIX records, BSD whole files, open file descriptions.
 */

#include "files.h"

#include <sys/file.h>

static struct flock record(short type, off_t start_, off_t len)
{
	return (struct flock){
		.l_type = type, .l_whence = SEEK_SET, .l_start = start_, .l_len = len};
}

/* fcntl(2) in one expression, for fails_with(). */
static int lock_record(int fd, int cmd, short type, off_t start_, off_t len)
{
	struct flock lock = record(type, start_, len);

	return fcntl(fd, cmd, &lock);
}

static void another_process_is_kept_out(void *arg)
{
	const int fd = ok(open("f", O_RDWR));
	struct flock lock = record(F_WRLCK, 50, 10);

	(void)arg;
	fails_with(EAGAIN, lock_record(fd, F_SETLK, F_WRLCK, 0, 10));
	fails_with(EAGAIN, lock_record(fd, F_SETLK, F_RDLCK, 99, 10));
	ok(lock_record(fd, F_SETLK, F_WRLCK, 100, 10));
	ok(fcntl(fd, F_GETLK, &lock));
	ck_assert_int_eq(lock.l_type, F_WRLCK);
	ck_assert_int_eq(lock.l_start, 0);
	ck_assert_int_eq(lock.l_len, 100);
	ck_assert_int_eq(lock.l_pid, getppid());
}

START_TEST(a_record_lock_keeps_other_processes_out)
{
	const int fd = make_file("f", 1000, 1);

	ok(lock_record(fd, F_SETLK, F_WRLCK, 0, 100));
	ok(lock_record(fd, F_SETLK, F_WRLCK, 0, 100));
	elsewhere(another_process_is_kept_out, NULL);
}
END_TEST

static void shares(void *arg)
{
	const int fd = ok(open("f", O_RDWR));

	(void)arg;
	ok(lock_record(fd, F_SETLK, F_RDLCK, 0, 100));
	fails_with(EAGAIN, lock_record(fd, F_SETLK, F_WRLCK, 0, 100));
}

START_TEST(read_locks_are_shared)
{
	ok(lock_record(make_file("f", 100, 1), F_SETLK, F_RDLCK, 0, 100));
	elsewhere(shares, NULL);
}
END_TEST

static void gets_it(void *arg)
{
	(void)arg;
	ok(lock_record(ok(open("f", O_RDWR)), F_SETLK, F_WRLCK, 0, 0));
}

START_TEST(a_record_lock_goes_with_unlock_close_and_exit)
{
	const int fd = make_file("f", 100, 1);

	ok(lock_record(fd, F_SETLK, F_WRLCK, 0, 0));
	ok(lock_record(fd, F_SETLK, F_UNLCK, 0, 0));
	elsewhere(gets_it, NULL);
	ok(lock_record(fd, F_SETLK, F_WRLCK, 0, 0));
	/* POSIX: the close of any descriptor of the file does it. */
	ok(close(ok(open("f", O_RDONLY))));
	elsewhere(gets_it, NULL);
	elsewhere(gets_it, NULL);
}
END_TEST

static void waits_for_it(void *arg)
{
	const int fd = ok(open("f", O_RDWR));
	char c;

	tell(arg);
	ok(lock_record(fd, F_SETLKW, F_WRLCK, 0, 0));
	read_all(fd, &c, 1, 0);
	ck_assert_int_eq(c, 'X');
}

START_TEST(a_waiter_gets_the_lock_when_it_is_released)
{
	struct signal_box box = make_signal_box();
	const int fd = make_file("f", 100, 1);
	pid_t child;

	ok(lock_record(fd, F_SETLK, F_WRLCK, 0, 0));
	child = start(waits_for_it, &box);
	await(&box);
	sleep_ms(50);
	write_all(fd, "X", 1, 0);
	ok(lock_record(fd, F_SETLK, F_UNLCK, 0, 0));
	finish(child);
}
END_TEST

static void is_kept_out_of_the_file(void *arg)
{
	const int fd = ok(open("f", O_RDWR));

	(void)arg;
	fails_with(EWOULDBLOCK, flock(fd, LOCK_EX | LOCK_NB));
	fails_with(EWOULDBLOCK, flock(fd, LOCK_SH | LOCK_NB));
}

static void takes_the_file(void *arg)
{
	(void)arg;
	ok(flock(ok(open("f", O_RDWR)), LOCK_EX | LOCK_NB));
}

START_TEST(a_bsd_lock_keeps_other_opens_out)
{
	const int fd = make_file("f", 100, 1);

	ok(flock(fd, LOCK_EX));
	elsewhere(is_kept_out_of_the_file, NULL);
	is_kept_out_of_the_file(NULL);
	ok(flock(fd, LOCK_UN));
	elsewhere(takes_the_file, NULL);
	ok(flock(fd, LOCK_EX));
	ok(close(fd));
	elsewhere(takes_the_file, NULL);
}
END_TEST

static void counts_under_a_lock(void *arg)
{
	const int fd = ok(open("f", O_RDWR));

	(void)arg;
	for (int i = 0; i < 300; i++) {
		int count;

		ok(flock(fd, LOCK_EX));
		read_all(fd, &count, sizeof(count), 0);
		count++;
		write_all(fd, &count, sizeof(count), 0);
		ok(flock(fd, LOCK_UN));
	}
}

START_TEST(a_counter_under_a_bsd_lock_loses_nothing)
{
	const int fd = make_file("f", 0, 1);
	pid_t children[3];
	int count = 0;

	write_all(fd, &count, sizeof(count), 0);
	for (int i = 0; i < 3; i++)
		children[i] = start(counts_under_a_lock, NULL);
	for (int i = 0; i < 3; i++)
		finish(children[i]);
	read_all(fd, &count, sizeof(count), 0);
	ck_assert_int_eq(count, 900);
}
END_TEST

static void is_kept_out_of_the_record(void *arg)
{
	const int fd = ok(open("f", O_RDWR));

	(void)arg;
	fails_with(EAGAIN, lock_record(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	fails_with(EAGAIN, lock_record(fd, F_SETLK, F_WRLCK, 0, 10));
}

START_TEST(a_description_lock_keeps_other_opens_of_the_same_process_out)
{
	const int fd = make_file("f", 100, 1);

	ok(lock_record(fd, F_OFD_SETLK, F_WRLCK, 0, 10));
	is_kept_out_of_the_record(NULL);
	elsewhere(is_kept_out_of_the_record, NULL);
	ok(close(ok(open("f", O_RDONLY))));
	elsewhere(is_kept_out_of_the_record, NULL);
}
END_TEST

START_TEST(two_links_are_one_file_to_locks)
{
	make_text("f", "x");
	ok(link("f", "g"));
	ok(flock(ok(open("g", O_RDWR)), LOCK_EX));
	elsewhere(is_kept_out_of_the_file, NULL);
}
END_TEST

void describe(void)
{
	everyone(a_record_lock_keeps_other_processes_out);
	everyone(read_locks_are_shared);
	everyone(a_record_lock_goes_with_unlock_close_and_exit);
	everyone(a_waiter_gets_the_lock_when_it_is_released);
	everyone(a_bsd_lock_keeps_other_opens_out);
	everyone(a_counter_under_a_bsd_lock_loses_nothing);
	everyone(a_description_lock_keeps_other_opens_of_the_same_process_out);
	everyone(two_links_are_one_file_to_locks);
}
