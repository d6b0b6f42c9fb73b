/* SPDX-License-Identifier: MIT */
/*
 * Changes made to the store while it is mounted: close-to-open, as with NFS. What was
 * changed and closed behind the mount is seen by the next open, and by whoever asks for
 * attributes after they have timed out (a second); a file that was cut ends in SIGBUS.
 */

#include "files.h"

#include <dirent.h>

/* Longer than attributes and names are trusted. */
#define NOTICED_MS 1150

static void change_behind(const char *name, off_t offset, size_t len, unsigned seed)
{
	const int fd = ok(open(behind(name), O_RDWR));

	put_bytes(fd, offset, len, seed);
	ok(close(fd));
}

/* A file in both caches, that a mapping has seen. */
static int cached_file(size_t len, char **ret_memory)
{
	const int fd = make_file("f", len, 1);

	*ret_memory = map_shared(fd, len);
	memory_has_bytes(*ret_memory, 0, len, 1);
	ok(fsync(fd));
	return fd;
}

START_TEST(open_sees_changed_bytes)
{
	char *memory;

	ok(close(cached_file(10 * PAGE, &memory)));
	change_behind("f", 3 * PAGE, 100, 2);
	{
		const int fd = ok(open("f", O_RDONLY));

		has_bytes(fd, 0, 3 * PAGE, 1);
		has_bytes(fd, 3 * PAGE, 100, 2);
		has_bytes(fd, 3 * PAGE + 100, 7 * PAGE - 100, 1);
	}
	memory_has_bytes(memory + 3 * PAGE, 3 * PAGE, 100, 2);
}
END_TEST

START_TEST(open_sees_changed_bytes_while_the_file_is_open_elsewhere)
{
	char *memory;
	const int fd = cached_file(10 * PAGE, &memory);

	change_behind("f", 0, 10 * PAGE, 2);
	ok(close(ok(open("f", O_RDONLY))));
	has_bytes(fd, 0, 10 * PAGE, 2);
	memory_has_bytes(memory, 0, 10 * PAGE, 2);
}
END_TEST

START_TEST(stat_after_a_second_sees_changed_bytes)
{
	char *memory;
	const int fd = cached_file(10 * PAGE, &memory);

	change_behind("f", 5 * PAGE, 100, 2);
	sleep_ms(NOTICED_MS);
	stat_of("f");
	has_bytes(fd, 5 * PAGE, 100, 2);
	memory_has_bytes(memory + 5 * PAGE, 5 * PAGE, 100, 2);
}
END_TEST

START_TEST(fstat_after_a_second_sees_changed_bytes)
{
	char *memory;
	const int fd = cached_file(10 * PAGE, &memory);

	change_behind("f", 5 * PAGE, 100, 2);
	sleep_ms(NOTICED_MS);
	fstat_of(fd);
	has_bytes(fd, 5 * PAGE, 100, 2);
}
END_TEST

START_TEST(a_change_that_hides_its_modification_time_is_seen)
{
	char *memory;
	struct stat before;

	ok(close(cached_file(10 * PAGE, &memory)));
	before = stat_of(behind("f"));
	sleep_ms(20);
	change_behind("f", 0, 100, 2);
	{
		const struct timespec times[2] = {before.st_atim, before.st_mtim};

		ok(utimensat(AT_FDCWD, behind("f"), times, 0));
	}
	has_bytes(ok(open("f", O_RDONLY)), 0, 100, 2);
}
END_TEST

START_TEST(growth_is_seen_by_open)
{
	char *memory;

	ok(close(cached_file(PAGE + 100, &memory)));
	change_behind("f", PAGE + 100, 5 * PAGE, 1);
	{
		const int fd = ok(open("f", O_RDWR));

		ck_assert_int_eq(ok(lseek(fd, 0, SEEK_END)), 6 * PAGE + 100);
		has_bytes(fd, 0, 6 * PAGE + 100, 1);
		memory_has_bytes(map_shared(fd, 6 * PAGE), 0, 6 * PAGE, 1);
	}
	memory_has_bytes(memory, 0, 2 * PAGE, 1);
}
END_TEST

START_TEST(an_append_after_growth_behind_the_mount_goes_to_the_new_end)
{
	char *memory;
	int fd;

	ok(close(cached_file(PAGE, &memory)));
	change_behind("f", PAGE, PAGE, 1);
	fd = ok(open("f", O_RDWR | O_APPEND));
	ck_assert_int_eq(ok(write(fd, "end", 3)), 3);
	has_bytes(fd, 0, 2 * PAGE, 1);
	ck_assert_int_eq(fstat_of(fd).st_size, 2 * PAGE + 3);
}
END_TEST

static void cut_faults(const char *shared, const char *copied)
{
	ck_assert(load_faults(shared + 2 * PAGE));
	ck_assert(load_faults(shared + 3 * PAGE));
	ck_assert(load_faults(copied + 2 * PAGE));
	memory_has_bytes(shared, 0, PAGE + 100, 1);
	memory_has_zeros(shared + PAGE + 100, PAGE - 100);
	ck_assert_int_eq(copied[PAGE], 'P');
}

START_TEST(a_cut_seen_by_open_ends_in_sigbus)
{
	char *memory, *copied;
	const int fd = cached_file(4 * PAGE, &memory);

	copied = map_private(fd, 4 * PAGE);
	copied[PAGE] = copied[2 * PAGE] = 'P';
	ok(truncate(behind("f"), PAGE + 100));
	ok(close(ok(open("f", O_RDONLY))));
	cut_faults(memory, copied);
	ck_assert_int_eq(fstat_of(fd).st_size, PAGE + 100);
}
END_TEST

START_TEST(a_cut_seen_by_stat_ends_in_sigbus)
{
	char *memory, *copied;
	const int fd = cached_file(4 * PAGE, &memory);

	copied = map_private(fd, 4 * PAGE);
	copied[PAGE] = copied[2 * PAGE] = 'P';
	ok(truncate(behind("f"), PAGE + 100));
	sleep_ms(NOTICED_MS);
	ck_assert_int_eq(size_of("f"), PAGE + 100);
	cut_faults(memory, copied);
}
END_TEST

START_TEST(a_cut_seen_by_fstat_ends_in_sigbus)
{
	char *memory, *copied;
	const int fd = cached_file(4 * PAGE, &memory);

	copied = map_private(fd, 4 * PAGE);
	copied[PAGE] = copied[2 * PAGE] = 'P';
	ok(truncate(behind("f"), PAGE + 100));
	sleep_ms(NOTICED_MS);
	ck_assert_int_eq(fstat_of(fd).st_size, PAGE + 100);
	cut_faults(memory, copied);
}
END_TEST

START_TEST(a_cut_file_that_grew_again_shows_what_is_there_now)
{
	char *memory;

	ok(close(cached_file(4 * PAGE, &memory)));
	ok(truncate(behind("f"), 100));
	ok(truncate(behind("f"), 4 * PAGE));
	has_zeros(ok(open("f", O_RDONLY)), 100, 4 * PAGE - 100);
	memory_has_zeros(memory + 100, 4 * PAGE - 100);
}
END_TEST

START_TEST(a_replaced_file_is_another_file)
{
	char *memory, path[4096];
	const int fd = cached_file(4 * PAGE, &memory);

	ok(close(make_file(behind("new"), 2 * PAGE, 2)));
	strcpy(path, behind("new"));
	ok(rename(path, behind("f")));
	sleep_ms(NOTICED_MS);
	has_bytes(ok(open("f", O_RDONLY)), 0, 2 * PAGE, 2);
	ck_assert_int_eq(size_of("f"), 2 * PAGE);
	has_bytes(fd, 0, 4 * PAGE, 1);
	memory_has_bytes(memory, 0, 4 * PAGE, 1);
}
END_TEST

START_TEST(names_come_and_go_after_a_second)
{
	make_text("goes", "x");
	ck_assert(!exists("comes"));
	ok(unlink(behind("goes")));
	ok(close(make_file(behind("comes"), 10, 1)));
	sleep_ms(NOTICED_MS);
	ck_assert(!exists("goes"));
	ck_assert(exists("comes"));
}
END_TEST

START_TEST(a_directory_read_anew_shows_names_made_behind_the_mount)
{
	int found = 0;
	struct dirent *entry;
	DIR *dir = opendir(".");

	while (readdir(dir))
		;
	closedir(dir);
	ok(close(make_file(behind("comes"), 10, 1)));
	dir = opendir(".");
	while ((entry = readdir(dir)))
		found += !strcmp(entry->d_name, "comes");
	closedir(dir);
	ck_assert_int_eq(found, 1);
}
END_TEST

START_TEST(attributes_changed_behind_the_mount_are_seen_after_a_second)
{
	make_text("f", "x");
	stat_of("f");
	ok(chmod(behind("f"), 0600));
	sleep_ms(NOTICED_MS);
	ck_assert_uint_eq(stat_of("f").st_mode & 07777, 0600);
}
END_TEST

START_TEST(a_file_made_unreadable_behind_the_mount_is_not_opened)
{
	char *memory;

	ok(close(cached_file(PAGE, &memory)));
	ok(munmap(memory, PAGE));
	ok(close(ok(open("f", O_RDONLY))));
	ok(close(ok(open("f", O_RDONLY))));
	ok(chmod(behind("f"), 0));
	fails_with(EACCES, open("f", O_RDONLY));
}
END_TEST

START_TEST(files_read_and_closed_do_not_keep_others_from_them)
{
	int fd;

	ok(close(make_file("f", PAGE, 1)));
	ok(close(ok(open("f", O_RDONLY))));
	ok(close(ok(open("f", O_RDONLY))));
	fd = ok(open(behind("f"), O_RDONLY));
	ok(fcntl(fd, F_SETLEASE, F_RDLCK));
	ok(close(ok(open("f", O_RDONLY))));
	ok(close(fd));
}
END_TEST

START_TEST(our_own_changes_are_not_taken_for_somebody_else_s)
{
	char *memory;
	const int fd = cached_file(64 * PAGE, &memory);

	/* Stores that only the mapping knows of survive whatever is looked at. */
	for (size_t i = 0; i < 50; i++) {
		memory[i * PAGE] = 'X';
		put_bytes(fd, (off_t)(i * PAGE + 1), 10, 3);
		ok(fchmod(fd, i % 2 ? 0644 : 0600));
		ok(close(ok(open("f", O_RDONLY))));
		stat_of("f");
	}
	for (size_t i = 0; i < 50; i++) {
		ck_assert_int_eq(memory[i * PAGE], 'X');
		memory_has_bytes(memory + i * PAGE + 1, (off_t)(i * PAGE + 1), 10, 3);
	}
}
END_TEST

START_TEST(pages_that_did_not_change_are_not_read_again)
{
	unsigned long before;
	int fd;

	ok(close(make_file(behind("f"), 64 * PAGE, 1)));
	fd = ok(open("f", O_RDONLY));
	has_bytes(fd, 0, 64 * PAGE, 1);
	before = mount_counter("misses");
	change_behind("f", 9 * PAGE, PAGE, 2);
	ok(close(ok(open("f", O_RDONLY))));
	has_bytes(fd, 9 * PAGE, PAGE, 2);
	has_bytes(fd, 0, 9 * PAGE, 1);
	has_bytes(fd, 10 * PAGE, 54 * PAGE, 1);
	ck_assert_uint_eq(mount_counter("misses") - before, 1);
}
END_TEST

void describe(void)
{
	everyone(open_sees_changed_bytes);
	everyone(open_sees_changed_bytes_while_the_file_is_open_elsewhere);
	everyone(stat_after_a_second_sees_changed_bytes);
	everyone(fstat_after_a_second_sees_changed_bytes);
	everyone(a_change_that_hides_its_modification_time_is_seen);
	everyone(growth_is_seen_by_open);
	everyone(an_append_after_growth_behind_the_mount_goes_to_the_new_end);
	everyone(a_cut_seen_by_open_ends_in_sigbus);
	everyone(a_cut_seen_by_stat_ends_in_sigbus);
	everyone(a_cut_seen_by_fstat_ends_in_sigbus);
	everyone(a_cut_file_that_grew_again_shows_what_is_there_now);
	everyone(a_replaced_file_is_another_file);
	everyone(names_come_and_go_after_a_second);
	everyone(a_directory_read_anew_shows_names_made_behind_the_mount);
	everyone(attributes_changed_behind_the_mount_are_seen_after_a_second);
	user_only(a_file_made_unreadable_behind_the_mount_is_not_opened);
	everyone(files_read_and_closed_do_not_keep_others_from_them);
	if (on_foldfs())
		everyone(pages_that_did_not_change_are_not_read_again);
	everyone(our_own_changes_are_not_taken_for_somebody_else_s);
}
