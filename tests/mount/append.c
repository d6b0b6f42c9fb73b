/* SPDX-License-Identifier: MIT */
/*
 * Appending, while others append to the same file in the store: every line is there, once
 * and whole, whoever wrote it, and readers on the mount see what the file has.
 */

#include "files.h"

#include <sys/wait.h>

#define LINES 100

/* Lines are "a 17\n", and in a long one the number is followed by dots. */
static void append_line(int fd, char who, int number, size_t len)
{
	char line[3 * PAGE];
	const int n = snprintf(line, sizeof(line), "%c %d", who, number);

	ck_assert_uint_lt(len, sizeof(line));
	if (len < (size_t)n + 1)
		len = (size_t)n + 1;
	memset(line + n, '.', len - (size_t)n);
	line[len - 1] = '\n';
	ck_assert_int_eq(ok(write(fd, line, len)), (ssize_t)len);
}

/* As it is now: where the kernel opens files by itself, it may go by what it was told
 * within the last second. */
static size_t size_now(int fd)
{
	struct statx attr;

	ok(statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE, &attr));
	return attr.stx_size;
}

/* The whole of a file, as read(2) has it; free() it. */
static char *contents(const char *path, size_t *ret_len)
{
	const int fd = ok(open(path, O_RDONLY));
	const size_t size = size_now(fd);
	char *text = malloc(size + 1);

	ck_assert_int_eq(ok(read(fd, text, size)), (ssize_t)size);
	ok(close(fd));
	text[size] = '\0';
	*ret_len = size;
	return text;
}

static void has_each_line(const char *text, char who, int lines)
{
	char line[32];
	const char *at;

	for (int i = 0; i < lines; i++) {
		snprintf(line, sizeof(line), "%c %d", who, i);
		for (at = text; (at = strstr(at, line)); at++)
			if ((at == text || at[-1] == '\n') &&
			    strchr(".\n", at[strlen(line)]))
				break;
		ck_assert_msg(at, "line \"%s\" is lost", line);
	}
}

/* The mount and the store have the same bytes, and every line of both. */
static void nothing_is_lost(const char *name, int lines)
{
	size_t len, len_behind;
	char *text = contents(name, &len),
	     *text_behind = contents(behind(name), &len_behind);

	ck_assert_uint_eq(len, len_behind);
	ck_assert(memcmp(text, text_behind, len) == 0);
	has_each_line(text, 'a', lines);
	has_each_line(text, 'b', lines);
	free(text);
	free(text_behind);
}

static void alternate(int ours, int theirs, size_t len)
{
	for (int i = 0; i < LINES; i++) {
		append_line(ours, 'a', i, len);
		append_line(theirs, 'b', i, len);
	}
}

static int open_log(const char *path, int flags)
{
	return ok(open(path, flags | O_APPEND | O_CREAT, 0644));
}

START_TEST(lines_appended_from_both_sides_are_all_there)
{
	const int ours = open_log("f", O_WRONLY);

	alternate(ours, open_log(behind("f"), O_WRONLY), 0);
	ok(close(ours));
	nothing_is_lost("f", LINES);
}
END_TEST

START_TEST(lines_longer_than_a_page_are_as_well)
{
	const int ours = open_log("f", O_WRONLY);

	alternate(ours, open_log(behind("f"), O_WRONLY), 2 * PAGE + 100);
	ok(close(ours));
	nothing_is_lost("f", LINES);
}
END_TEST

/* Whoever appends sees what he has appended, where it is, and all before it. */
START_TEST(who_appends_finds_his_line_at_the_end)
{
	const int ours = open_log("f", O_RDWR),
		  theirs = open_log(behind("f"), O_WRONLY);
	char line[16], want[16];

	for (int i = 0; i < LINES; i++) {
		/* So that the page with the end is cached above. */
		ok(pread(ours, line, 1, 0));
		append_line(theirs, 'b', i, 0);
		append_line(ours, 'a', i, 0);
		const ssize_t len = snprintf(want, sizeof(want), "a %d\n", i);
		const off_t end = fstat_of(ours).st_size;

		ck_assert_int_eq(end, stat_of(behind("f")).st_size);
		const ssize_t n = ok(pread(ours, line, (size_t)len, end - len));

		ck_assert_int_eq(n, len);
		ck_assert(memcmp(line, want, (size_t)len) == 0);
	}
	ok(close(ours));
	nothing_is_lost("f", LINES);
}
END_TEST

START_TEST(a_mapping_shows_what_was_appended_where_it_is)
{
	const int ours = open_log("f", O_RDWR),
		  theirs = open_log(behind("f"), O_WRONLY);
	char want[PAGE];
	const char *memory;

	append_line(ours, 'a', 0, 0);
	memory = map_shared(ours, PAGE);
	ck_assert_int_eq(memory[0], 'a');
	for (int i = 1; i < 40; i++) {
		append_line(theirs, 'b', i, 0);
		append_line(ours, 'a', i, 0);
		const off_t end = fstat_of(ours).st_size;
		const int fd = ok(open(behind("f"), O_RDONLY));

		const ssize_t behind_end = ok(pread(fd, want, sizeof(want), 0));

		ok(close(fd));
		ck_assert_int_eq(end, behind_end);
		ck_assert_msg(memcmp(memory, want, (size_t)end) == 0, "after line %d",
			      i);
	}
}
END_TEST

START_TEST(several_who_append_at_once_lose_nothing)
{
	const int each = LINES / 2;
	pid_t pids[2];

	ok(close(open_log("f", O_WRONLY)));
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			const int fd =
				open(i == 0 ? "f" : behind("f"), O_WRONLY | O_APPEND);

			for (int line = 0; line < each; line++)
				append_line(fd, (char)('a' + i), line, 0);
			_exit(0);
		}
	}
	for (int i = 0; i < 2; i++) {
		int status;

		ok(waitpid(pids[i], &status, 0));
		ck_assert_int_eq(status, 0);
	}
	nothing_is_lost("f", each);
}
END_TEST

/* logrotate's copytruncate: no hole in front of what is appended next. */
START_TEST(what_is_appended_after_the_file_was_cut_behind_lands_at_its_end)
{
	const int ours = open_log("f", O_RDWR);
	char text[16] = "";

	append_line(ours, 'a', 0, 3 * PAGE - 1);
	ok(truncate(behind("f"), 0));
	append_line(ours, 'a', 1, 0);
	ck_assert_int_eq(stat_of(behind("f")).st_size, 4);
	ok(close(ok(open("f", O_RDONLY))));
	ck_assert_int_eq(fstat_of(ours).st_size, 4);
	ck_assert_int_eq(ok(pread(ours, text, sizeof(text), 0)), 4);
	ck_assert_str_eq(text, "a 1\n");
}
END_TEST

/* pwrite(2) on such a descriptor appends, on Linux; and a descriptor can become one. */
START_TEST(what_counts_is_the_flag_of_the_moment)
{
	const int ours = ok(open("f", O_RDWR | O_CREAT, 0644));

	append_line(ours, 'a', 0, 0);
	ok(fsync(ours));
	append_line(open_log(behind("f"), O_WRONLY), 'b', 0, 0);
	ok(fcntl(ours, F_SETFL, O_APPEND));
	ck_assert_int_eq(ok(pwrite(ours, "x\n", 2, 0)), 2);
	ck_assert_int_eq(stat_of(behind("f")).st_size, 10);
	ok(fcntl(ours, F_SETFL, 0));
	ck_assert_int_eq(ok(pwrite(ours, "y", 1, 0)), 1);
	ok(fsync(ours));
	{
		const int fd = ok(open(behind("f"), O_RDONLY));
		char text[16] = "";

		ck_assert_int_eq(ok(read(fd, text, sizeof(text))), 10);
		ck_assert_str_eq(text, "y 0\nb 0\nx\n");
	}
}
END_TEST

START_TEST(what_is_stored_and_written_before_stays_before)
{
	const int ours = open_log("f", O_RDWR), plain = ok(open("f", O_WRONLY));
	char *memory;

	ok(ftruncate(plain, 2 * PAGE));
	memory = map_shared(ours, 2 * PAGE);
	memset(memory, 'm', PAGE);
	ck_assert_int_eq(ok(pwrite(plain, "p", 1, 2 * PAGE)), 1);
	append_line(ours, 'a', 0, 0);
	ck_assert_int_eq(fstat_of(ours).st_size, 2 * PAGE + 5);
	ok(fsync(ours));
	{
		const int fd = ok(open(behind("f"), O_RDONLY));
		char text[8] = "";

		ck_assert_int_eq(ok(pread(fd, text, sizeof(text), 2 * PAGE)), 5);
		ck_assert_str_eq(text, "pa 0\n");
		ck_assert_int_eq(ok(pread(fd, text, 1, PAGE - 1)), 1);
		ck_assert_int_eq(text[0], 'm');
	}
}
END_TEST

START_TEST(direct_io_appends_behind_what_others_have_appended)
{
	const int ours = open_log("f", O_WRONLY | O_DIRECT);
	char *block;

	ck_assert_int_eq(posix_memalign((void **)&block, PAGE, PAGE), 0);
	for (int i = 0; i < 3; i++) {
		const int theirs = open_log(behind("f"), O_WRONLY);

		memset(block, 'b', PAGE);
		ck_assert_int_eq(ok(write(theirs, block, PAGE)), PAGE);
		ok(close(theirs));
		memset(block, 'a', PAGE);
		ck_assert_int_eq(ok(write(ours, block, PAGE)), PAGE);
	}
	ck_assert_int_eq(stat_of(behind("f")).st_size, 6 * PAGE);
	for (int i = 0; i < 6; i++) {
		const int fd = ok(open(behind("f"), O_RDONLY));

		ck_assert_int_eq(ok(pread(fd, block, PAGE, (off_t)PAGE * i)), PAGE);
		ck_assert_int_eq(block[0], i % 2 ? 'a' : 'b');
		ck_assert_int_eq(block[PAGE - 1], i % 2 ? 'a' : 'b');
		ok(close(fd));
	}
	free(block);
}
END_TEST

/* In one write(2), several WRITEs. */
START_TEST(a_long_piece_lands_behind_what_others_have_appended)
{
	const size_t len = 5000000;
	const int ours = open_log("f", O_RDWR);
	char *piece = malloc(len), *text;
	size_t have;

	for (int i = 0; i < 3; i++) {
		append_line(open_log(behind("f"), O_WRONLY), 'b', i, 100);
		memset(piece, 'A' + i, len);
		ck_assert_int_eq(ok(write(ours, piece, len)), (ssize_t)len);
	}
	ok(close(ours));
	text = contents("f", &have);
	ck_assert_uint_eq(have, 3 * (len + 100));
	for (int i = 0; i < 3; i++) {
		const char *at = text + (size_t)i * (len + 100);

		ck_assert_int_eq(at[0], 'b');
		memset(piece, 'A' + i, len);
		ck_assert(memcmp(at + 100, piece, len) == 0);
	}
	free(piece);
	free(text);
}
END_TEST

void describe(void)
{
	everyone(lines_appended_from_both_sides_are_all_there);
	everyone(lines_longer_than_a_page_are_as_well);
	everyone(who_appends_finds_his_line_at_the_end);
	everyone(a_mapping_shows_what_was_appended_where_it_is);
	everyone(several_who_append_at_once_lose_nothing);
	everyone(what_is_appended_after_the_file_was_cut_behind_lands_at_its_end);
	everyone(what_counts_is_the_flag_of_the_moment);
	everyone(what_is_stored_and_written_before_stays_before);
	everyone(direct_io_appends_behind_what_others_have_appended);
	everyone(a_long_piece_lands_behind_what_others_have_appended);
}
