/* SPDX-License-Identifier: MIT */
/*
 * The control attributes themselves: one system call does it all, nothing malformed is
 * taken for an order, and none of them is ever stored.
 *
 * They are foldfs's own, so there is no reference to run this on.
 */

#include <sys/xattr.h>

#include <foldfs.h>
#include <json-c/json.h>

#include "files.h"

#define PAGES  16
#define LENGTH (PAGES * PAGE)

static const char *const control_names[] = {
	FOLDFS_XATTR_COLLAPSE, FOLDFS_XATTR_INSERT, FOLDFS_XATTR_PUNCH,
	FOLDFS_XATTR_ZERO,     FOLDFS_XATTR_MOVE,
};
#define CONTROL_NAMES (sizeof(control_names) / sizeof(control_names[0]))

static int order(const char *path, const char *name, const char *value)
{
	return setxattr(path, name, value, strlen(value), 0);
}

START_TEST(one_system_call_is_one_operation)
{
	const int fd = make_file("f", LENGTH, 1);

	ok(order("f", FOLDFS_XATTR_COLLAPSE, "4096+8192"));
	ck_assert_int_eq(size_of("f"), LENGTH - 2 * PAGE);
	has_bytes(fd, 0, PAGE, 1);

	ok(order("f", FOLDFS_XATTR_INSERT, "4096+8192"));
	ck_assert_int_eq(size_of("f"), LENGTH);
	has_zeros(fd, PAGE, 2 * PAGE);
	has_bytes(fd, 3 * PAGE, LENGTH - 3 * PAGE, 1);

	ok(order("f", FOLDFS_XATTR_MOVE, "12288+4096>4096"));
	has_zeros(fd, 2 * PAGE, 2 * PAGE);

	ok(order("f", FOLDFS_XATTR_PUNCH, "20480+4096"));
	ok(order("f", FOLDFS_XATTR_ZERO, "28672+4096"));
	has_bytes(fd, 4 * PAGE, PAGE, 1);
	has_zeros(fd, 5 * PAGE, PAGE);
	has_bytes(fd, 6 * PAGE, PAGE, 1);
	has_zeros(fd, 7 * PAGE, PAGE);
	has_bytes(fd, 8 * PAGE, LENGTH - 8 * PAGE, 1);
}
END_TEST

/* foldfs.h and the preload shim say XATTR_REPLACE, which keeps them harmless elsewhere.
 */
START_TEST(replacing_is_as_good_as_setting)
{
	make_file("f", LENGTH, 1);
	ok(setxattr("f", FOLDFS_XATTR_COLLAPSE, "0+4096", 6, XATTR_REPLACE));
	ck_assert_int_eq(size_of("f"), LENGTH - PAGE);
}
END_TEST

/* As shells and C programs like to send it. */
START_TEST(a_final_newline_or_nul_does_no_harm)
{
	make_file("f", LENGTH, 1);
	ok(order("f", FOLDFS_XATTR_COLLAPSE, "4096+4096\n"));
	ck_assert_int_eq(size_of("f"), LENGTH - PAGE);
	ok(setxattr("f", FOLDFS_XATTR_COLLAPSE, "4096+4096", 10, 0));
	ck_assert_int_eq(size_of("f"), LENGTH - 2 * PAGE);
}
END_TEST

START_TEST(malformed_values_are_refused)
{
	static const char *const values[] = {
		"",
		"+",
		"4096",
		"4096+",
		"+4096",
		"4096+4096+4096",
		"4096+4096>",
		"4096+4096>8192",
		"4096-4096",
		"-4096+4096",
		"4096+-4096",
		"+4096+4096",
		" 4096+4096",
		"4096+4096 ",
		"4096 + 4096",
		"0x1000+4096",
		"4K+4K",
		"4096.0+4096",
		"abc",
		"18446744073709551616+4096",
		"18446744073709547520+4096",
		"4096+99999999999999999999999999999999999999999999999999999999999999",
	};
	const int fd = make_file("f", LENGTH, 1);

	for (size_t n = 0; n + 1 < CONTROL_NAMES; n++)
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
			fails_with(EINVAL, order("f", control_names[n], values[v]));
	/* More after the NUL that a C program counts in. */
	fails_with(EINVAL, setxattr("f", FOLDFS_XATTR_COLLAPSE,
				    "0+4096\0"
				    "1",
				    8, 0));
	ck_assert_int_eq(size_of("f"), LENGTH);
	has_bytes(fd, 0, LENGTH, 1);
}
END_TEST

START_TEST(malformed_moves_are_refused)
{
	static const char *const values[] = {
		"",	     "4096+4096",	"4096+4096>",
		">4096",     "4096+4096>8192>", "4096+4096>-8192",
		"4096>8192", "8192>4096+4096",	"4096+4096>18446744073709551616",
	};
	const int fd = make_file("f", LENGTH, 1);

	for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
		fails_with(EINVAL, order("f", FOLDFS_XATTR_MOVE, values[v]));
	has_bytes(fd, 0, LENGTH, 1);
}
END_TEST

/* True if any attribute of the file in this world begins with user.foldfs. */
static bool lists_any(const char *path)
{
	char list[4096];
	const ssize_t len = ok(listxattr(path, list, sizeof(list)));

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1)
		if (strncmp(list + at, "user.foldfs.", 12) == 0)
			return true;
	return false;
}

START_TEST(control_attributes_are_never_listed_and_never_stored)
{
	char value[256];

	make_file("f", LENGTH, 1);
	ok(order("f", FOLDFS_XATTR_COLLAPSE, "0+4096"));
	ok(order("f", FOLDFS_XATTR_INSERT, "0+4096"));
	ck_assert(!lists_any("f"));
	ck_assert(!lists_any("."));
	ck_assert(!lists_any(behind("f")));
	for (size_t n = 0; n < CONTROL_NAMES; n++) {
		fails_with(ENODATA,
			   getxattr("f", control_names[n], value, sizeof(value)));
		fails_with(ENODATA, removexattr("f", control_names[n]));
	}
	fails_with(ENODATA,
		   getxattr(behind("f"), FOLDFS_XATTR_VERSION, value, sizeof(value)));
}
END_TEST

START_TEST(a_directory_cannot_be_rearranged)
{
	ok(mkdir("d", 0755));
	for (size_t n = 0; n < CONTROL_NAMES; n++)
		fails_with(EISDIR,
			   order("d", control_names[n],
				 strstr(control_names[n], "move") ? "0+4096>4096"
								  : "0+4096"));
}
END_TEST

START_TEST(who_may_not_write_may_not_rearrange)
{
	const int fd = make_file("f", LENGTH, 1);

	ok(fchmod(fd, 0444));
	fails_with(EACCES, order("f", FOLDFS_XATTR_COLLAPSE, "0+4096"));
	has_bytes(fd, 0, LENGTH, 1);
	ck_assert_int_eq(size_of("f"), LENGTH);
}
END_TEST

START_TEST(the_protocol_version_is_answered_for_files_and_directories)
{
	char version[16] = "";

	make_file("f", LENGTH, 1);
	ck_assert_int_eq(ok(getxattr("f", FOLDFS_XATTR_VERSION, NULL, 0)), 1);
	ck_assert_int_eq(ok(getxattr("f", FOLDFS_XATTR_VERSION, version, 16)), 1);
	ck_assert_str_eq(version, "1");
	ck_assert_int_eq(ok(getxattr(".", FOLDFS_XATTR_VERSION, version, 16)), 1);
	fails_with(EOPNOTSUPP, order("f", FOLDFS_XATTR_VERSION, "2"));
	fails_with(EOPNOTSUPP, order("f", FOLDFS_XATTR_STATS, "{}"));
}
END_TEST

/* What getxattr(2) gives, parsed. The caller puts it. */
static struct json_object *stats_of(const char *path)
{
	static char text[65536];
	const ssize_t room = ok(getxattr(path, FOLDFS_XATTR_STATS, NULL, 0));
	const ssize_t len =
		ok(getxattr(path, FOLDFS_XATTR_STATS, text, sizeof(text) - 1));
	struct json_object *stats;

	ck_assert_int_gt(room, 0);
	text[len] = '\0';
	stats = json_tokener_parse(text);
	ck_assert_msg(json_object_is_type(stats, json_type_object),
		      "stats of %s are no JSON object: %s", path, text);
	return stats;
}

START_TEST(counters_are_json_for_a_file_and_for_the_mount)
{
	make_file("f", LENGTH, 1);
	json_object_put(stats_of("f"));
	json_object_put(stats_of("."));
	json_object_put(stats_of(getenv("FOLDFS_TEST_DIR")));
}
END_TEST

/* As getfattr(1) does it: first how long it is, then the value. */
START_TEST(counters_may_grow_between_the_question_and_the_answer)
{
	const char *root = getenv("FOLDFS_TEST_DIR");
	char text[65536];
	ssize_t len;

	for (int i = 0; i < 12; i++) {
		len = ok((int)getxattr(root, "user.foldfs.stats", NULL, 0));
		/* From a digit to two, and from two to three. */
		for (int k = 0; k < 10; k++) {
			const int fd = make_file("grows", 4 * PAGE, 1);

			ok(fsetxattr(fd, "user.foldfs.collapse_range", "0+4096", 6, 0));
			ok(close(fd));
			ok(unlink("grows"));
		}
		ok((int)getxattr(root, "user.foldfs.stats", text, (size_t)len));
	}
}
END_TEST

static struct json_object *member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	ck_assert_msg(json_object_object_get_ex(object, name, &value),
		      "the counters have no %s", name);
	return value;
}

static int64_t number(struct json_object *object, const char *name)
{
	return json_object_get_int64(member(object, name));
}

static void check_waits(struct json_object *waits, const char *who, const char *what)
{
	struct json_object *times = member(member(waits, who), what);
	int64_t counted = 0;

	json_object_object_foreach(member(times, "below_ns"), bound, count)
	{
		(void)bound;
		counted += json_object_get_int64(count);
	}
	ck_assert_int_eq(counted, number(times, "waits"));
	ck_assert_int_le(number(times, "longest_ns"), number(times, "total_ns"));
}

START_TEST(waiting_times_are_told_for_each_kind_of_waiter)
{
	struct json_object *stats = stats_of(getenv("FOLDFS_TEST_DIR"));
	struct json_object *waits = member(stats, "waits");

	check_waits(waits, "fill", "page_lock");
	check_waits(waits, "fill", "gate");
	check_waits(waits, "write", "page_lock");
	check_waits(waits, "write", "gate");
	check_waits(waits, "writeback", "page_lock");
	check_waits(waits, "reclaim", "free_page");
	check_waits(waits, "range_operation", "page_lock");
	check_waits(waits, "range_operation", "gate");
	json_object_put(stats);
}
END_TEST

/* Only the world with a small cache has to wait. */
START_TEST(waiting_for_a_free_page_is_counted_when_the_cache_is_full)
{
	const size_t pages = 4096;
	struct json_object *stats;
	int64_t waits;
	int fd;

	/* In the store, so that the kernel has nothing of it. */
	ok(close(make_file(behind("f"), pages * PAGE, 1)));
	/* Who may write: others would be passed on to the store (bypass.c). */
	fd = ok(open("f", O_RDWR));
	has_bytes(fd, 0, pages * PAGE, 1);
	stats = stats_of(getenv("FOLDFS_TEST_DIR"));
	waits = number(member(member(member(stats, "waits"), "reclaim"), "free_page"),
		       "waits");
	if (number(member(stats, "cache"), "pages_total") < (int64_t)pages)
		ck_assert_int_gt(waits, 0);
	json_object_put(stats);
}
END_TEST

void describe(void)
{
	everyone(one_system_call_is_one_operation);
	everyone(counters_may_grow_between_the_question_and_the_answer);
	everyone(replacing_is_as_good_as_setting);
	everyone(a_final_newline_or_nul_does_no_harm);
	everyone(malformed_values_are_refused);
	everyone(malformed_moves_are_refused);
	everyone(control_attributes_are_never_listed_and_never_stored);
	everyone(a_directory_cannot_be_rearranged);
	user_only(who_may_not_write_may_not_rearrange);
	everyone(the_protocol_version_is_answered_for_files_and_directories);
	everyone(counters_are_json_for_a_file_and_for_the_mount);
	everyone(waiting_times_are_told_for_each_kind_of_waiter);
	everyone(waiting_for_a_free_page_is_counted_when_the_cache_is_full);
}
