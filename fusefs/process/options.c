/* SPDX-License-Identifier: MIT */
/*
 * Options: the command line, and the same things after -o for fstab.
 *
 * Each long option is one row of a table and works in both places: --cache-size=1G and
 * -o cache-size=1G. What is not in the table and comes after -o is a mount option.
 */

#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <syslog.h>
#include <unistd.h>

#include "cachelayer/cache.h"
#include "mount_option.h"

#define DEFAULT_CACHE_BYTES	((size_t)256 << 20)
#define DEFAULT_WRITEBACK_AGE_S 5
#define WRITEBACK_AGE_S_MAX	3600
#define DEFAULT_WATCH_S		300
#define WATCHDOG_S_MAX		3600
#define ABORT_STUCK_S_MAX	86400
#define THREADS_MAX		256

static void complain(const char *name, const char *value, const char *remedy)
{
	fprintf(stderr, "foldfs: %s=%s: %s\n", name, value, remedy);
}

/* ------------------------------------------------------------------ the values */

static int parse_unsigned(const char *text, unsigned min, unsigned max, unsigned *ret)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (end == text || *end != '\0' || text[0] == '-' || errno != 0 ||
	    value < min || value > max)
		return -EINVAL;
	*ret = (unsigned)value;
	return 0;
}

static int parse_size(const char *text, size_t *ret_bytes)
{
	static const char units[] = "KMGT";
	unsigned long long value;
	unsigned shift = 0;
	const char *unit;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (end == text || text[0] == '-' || errno != 0)
		return -EINVAL;
	if (*end != '\0') {
		unit = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end);
		if (!unit)
			return -EINVAL;
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (*end != '\0' || value > SIZE_MAX >> shift)
		return -EINVAL;
	*ret_bytes = (size_t)value << shift;
	return 0;
}

static int parse_seconds(const char *text, double *ret_s)
{
	double value;
	char *end;

	value = strtod(text, &end);
	if (end == text || *end != '\0' || !isfinite(value) || value < 0)
		return -EINVAL;
	*ret_s = value;
	return 0;
}

/* ----------------------------------------------------------------- the setters */

static int set_cache_size(struct options *options, const char *value)
{
	if (parse_size(value, &options->cache_size_bytes) < 0) {
		complain(
			"--cache-size", value,
			"not a size; give bytes, or a number with K, M or G, like 256M");
		return -EINVAL;
	}
	if (options->cache_size_bytes < CL_CACHE_SIZE_MIN) {
		complain("--cache-size", value, "too small; the least is 1M");
		return -EINVAL;
	}
	if (options->cache_size_bytes > CL_CACHE_SIZE_MAX) {
		complain("--cache-size", value, "too large; the most is 16383G");
		return -EINVAL;
	}
	options->cache_size_given = true;
	return 0;
}

static int set_writeback(struct options *options, const char *value)
{
	options->writeback = true;
	if (value && parse_unsigned(value, 1, WRITEBACK_AGE_S_MAX,
				    &options->writeback_age_s) < 0) {
		complain("--writeback", value,
			 "not an age for dirty pages; give seconds, 1 to 3600");
		return -EINVAL;
	}
	return 0;
}

static int set_threads(struct options *options, const char *value)
{
	if (parse_unsigned(value, 1, THREADS_MAX, &options->threads) < 0) {
		complain("--threads", value, "give a number from 1 to 256");
		return -EINVAL;
	}
	return 0;
}

static int set_log_level(struct options *options, const char *value)
{
	static const struct {
		const char *name;
		int level;
	} levels[] = {
		{"error", LOG_ERR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
		{"info", LOG_INFO}, {"debug", LOG_DEBUG},
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(value, levels[i].name) == 0) {
			options->log_level = levels[i].level;
			return 0;
		}
	}
	complain("--log-level", value, "give error, warning, notice, info or debug");
	return -EINVAL;
}

static int set_verify(struct options *options, const char *value)
{
	(void)value;
	options->verify = true;
	return 0;
}

static int set_watchdog(struct options *options, const char *value)
{
	if (parse_unsigned(value, 1, WATCHDOG_S_MAX, &options->watchdog_s) < 0) {
		complain("--watchdog", value, "give seconds, 1 to 3600");
		return -EINVAL;
	}
	return 0;
}

static int set_abort_stuck(struct options *options, const char *value)
{
	if (parse_unsigned(value, 1, ABORT_STUCK_S_MAX, &options->abort_stuck_s) < 0) {
		complain("--abort-stuck", value, "give seconds, 1 to 86400");
		return -EINVAL;
	}
	return 0;
}

static int set_attr_timeout(struct options *options, const char *value)
{
	if (parse_seconds(value, &options->attr_timeout_s) < 0) {
		complain("--attr-timeout", value, "give seconds, such as 1 or 0.5");
		return -EINVAL;
	}
	return 0;
}

static int set_entry_timeout(struct options *options, const char *value)
{
	if (parse_seconds(value, &options->entry_timeout_s) < 0) {
		complain("--entry-timeout", value, "give seconds, such as 1 or 0.5");
		return -EINVAL;
	}
	return 0;
}

static int set_watch(struct options *options, const char *value)
{
	options->watch_s = DEFAULT_WATCH_S;
	if (value &&
	    (parse_seconds(value, &options->watch_s) < 0 || options->watch_s == 0)) {
		complain(
			"--watch", value,
			"for how long the kernel may keep what is watched; give seconds, "
			"such as 300");
		return -EINVAL;
	}
	return 0;
}

static int set_no_open(struct options *options, const char *value)
{
	(void)value;
	options->no_open = true;
	return 0;
}

static int set_fence(struct options *options, const char *value)
{
	options->always_fence = strcmp(value, "always") == 0;
	if (options->always_fence || strcmp(value, "auto") == 0)
		return 0;
	complain("--fence", value, "give auto or always");
	return -EINVAL;
}

static int set_nonempty(struct options *options, const char *value)
{
	(void)value;
	options->nonempty = true;
	return 0;
}

static int set_debug(struct options *options, const char *value)
{
	(void)value;
	options->debug = true;
	options->foreground = true;
	options->log_level = LOG_DEBUG;
	return 0;
}

/* ------------------------------------------------------------------- the table */

struct option_spec {
	const char *name;
	int has_arg; /* as of getopt_long(3) */
	int (*set)(struct options *options, const char *value);
};

static const struct option_spec specs[] = {
	{"cache-size", required_argument, set_cache_size},
	{"writeback", optional_argument, set_writeback},
	{"threads", required_argument, set_threads},
	{"log-level", required_argument, set_log_level},
	{"verify", no_argument, set_verify},
	{"watchdog", required_argument, set_watchdog},
	{"abort-stuck", required_argument, set_abort_stuck},
	{"attr-timeout", required_argument, set_attr_timeout},
	{"entry-timeout", required_argument, set_entry_timeout},
	{"watch", optional_argument, set_watch},
	{"no-open", no_argument, set_no_open},
	{"fence", required_argument, set_fence},
	{"nonempty", no_argument, set_nonempty},
	{"debug", no_argument, set_debug},
};
#define SPECS (sizeof(specs) / sizeof(specs[0]))

/* One of ours, after -o. *ret_found says whether it is. */
static int set_by_name(struct options *options, const char *option, bool *ret_found)
{
	const size_t name_len = strcspn(option, "=");
	const char *value = option[name_len] == '=' ? option + name_len + 1 : NULL;

	*ret_found = false;
	for (size_t i = 0; i < SPECS; i++) {
		if (strlen(specs[i].name) != name_len ||
		    strncmp(specs[i].name, option, name_len) != 0)
			continue;
		*ret_found = true;
		if ((specs[i].has_arg == required_argument && !value) ||
		    (specs[i].has_arg == no_argument && value)) {
			fprintf(stderr, "foldfs: -o %s: %s\n", option,
				value ? "takes no value" : "needs a value");
			return -EINVAL;
		}
		return specs[i].set(options, value);
	}
	return 0;
}

static int set_mount_option(struct options *options, const char *option)
{
	bool found;
	int status;

	if (option[0] == '\0')
		return 0;
	status = set_by_name(options, option, &found);
	if (found)
		return status;
	status = mount_option_set(options, option);
	if (status == -EINVAL && options->remount)
		return 0; /* it was good enough for the first mount */
	if (status == -EINVAL)
		fprintf(stderr, "foldfs: -o %s: no such option; see foldfs --help\n",
			option);
	else if (status < 0)
		fprintf(stderr, "foldfs: out of memory\n");
	return status;
}

/* A list with commas; a backslash takes a comma's meaning away. In place. */
static int set_mount_options(struct options *options, char *list)
{
	char *from = list, *to, *option;
	bool more = true;
	int status = 0;

	while (more && status == 0) {
		option = to = from;
		while (*from != '\0' && *from != ',') {
			if (*from == '\\' && from[1] != '\0')
				from++;
			*to++ = *from++;
		}
		more = *from == ',';
		from++;
		*to = '\0';
		status = set_mount_option(options, option);
	}
	return status;
}

/* ------------------------------------------------------------ the command line */

/* Values of getopt_long(3) for those that are no characters. */
enum {
	VALUE_HELP = 1000,
	VALUE_VERSION,
	VALUE_CHECK,
	VALUE_SPEC, /* and upwards: an index of specs */
};

static void set_defaults(struct options *options)
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	memset(options, 0, sizeof(*options));
	options->cache_size_bytes = DEFAULT_CACHE_BYTES;
	options->writeback_age_s = DEFAULT_WRITEBACK_AGE_S;
	options->threads = cpus > 4 ? (unsigned)(2 * cpus) : 8;
	if (options->threads > THREADS_MAX)
		options->threads = THREADS_MAX;
	options->watchdog_s = 1;
	options->attr_timeout_s = 1;
	options->entry_timeout_s = 1;
	options->log_level = LOG_NOTICE;
	/* As libfuse and fusermount3 have it. */
	options->mount_flags = MS_NOSUID | MS_NODEV;
}

static void fill_longopts(struct option longopts[SPECS + 4])
{
	size_t n = 0;

	for (; n < SPECS; n++)
		longopts[n] = (struct option){.name = specs[n].name,
					      .has_arg = specs[n].has_arg,
					      .val = VALUE_SPEC + (int)n};
	longopts[n++] = (struct option){.name = "help", .val = VALUE_HELP};
	longopts[n++] = (struct option){.name = "version", .val = VALUE_VERSION};
	longopts[n++] = (struct option){.name = "check", .val = VALUE_CHECK};
	longopts[n] = (struct option){0};
}

/** @return 0, a negative errno, or 1 if nothing is left to be done */
static int take_option(struct options *options, int value, char *arg)
{
	switch (value) {
	case 'h':
	case VALUE_HELP:
		options_print_help();
		return 1;
	case 'V':
	case VALUE_VERSION:
		options_print_version();
		return 1;
	case VALUE_CHECK:
		options->check = true;
		return 0;
	case 'f':
		options->foreground = true;
		return 0;
	case 'd':
		return set_debug(options, NULL);
	case 's':
		options->threads = 1;
		return 0;
	case 'o':
		return set_mount_options(options, arg);
	case 'r':
		return mount_option_set(options, "ro");
	case 'w':
		return mount_option_set(options, "rw");
	case 'n': /* no /etc/mtab: there is none any more */
	case 'v': /* mount(8) is verbose */
		return 0;
	case '?':
		return -EINVAL; /* getopt_long() has said why */
	default:
		return specs[value - VALUE_SPEC].set(options, arg);
	}
}

static bool too_few_or_many(const struct options *options, int paths)
{
	if (paths == 2 || (options->check && paths < 2))
		return false;
	fprintf(stderr,
		"foldfs: %s; usage: foldfs [options] SOURCE MOUNTPOINT\n"
		"Try 'foldfs --help'.\n",
		paths < 2 ? "SOURCE and MOUNTPOINT are needed" : "too many arguments");
	return true;
}

/* NULL stays NULL. */
static int take_path(char **ret_path, const char *path)
{
	*ret_path = path ? strdup(path) : NULL;
	return path && !*ret_path ? -ENOMEM : 0;
}

enum options_result options_parse(int argc, char *argv[], struct options *ret_options)
{
	struct option longopts[SPECS + 4];
	int value, status;

	static char name[] = "foldfs";

	set_defaults(ret_options);
	fill_longopts(longopts);
	argv[0] = name; /* in getopt_long()'s messages */
	while ((value = getopt_long(argc, argv, "hVfdso:rwnv", longopts, NULL)) != -1) {
		status = take_option(ret_options, value, optarg);
		if (status != 0)
			return status > 0 ? OPTIONS_DONE : OPTIONS_WRONG;
	}
	if (too_few_or_many(ret_options, argc - optind))
		return OPTIONS_WRONG;
	if (ret_options->no_open && ret_options->writeback) {
		fprintf(stderr,
			"foldfs: --no-open does not go with --writeback: nobody would be "
			"told when a file is closed. Leave one of them out\n");
		return OPTIONS_WRONG;
	}
	if (take_path(&ret_options->source, argv[optind]) < 0 ||
	    (argv[optind] &&
	     take_path(&ret_options->mountpoint, argv[optind + 1]) < 0)) {
		fprintf(stderr, "foldfs: out of memory\n");
		return OPTIONS_WRONG;
	}
	return OPTIONS_RUN;
}

void options_fini(struct options *options)
{
	free(options->source);
	free(options->mountpoint);
	free(options->fuse_options);
}
