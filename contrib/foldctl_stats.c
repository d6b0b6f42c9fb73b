/* SPDX-License-Identifier: MIT */

/*
 * foldctl stats: the daemon's counters, as it gives them (JSON) or as a table.
 *
 * The table knows no counter by name, so a newer daemon's counters show in it too:
 * nested objects become dotted names, numbers are lined up on the right. Only a record
 * of waiting times is told in words.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <foldfs.h>
#include <json-c/json.h>

#include "foldctl.h"

/* Longest name in a table: `shard.7.reclaim_skipped` and the like. */
#define NAME_SIZE 128

/*
 * The value of the attribute as a string; the caller frees it. The counters grow
 * between asking for the length and asking for the bytes, hence the room to spare and
 * the loop. NULL with errno set on failure.
 */
static char *read_stats(const char *path)
{
	for (int attempt = 0; attempt < 8; attempt++) {
		ssize_t len = getxattr(path, FOLDFS_XATTR_STATS, NULL, 0);
		size_t room;
		char *text;

		if (len < 0)
			return NULL;
		room = (size_t)len + 256;
		text = malloc(room + 1);
		if (!text)
			return NULL;
		len = getxattr(path, FOLDFS_XATTR_STATS, text, room);
		if (len >= 0) {
			text[len] = '\0';
			return text;
		}
		free(text);
		if (errno != ERANGE)
			return NULL;
	}
	errno = ERANGE;
	return NULL;
}

static void explain_no_stats(const char *path, int error)
{
	fprintf(stderr, "foldctl: no counters of %s: ", path);
	switch (error) {
	case ENODATA:
	case EOPNOTSUPP:
		fputs("it is not on a foldfs mount. Name a mount point or a file below "
		      "one; 'findmnt -t fuse.foldfs' lists them.\n",
		      stderr);
		break;
	case ENOTCONN:
		fputs("the daemon of this mount has gone. Unmount it (fusermount3 -u "
		      "MOUNTPOINT) and mount it again.\n",
		      stderr);
		break;
	case EACCES:
		fputs("permission denied. Counters are for those who may read the "
		      "file.\n",
		      stderr);
		break;
	default:
		fprintf(stderr, "%s.\n", strerror(error));
	}
}

/* What print_table() works with: the first walk measures, the second one prints. */
struct table {
	bool measuring;
	int name_width;
	int number_width;
};

static void table_row(struct table *table, const char *name, struct json_object *value)
{
	const bool is_number = json_object_is_type(value, json_type_int) ||
			       json_object_is_type(value, json_type_double);
	const char *text =
		json_object_is_type(value, json_type_string)
			? json_object_get_string(value)
			: json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);

	if (!table->measuring) {
		printf("%-*s  %*s\n", table->name_width, name,
		       is_number ? table->number_width : 0, text);
		return;
	}
	if ((int)strlen(name) > table->name_width)
		table->name_width = (int)strlen(name);
	if (is_number && (int)strlen(text) > table->number_width)
		table->number_width = (int)strlen(text);
}

static uint64_t number_of(struct json_object *node, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(node, key, &value)
		       ? (uint64_t)json_object_get_int64(value)
		       : 0;
}

static const char *in_words(char *text, size_t size, uint64_t ns)
{
	if (ns < 1000000)
		snprintf(text, size, "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(text, size, "%.1f ms", (double)ns / 1e6);
	else
		snprintf(text, size, "%.1f s", (double)ns / 1e9);
	return text;
}

/* The time that 99 of 100 stayed below, from buckets named by their upper bounds, which
 * are in ascending order; 0: the last bucket has none. */
static uint64_t below_which_are_99(struct json_object *buckets, uint64_t waits)
{
	uint64_t seen = 0;

	json_object_object_foreach(buckets, bound, count)
	{
		seen += (uint64_t)json_object_get_int64(count);
		if (seen * 100 >= waits * 99)
			return strtoull(bound, NULL, 10);
	}
	return 0;
}

/* "12 waits, 99 % below 65.5 us, longest 1.2 ms, overtaken 3 times" */
static struct json_object *wait_in_words(struct json_object *node,
					 struct json_object *buckets)
{
	const uint64_t waits = number_of(node, "waits");
	const uint64_t below_ns = below_which_are_99(buckets, waits);
	const uint64_t overtaken = number_of(node, "overtaken");
	char text[160], below[24], longest[24];
	size_t len;

	if (waits == 0)
		return json_object_new_string("none");
	len = (size_t)snprintf(text, sizeof(text), "%llu waits",
			       (unsigned long long)waits);
	if (below_ns > 0)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					", 99 %% below %s",
					in_words(below, sizeof(below), below_ns));
	len += (size_t)snprintf(
		text + len, sizeof(text) - len, ", longest %s",
		in_words(longest, sizeof(longest), number_of(node, "longest_ns")));
	if (overtaken > 0)
		snprintf(text + len, sizeof(text) - len, ", overtaken %llu times",
			 (unsigned long long)overtaken);
	return json_object_new_string(text);
}

/* Recursion is as deep as the daemon nests, and json-c refuses more than 32 levels. */
static void table_walk(struct table *table, const char *prefix,
		       struct json_object *node)
{
	json_object_object_foreach(node, key, value)
	{
		char name[NAME_SIZE];

		struct json_object *buckets;

		snprintf(name, sizeof(name), "%s%s%s", prefix, *prefix ? "." : "", key);
		if (json_object_object_get_ex(value, "below_ns", &buckets)) {
			struct json_object *words = wait_in_words(value, buckets);

			table_row(table, name, words);
			json_object_put(words);
		} else if (json_object_is_type(value, json_type_object))
			table_walk(table, name, value);
		else
			table_row(table, name, value);
	}
}

static int print_table(const char *path, const char *text)
{
	struct table table = {.measuring = true};
	struct json_object *root = json_tokener_parse(text);

	if (!json_object_is_type(root, json_type_object)) {
		fprintf(stderr,
			"foldctl: the counters of %s are not a JSON object. Look at "
			"them with --json, and report this.\n",
			path);
		json_object_put(root);
		return EXIT_FAILED;
	}
	table_walk(&table, "", root);
	table.measuring = false;
	table_walk(&table, "", root);
	json_object_put(root);
	return EXIT_DONE;
}

int print_stats(const char *path, bool json)
{
	char *text = read_stats(path);
	int status = EXIT_DONE;

	if (!text) {
		explain_no_stats(path, errno);
		return EXIT_FAILED;
	}
	if (json)
		puts(text);
	else
		status = print_table(path, text);
	free(text);
	return status;
}
