/* SPDX-License-Identifier: MIT */

#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *const access_name[ACCESS_KINDS] = {
	[ACCESS_ADD] = "add",	  [ACCESS_ADD_ANYWHERE] = "swap",
	[ACCESS_LOAD] = "load",	  [ACCESS_LOAD_PRIVATE] = "private",
	[ACCESS_READ] = "read",	  [ACCESS_READ_DIRECT] = "direct",
	[ACCESS_WRITE] = "write", [ACCESS_TAIL] = "tail",
	[ACCESS_STAT] = "stat",	  [ACCESS_DISTURB] = "disturb",
};

static const char usage_text[] =
	"Usage: range_oracle [OPTION]... [DIRECTORY]\n"
	"\n"
	"Threads of several processes add to counters in a mapped file, load, read and\n"
	"write it, while another thread collapses, inserts, moves, punches and zeroes\n"
	"ranges of it. Every access is judged, every addition accounted for.\n"
	"\n"
	"  --seconds=N      30 unless told otherwise\n"
	"  --seed=N         of all random choices; from the clock unless told otherwise\n"
	"  --pages=N        size of the file, 64 to 65536; 1024\n"
	"  --threads=N      in each process; 6\n"
	"  --processes=N    1\n"
	"  --pause=US       between operations, on average; 1000\n"
	"  --checkpoint=MS  time between audits of the whole file; 2000\n"
	"  --hang=S         an access or operation older than this has failed; 30\n"
	"  --only=LIST      kinds of access: add, swap, load, private, read, direct,\n"
	"                   write, tail, stat, disturb\n"
	"  --links          each process by a hard link of its own\n"
	"  --unlinked       the file has lost all its names when the work begins\n"
	"  --store=DIR      the same directory in the store: compare that file as well\n"
	"  --native         DIRECTORY is not on foldfs: test the kernel's file system\n"
	"                   there (no moves)\n"
	"  --wrong          shift by copying under the live mappings: to pass, violations\n"
	"                   must be found\n"
	"\n"
	"Exit status: 0 nothing wrong, 1 something was, 2 could not be run.\n"
	"Under tests/mount/run, DIRECTORY, --store and --native come from there.\n";

__attribute__((noreturn)) static void usage(const char *problem, const char *what)
{
	fprintf(stderr, "range_oracle: %s '%s'\n", problem, what);
	exit(2);
}

static unsigned number(const char *name, const char *text, unsigned min, unsigned max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max) {
		fprintf(stderr, "range_oracle: --%s must be from %u to %u\n", name, min,
			max);
		exit(2);
	}
	return (unsigned)value;
}

static unsigned access_list(char *list)
{
	unsigned bits = 0;

	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		int kind = 0;

		while (kind < ACCESS_KINDS && strcmp(name, access_name[kind]) != 0)
			kind++;
		if (kind == ACCESS_KINDS)
			usage("no such kind of access", name);
		bits |= 1u << kind;
	}
	/* Only some workers write, and not everybody has O_DIRECT. */
	if (!(bits & ~(1u << ACCESS_WRITE | 1u << ACCESS_READ_DIRECT)))
		usage("not every thread can do this alone:", "write, direct");
	return bits;
}

enum {
	OPT_SECONDS,
	OPT_SEED,
	OPT_PAGES,
	OPT_THREADS,
	OPT_PROCESSES,
	OPT_PAUSE,
	OPT_CHECKPOINT,
	OPT_HANG,
	OPT_ONLY,
	OPT_LINKS,
	OPT_UNLINKED,
	OPT_STORE,
	OPT_NATIVE,
	OPT_WRONG,
	OPT_HELP,
};

static const struct option options[] = {
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"seed", required_argument, NULL, OPT_SEED},
	{"pages", required_argument, NULL, OPT_PAGES},
	{"threads", required_argument, NULL, OPT_THREADS},
	{"processes", required_argument, NULL, OPT_PROCESSES},
	{"pause", required_argument, NULL, OPT_PAUSE},
	{"checkpoint", required_argument, NULL, OPT_CHECKPOINT},
	{"hang", required_argument, NULL, OPT_HANG},
	{"only", required_argument, NULL, OPT_ONLY},
	{"links", no_argument, NULL, OPT_LINKS},
	{"unlinked", no_argument, NULL, OPT_UNLINKED},
	{"store", required_argument, NULL, OPT_STORE},
	{"native", no_argument, NULL, OPT_NATIVE},
	{"wrong", no_argument, NULL, OPT_WRONG},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static void numeric_option(struct settings *s, int option, const char *name)
{
	switch (option) {
	case OPT_SECONDS:
		s->seconds = number(name, optarg, 1, 86400);
		break;
	case OPT_PAGES:
		s->pages = number(name, optarg, 64, 65536);
		break;
	case OPT_THREADS:
		s->threads = number(name, optarg, 1, WORKERS_MAX);
		break;
	case OPT_PROCESSES:
		s->processes = number(name, optarg, 1, PROCESSES_MAX);
		break;
	case OPT_PAUSE:
		s->pause_us = number(name, optarg, 0, 10000000);
		break;
	case OPT_CHECKPOINT:
		s->checkpoint_ms = number(name, optarg, 1, 3600000);
		break;
	case OPT_HANG:
		s->hang_s = number(name, optarg, 1, 3600);
		break;
	case OPT_SEED:
		s->seed = number(name, optarg, 0, UINT32_MAX);
		break;
	}
}

static void apply_option(struct settings *s, int option, const char *name)
{
	switch (option) {
	case OPT_ONLY:
		s->accesses = access_list(optarg);
		break;
	case OPT_LINKS:
		s->links = true;
		break;
	case OPT_UNLINKED:
		s->unlinked = true;
		break;
	case OPT_STORE:
		s->store = optarg;
		break;
	case OPT_NATIVE:
		s->native = true;
		break;
	case OPT_WRONG:
		s->method = METHOD_COPY_SHIFT;
		break;
	case OPT_HELP:
		fputs(usage_text, stdout);
		exit(0);
	default:
		numeric_option(s, option, name);
	}
}

/* What tests/mount/run says, for what the command line has not. */
static void apply_environment(struct settings *s)
{
	const char *on = getenv("FOLDFS_TEST_ON");

	if (!s->directory)
		s->directory = getenv("FOLDFS_TEST_DIR");
	if (on && strcmp(on, "reference") == 0)
		s->native = true;
	else if (on && !s->store)
		s->store = getenv("FOLDFS_TEST_STORE");
}

void settings_parse(int argc, char **argv, struct settings *ret_settings)
{
	struct settings s = {
		.seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 12,
		.seconds = 30,
		.processes = 1,
		.threads = 6,
		.pages = 1024,
		.pause_us = 1000,
		.hang_s = 30,
		.checkpoint_ms = 2000,
		.accesses = (1u << ACCESS_KINDS) - 1,
	};
	int option, index;

	while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (option == '?')
			exit(2);
		apply_option(&s, option, options[index].name);
	}
	if (optind < argc)
		s.directory = argv[optind++];
	if (optind < argc)
		usage("too many arguments:", argv[optind]);
	apply_environment(&s);
	if (!s.directory)
		usage("where? No", "DIRECTORY");
	if (s.threads * s.processes > WORKERS_MAX)
		usage("too many threads in all:", "--threads, --processes");
	if (s.unlinked)
		s.store = NULL; /* it has no name there either */
	s.seed &= UINT32_MAX;
	*ret_settings = s;
}

struct zones settings_zones(const struct settings *settings)
{
	return (struct zones){
		.hot_begin = settings->pages / 4,
		.hot_end = settings->pages - settings->pages / 8,
		.max_pages = settings->pages + settings->pages / 8,
	};
}
