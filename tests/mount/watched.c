/* SPDX-License-Identifier: MIT */
/*
 * With --watch: what the kernel would keep for a day is taken back when it changes
 * behind the mount. The world of this program has --watch=86400, so what is seen within
 * seconds is seen because the store told; and short timeouts for what is not watched.
 */

#include "files.h"

#include <dirent.h>

/* Longer than --attr-timeout and --entry-timeout: who is asked for then is watched. */
#define LOOK_AGAIN_MS 150
/* A bound for failures; as a rule it takes some milliseconds. */
#define PATIENCE_MS   20000

static bool becomes(bool (*is_so)(const void *arg), const void *arg)
{
	for (int ms = 0; ms < PATIENCE_MS; ms++) {
		if (is_so(arg))
			return true;
		sleep_ms(1);
	}
	return false;
}

/* Looked at often enough for the kernel to keep it; and so is what it is in. */
static void keep(const char *name)
{
	lstat_of(name);
	stat_of(".");
	sleep_ms(LOOK_AGAIN_MS);
	lstat_of(name);
	stat_of(".");
	sleep_ms(LOOK_AGAIN_MS);
	lstat_of(name);
	stat_of(".");
	ck_assert_uint_ge(mount_counter("watches"), 2);
}

static bool is_gone(const void *name)
{
	return !exists(name);
}

static bool is_there(const void *name)
{
	return exists(name);
}

/* ------------------------------------------------------------------ attributes */

static bool has_mode_600(const void *name)
{
	return (stat_of(name).st_mode & 07777) == 0600;
}

START_TEST(a_mode_changed_behind_the_mount_is_seen)
{
	make_text("f", "x");
	keep("f");
	ok(chmod(behind("f"), 0600));
	ck_assert(becomes(has_mode_600, "f"));
}
END_TEST

static bool has_old_time(const void *name)
{
	return stat_of(name).st_mtim.tv_sec == 1000;
}

START_TEST(times_set_behind_the_mount_are_seen)
{
	const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	make_text("f", "x");
	keep("f");
	ok(utimensat(AT_FDCWD, behind("f"), times, 0));
	ck_assert(becomes(has_old_time, "f"));
}
END_TEST

static bool has_size_7(const void *name)
{
	return size_of(name) == 7;
}

START_TEST(a_cut_behind_the_mount_is_seen_and_ends_in_sigbus)
{
	const int fd = make_file("f", 3 * PAGE, 1);
	char *memory = map_readonly(fd, 3 * PAGE);

	memory_has_bytes(memory, 0, 3 * PAGE, 1);
	ok(close(fd));
	keep("f");
	ok(truncate(behind("f"), 7));
	ck_assert(becomes(has_size_7, "f"));
	ck_assert(load_faults(memory + PAGE));
}
END_TEST

static bool second_page_is_of_2(const void *memory)
{
	stat_of("f");
	return ((const unsigned char *)memory)[PAGE] == byte_at(2, PAGE);
}

START_TEST(a_write_behind_the_mount_is_seen_through_a_mapping_by_who_asks)
{
	const int fd = make_file("f", 3 * PAGE, 1);
	char *memory = map_readonly(fd, 3 * PAGE);
	int store;

	memory_has_bytes(memory, 0, 3 * PAGE, 1);
	ok(close(fd));
	keep("f");
	store = ok(open(behind("f"), O_WRONLY));
	put_bytes(store, PAGE, PAGE, 2);
	ok(close(store));
	ck_assert(becomes(second_page_is_of_2, memory));
	memory_has_bytes(memory, 0, PAGE, 1);
}
END_TEST

static bool has_two_names(const void *name)
{
	return stat_of(name).st_nlink == 2;
}

START_TEST(a_write_through_a_new_name_elsewhere_is_seen)
{
	char path[4096];
	int store;

	make_text("f", "x");
	ok(mkdir(behind("elsewhere"), 0777));
	keep("f");
	strcpy(path, behind("elsewhere/g"));
	ok(link(behind("f"), path));
	ck_assert(becomes(has_two_names, "f"));
	keep("f");
	store = ok(open(path, O_WRONLY));
	ok(ftruncate(store, 7));
	ok(close(store));
	ck_assert(becomes(has_size_7, "f"));
}
END_TEST

/* ----------------------------------------------------------------------- names */

START_TEST(a_name_removed_behind_the_mount_is_gone)
{
	make_text("f", "x");
	keep("f");
	ok(unlink(behind("f")));
	ck_assert(becomes(is_gone, "f"));
}
END_TEST

START_TEST(a_name_made_behind_the_mount_is_there_at_once)
{
	keep(".");
	ck_assert(!exists("f"));
	ck_assert(!exists("f"));
	ok(close(make_file(behind("f"), 10, 1)));
	ck_assert(exists("f"));
}
END_TEST

static bool is_moved(const void *arg)
{
	(void)arg;
	return !exists("f") && exists("g");
}

START_TEST(a_name_moved_behind_the_mount_is_moved)
{
	char path[4096];

	make_text("f", "x");
	keep("f");
	strcpy(path, behind("g"));
	ok(rename(behind("f"), path));
	ck_assert(becomes(is_moved, NULL));
}
END_TEST

START_TEST(a_file_replaced_behind_the_mount_is_another)
{
	char path[4096];

	make_text("f", "x");
	ok(close(make_file(behind("new"), 7, 2)));
	keep("f");
	strcpy(path, behind("new"));
	ok(rename(path, behind("f")));
	ck_assert(becomes(has_size_7, "f"));
	has_bytes(ok(open("f", O_RDONLY)), 0, 7, 2);
}
END_TEST

static bool leads_to_b(const void *name)
{
	char target[16] = "";

	return readlink(name, target, sizeof(target)) == 1 && target[0] == 'b';
}

START_TEST(a_symbolic_link_replaced_behind_the_mount_leads_elsewhere)
{
	ok(symlink("a", "l"));
	keep("l");
	ok(unlink(behind("l")));
	ok(symlink("b", behind("l")));
	ck_assert(becomes(leads_to_b, "l"));
}
END_TEST

START_TEST(what_is_in_a_directory_moved_behind_the_mount_moves_with_it)
{
	char path[4096];

	ok(mkdir("d", 0777));
	make_text("d/f", "x");
	keep("d/f");
	strcpy(path, behind("e"));
	ok(rename(behind("d"), path));
	ck_assert(becomes(is_gone, "d/f"));
	ck_assert(becomes(is_there, "e/f"));
}
END_TEST

/* -------------------------------------------------------------------- listings */

static unsigned entries_of(DIR *dir)
{
	unsigned n = 0;

	rewinddir(dir);
	while (readdir(dir))
		n++;
	return n;
}

static unsigned entries(const char *name)
{
	DIR *dir = opendir(name);
	const unsigned n = entries_of(dir);

	closedir(dir);
	return n - 2;
}

START_TEST(a_directory_opened_anew_shows_what_is_in_it_now)
{
	char name[16];

	ok(mkdir("d", 0777));
	/* Older than the clock's tick, so that the listing is kept. */
	sleep_ms(3200);
	for (unsigned i = 0; i < 20; i++) {
		ck_assert_uint_eq(entries("d"), i);
		ck_assert_uint_eq(entries("d"), i);
		snprintf(name, sizeof(name), "d/%u", i);
		if (i % 2)
			make_text(name, "x");
		else
			ok(close(make_file(behind(name), 1, 1)));
	}
	ck_assert_uint_eq(entries("d"), 20);
	sleep_ms(3200);
	ck_assert_uint_eq(entries("d"), 20);
	ck_assert_uint_eq(entries("d"), 20);
	ok(unlink(behind("d/0")));
	ck_assert_uint_eq(entries("d"), 19);
	ok(unlink("d/1"));
	ck_assert_uint_eq(entries("d"), 18);
}
END_TEST

static bool has_one_more(const void *dir)
{
	return entries_of((DIR *)(uintptr_t)dir) == 3;
}

START_TEST(a_rewound_directory_shows_what_is_in_it_now)
{
	DIR *dir;

	ok(mkdir("d", 0777));
	sleep_ms(3200);
	dir = opendir("d");
	ck_assert_uint_eq(entries_of(dir), 2);
	ck_assert_uint_eq(entries_of(dir), 2);
	ok(close(make_file(behind("d/f"), 1, 1)));
	ck_assert(becomes(has_one_more, dir));
	closedir(dir);
}
END_TEST

/* ----------------------------------------------------------------- our own */

START_TEST(changes_through_the_mount_are_there_at_once)
{
	make_text("f", "x");
	keep("f");
	for (off_t i = 1; i < 200; i++) {
		ok(truncate("f", i));
		ck_assert_int_eq(size_of("f"), i);
		ok(chmod("f", i % 2 ? 0600 : 0644));
		ck_assert_uint_eq(stat_of("f").st_mode & 07777, i % 2 ? 0600 : 0644);
		ok(rename("f", "g"));
		ck_assert(!exists("f"));
		ok(rename("g", "f"));
		ck_assert(exists("f"));
	}
}
END_TEST

START_TEST(a_directory_that_is_moved_keeps_its_name_for_who_is_in_it)
{
	char path[4096];

	ok(mkdir("d", 0777));
	keep("d");
	ok(chdir("d"));
	ok(rename("../d", "../e"));
	for (int i = 0; i < 50; i++) {
		ck_assert(getcwd(path, sizeof(path)) != NULL);
		ck_assert_str_eq(strrchr(path, '/'), "/e");
		sleep_ms(1);
	}
	ok(chdir(".."));
}
END_TEST

static bool has_no_watch_more(const void *before)
{
	return mount_counter("watches") <= *(const unsigned long *)before;
}

START_TEST(who_is_forgotten_is_watched_no_longer)
{
	unsigned long before;
	char name[16];

	keep(".");
	before = mount_counter("watches");
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%u", i);
		make_text(name, "x");
	}
	sleep_ms(LOOK_AGAIN_MS);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%u", i);
		stat_of(name);
	}
	ck_assert_uint_ge(mount_counter("watches"), before + 20);
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ok(unlink(name));
	}
	ck_assert(becomes(has_no_watch_more, &before));
}
END_TEST

START_TEST(a_file_open_for_writing_is_not_watched)
{
	unsigned long before;
	int fd;

	make_text("f", "x");
	keep("f");
	before = mount_counter("watches");
	fd = ok(open("f", O_WRONLY));
	ck_assert_uint_eq(mount_counter("watches"), before - 1);
	ok(close(fd));
}
END_TEST

void describe(void)
{
	everyone(a_mode_changed_behind_the_mount_is_seen);
	everyone(times_set_behind_the_mount_are_seen);
	everyone(a_cut_behind_the_mount_is_seen_and_ends_in_sigbus);
	everyone(a_write_behind_the_mount_is_seen_through_a_mapping_by_who_asks);
	everyone(a_write_through_a_new_name_elsewhere_is_seen);
	everyone(a_name_removed_behind_the_mount_is_gone);
	everyone(a_name_made_behind_the_mount_is_there_at_once);
	everyone(a_name_moved_behind_the_mount_is_moved);
	everyone(a_file_replaced_behind_the_mount_is_another);
	everyone(a_symbolic_link_replaced_behind_the_mount_leads_elsewhere);
	everyone(what_is_in_a_directory_moved_behind_the_mount_moves_with_it);
	everyone(a_directory_opened_anew_shows_what_is_in_it_now);
	everyone(a_rewound_directory_shows_what_is_in_it_now);
	everyone(changes_through_the_mount_are_there_at_once);
	everyone(a_directory_that_is_moved_keeps_its_name_for_who_is_in_it);
	everyone(who_is_forgotten_is_watched_no_longer);
	everyone(a_file_open_for_writing_is_not_watched);
}
