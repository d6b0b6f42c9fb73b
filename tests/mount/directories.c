/* SPDX-License-Identifier: MIT */
/*
 * Directories: every entry is read once, positions stay good while entries come and go,
 * and sizes do not matter.
 */

#include "files.h"

#include <dirent.h>
#include <limits.h>

#define MANY 10000

static void make_numbered(const char *prefix, int count)
{
	for (int i = 0; i < count; i++) {
		char name[NAME_MAX + 1];

		snprintf(name, sizeof(name), "%s%d", prefix, i);
		ok(close(ok(open(name, O_CREAT | O_EXCL | O_WRONLY, 0644))));
	}
}

/* Counts, by number, how often `prefixN` has been read until the end of the stream. */
static int read_numbered(DIR *dir, const char *prefix, unsigned char *seen, int count)
{
	struct dirent *entry;
	int n = 0;

	while (errno = 0, (entry = readdir(dir))) {
		int number;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		number = atoi(entry->d_name + strlen(prefix));
		if (number < 0 || number >= count)
			ck_abort_msg("unexpected entry %s", entry->d_name);
		seen[number]++;
		n++;
	}
	ck_assert_int_eq(errno, 0);
	return n;
}

START_TEST(ten_thousand_entries_are_each_read_once)
{
	static unsigned char seen[MANY];
	DIR *dir;

	make_numbered("f", MANY);
	dir = opendir(".");
	ck_assert_ptr_nonnull(dir);
	ck_assert_int_eq(read_numbered(dir, "f", seen, MANY), MANY);
	for (int i = 0; i < MANY; i++)
		if (seen[i] != 1)
			ck_abort_msg("f%d was read %d times", i, seen[i]);
	closedir(dir);
}
END_TEST

START_TEST(an_entry_tells_its_type_and_inode_number)
{
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	make_text("file", "x");
	ok(mkdir("directory", 0755));
	ok(symlink("file", "link"));
	ok(mkfifo("fifo", 0644));
	dir = opendir(".");
	while ((entry = readdir(dir))) {
		struct stat st = lstat_of(entry->d_name);

		if (strcmp(entry->d_name, "..") == 0)
			continue;
		ck_assert_uint_eq(entry->d_ino, st.st_ino);
		ck_assert_uint_eq(DTTOIF(entry->d_type), st.st_mode & S_IFMT);
		found++;
	}
	ck_assert_int_eq(found, 5);
	closedir(dir);
}
END_TEST

START_TEST(dot_and_dot_dot_are_entries)
{
	struct dirent *entry;
	int dots = 0, all = 0;
	DIR *dir;

	ok(mkdir("d", 0755));
	dir = opendir("d");
	while ((entry = readdir(dir))) {
		dots += !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
		all++;
	}
	ck_assert_int_eq(dots, 2);
	ck_assert_int_eq(all, 2);
	closedir(dir);
}
END_TEST

START_TEST(every_position_told_can_be_returned_to)
{
	enum { COUNT = 500 };
	static char names[COUNT + 2][NAME_MAX + 1];
	static long positions[COUNT + 2];
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	make_numbered("f", COUNT);
	dir = opendir(".");
	for (;;) {
		const long position = telldir(dir);

		entry = readdir(dir);
		if (!entry)
			break;
		ck_assert_int_lt(n, COUNT + 2);
		positions[n] = position;
		strcpy(names[n++], entry->d_name);
	}
	ck_assert_int_eq(n, COUNT + 2);
	for (int i = n - 1; i >= 0; i -= 3) {
		seekdir(dir, positions[i]);
		entry = readdir(dir);
		ck_assert_ptr_nonnull(entry);
		ck_assert_str_eq(entry->d_name, names[i]);
	}
	closedir(dir);
}
END_TEST

START_TEST(a_position_stays_good_while_entries_come_and_go)
{
	enum { COUNT = 2000 };
	static unsigned char first[COUNT], rest[COUNT];
	DIR *dir;
	long half;

	make_numbered("stays", COUNT);
	make_numbered("goes", COUNT);
	dir = opendir(".");
	for (int i = 0; i < COUNT; i++) {
		struct dirent *entry = readdir(dir);

		ck_assert_ptr_nonnull(entry);
		if (strncmp(entry->d_name, "stays", 5) == 0)
			first[atoi(entry->d_name + 5)]++;
	}
	half = telldir(dir);
	for (int i = 0; i < COUNT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "goes%d", i);
		ok(unlink(name));
	}
	make_numbered("comes", COUNT);
	seekdir(dir, half);
	read_numbered(dir, "stays", rest, COUNT);
	for (int i = 0; i < COUNT; i++)
		if (first[i] + rest[i] != 1)
			ck_abort_msg("stays%d was read %d times", i,
				     first[i] + rest[i]);
	closedir(dir);
}
END_TEST

static void churn(void *arg)
{
	struct signal_box *box = arg;

	make_numbered("churn", 200);
	tell(box);
	for (int round = 0; round < 15; round++) {
		for (int i = 0; i < 200; i++) {
			char name[32];

			snprintf(name, sizeof(name), "churn%d", i);
			ok(unlink(name));
		}
		make_numbered("churn", 200);
	}
}

START_TEST(what_stays_is_read_just_once_while_others_change_the_directory)
{
	enum { COUNT = 3000 };
	static unsigned char seen[COUNT];
	struct signal_box box = make_signal_box();
	pid_t child;

	make_numbered("stays", COUNT);
	child = start(churn, &box);
	await(&box);
	for (int round = 0; round < 10; round++) {
		DIR *dir = opendir(".");

		memset(seen, 0, sizeof(seen));
		read_numbered(dir, "stays", seen, COUNT);
		for (int i = 0; i < COUNT; i++)
			if (seen[i] != 1)
				ck_abort_msg("stays%d was read %d times", i, seen[i]);
		closedir(dir);
	}
	finish(child);
}
END_TEST

START_TEST(removing_while_reading_removes_everything)
{
	struct dirent *entry;
	DIR *dir;

	ok(mkdir("d", 0755));
	ok(chdir("d"));
	make_numbered("f", 3000);
	ok(chdir(".."));
	dir = opendir("d");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] == 'f')
			ok(unlinkat(dirfd(dir), entry->d_name, 0));
	closedir(dir);
	ok(rmdir("d"));
}
END_TEST

START_TEST(a_new_entry_is_seen_by_the_next_reader_and_after_rewinddir)
{
	static unsigned char seen[10];
	DIR *dir;

	make_numbered("f", 5);
	dir = opendir(".");
	ck_assert_int_eq(read_numbered(dir, "f", seen, 10), 5);
	make_text("f5", "x");
	rewinddir(dir);
	ck_assert_int_eq(read_numbered(dir, "f", seen, 10), 6);
	ok(unlink("f0"));
	rewinddir(dir);
	ck_assert_int_eq(read_numbered(dir, "f", seen, 10), 5);
	closedir(dir);
}
END_TEST

START_TEST(attributes_read_with_a_directory_are_those_of_the_files)
{
	DIR *dir;
	struct dirent *entry;
	int n = 0;

	for (unsigned i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%u", i);
		ok(close(make_file(name, i, i)));
	}
	dir = opendir(".");
	while ((entry = readdir(dir))) {
		struct stat st;

		if (entry->d_name[0] != 'f')
			continue;
		ok(fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW));
		ck_assert_int_eq(st.st_size, atoi(entry->d_name + 1));
		n++;
	}
	ck_assert_int_eq(n, 200);
	closedir(dir);
}
END_TEST

START_TEST(a_change_in_a_directory_moves_its_times)
{
	struct timespec before;

	ok(mkdir("d", 0755));
	before = stat_of("d").st_mtim;
	sleep_ms(20);
	make_text("d/f", "x");
	ck_assert(later(stat_of("d").st_mtim, before));
	before = stat_of("d").st_mtim;
	sleep_ms(20);
	ok(unlink("d/f"));
	ck_assert(later(stat_of("d").st_mtim, before));
}
END_TEST

START_TEST(a_directory_without_write_permission_takes_no_new_names)
{
	ok(mkdir("d", 0755));
	make_text("d/f", "x");
	ok(chmod("d", 0555));
	fails_with(EACCES, open("d/g", O_CREAT | O_WRONLY, 0644));
	fails_with(EACCES, unlink("d/f"));
	fails_with(EACCES, mkdir("d/e", 0755));
	fails_with(EACCES, rename("d/f", "f"));
	ok(chmod("d", 0755));
}
END_TEST

void describe(void)
{
	everyone(ten_thousand_entries_are_each_read_once);
	everyone(an_entry_tells_its_type_and_inode_number);
	everyone(dot_and_dot_dot_are_entries);
	everyone(every_position_told_can_be_returned_to);
	everyone(a_position_stays_good_while_entries_come_and_go);
	everyone(what_stays_is_read_just_once_while_others_change_the_directory);
	everyone(removing_while_reading_removes_everything);
	everyone(a_new_entry_is_seen_by_the_next_reader_and_after_rewinddir);
	everyone(attributes_read_with_a_directory_are_those_of_the_files);
	everyone(a_change_in_a_directory_moves_its_times);
	user_only(a_directory_without_write_permission_takes_no_new_names);
}
