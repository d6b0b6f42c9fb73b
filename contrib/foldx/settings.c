/* SPDX-License-Identifier: MIT */
/*
 * The command line.
 */

#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "config.h"

#define OPS_DEFAULT 10000

static const char usage_text[] =
	"Usage: foldx [OPTION]... DIRECTORY\n"
	"       foldx --replay=FILE [OPTION]... DIRECTORY\n"
	"\n"
	"Do random things to a file in DIRECTORY, by several processes and through several\n"
	"mappings, and compare it all the time with what it should be. What fails is made\n"
	"as short as it can be, and printed as a trace that --replay runs again.\n"
	"\n"
	"  --seed=N            of all random choices; from the clock unless told otherwise\n"
	"  --ops=N             so many operations; 10000, or with --seconds any number\n"
	"  --seconds=N         for so long\n"
	"  --size=BYTES        the largest that the file becomes; 256K\n"
	"  --length=BYTES      the longest range; 64K\n"
	"  --align=BYTES       what collapse, insert and move take multiples of; 4096\n"
	"  --block=BYTES       what everything else takes multiples of; 1\n"
	"  --processes=N       1 to 16; 3\n"
	"  --mappings=N        in each process, 1 to 8; 2: the first is shared, the second\n"
	"                      private and only read, and so on in turn\n"
	"  --together=PERCENT  how often a truncate, punch, zero, collapse, insert or move\n"
	"                      has other processes load and store meanwhile; 50\n"
	"  --only=LIST         of operations\n"
	"  --without=LIST      of operations\n"
	"  --weights=LIST      how often, OPERATION=WEIGHT; see below for what they are\n"
	"  --require=LIST      fail if one of these operations is not supported, or never\n"
	"                      done; 'all': every one that has a weight\n"
	"  --record=FILE       write what is done to FILE, as a trace; and the shortest one\n"
	"                      that fails to FILE.shortest\n"
	"  --replay=FILE       do what stands in FILE ('-': standard input)\n"
	"  --tries=N           how often a trace is tried before it counts as one that does\n"
	"                      not fail; 1, and 10 if processes run together in it\n"
	"  --shrink=SECONDS    how long to look for a shorter trace; 60, 0: not at all\n"
	"  --hang=SECONDS      an operation that takes longer has failed; 60\n"
	"  --behind=DIR        DIRECTORY as it is below a file system that is stacked on\n"
	"                      another one: compare the file there, too, at the end\n"
	"  --quiet             print nothing unless something is wrong\n"
	"  -h, --help          print this and leave\n"
	"  -V, --version       print the version and leave\n"
	"\n"
	"Exit status: 0 nothing wrong, 1 something was, 2 could not be run, 3 something\n"
	"required is missing, 4 something hangs.\n"
	"\n"
	"Operations, with their weights:\n";

static void print_usage(void)
{
	fputs(usage_text, stdout);
	for (unsigned kind = 0; kind < OP_KINDS; kind++)
		printf("%s%s=%u",
		       kind % 6 ? ", "
		       : kind	? ",\n  "
				: "  ",
		       operation_name((enum op_kind)kind),
		       operation_weight((enum op_kind)kind));
	printf("\n");
}

__attribute__((noreturn)) static void bad_usage(const char *problem, const char *what)
{
	fprintf(stderr, "foldx: %s: %s\nTry 'foldx --help'.\n", what, problem);
	exit(STATUS_USAGE);
}

static uint64_t number(const char *name, const char *text, uint64_t min, uint64_t max,
		       bool is_size)
{
	static const char suffixes[] = "KMGT";
	unsigned long long value;
	const char *suffix;
	unsigned shift = 0;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (is_size && *end != '\0' && end[1] == '\0') {
		suffix = strchr(suffixes, *end & ~0x20);
		if (suffix && *suffix != '\0') {
			shift = 10 * (unsigned)(suffix - suffixes + 1);
			end++;
		}
	}
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' ||
	    value > UINT64_MAX >> shift || value << shift < min ||
	    value << shift > max) {
		fprintf(stderr,
			"foldx: --%s=%s: give a number from %ju to %ju%s\n"
			"Try 'foldx --help'.\n",
			name, text, (uintmax_t)min, (uintmax_t)max,
			is_size ? "; K, M and G may follow it" : "");
		exit(STATUS_USAGE);
	}
	return value << shift;
}

static enum op_kind operation(const char *name, size_t len)
{
	const enum op_kind kind = operation_by_name(name, len);

	if (kind == OP_KINDS)
		bad_usage("no such operation", name);
	return kind;
}

/* As bits. */
static unsigned operation_list(const char *list)
{
	unsigned bits = 0;

	while (*list != '\0') {
		const size_t len = strcspn(list, ",");

		bits |= 1u << operation(list, len);
		list += len + (list[len] == ',');
	}
	return bits;
}

static void set_weights(struct settings *settings, char *list)
{
	for (char *item = strtok(list, ","); item; item = strtok(NULL, ",")) {
		const size_t len = strcspn(item, "=");

		if (item[len] != '=')
			bad_usage("give OPERATION=WEIGHT", item);
		settings->weights[operation(item, len)] =
			(unsigned)number("weights", item + len + 1, 0, 1000000, false);
	}
}

static void clear_weights(struct settings *settings, unsigned kept)
{
	for (unsigned kind = 0; kind < OP_KINDS; kind++)
		if (!(kept & 1u << kind))
			settings->weights[kind] = 0;
}

/* ---------------------------------------------------------------------- the options */

enum {
	OPT_SEED = 1000,
	OPT_OPS,
	OPT_SECONDS,
	OPT_SIZE,
	OPT_LENGTH,
	OPT_ALIGN,
	OPT_BLOCK,
	OPT_PROCESSES,
	OPT_MAPPINGS,
	OPT_TOGETHER,
	OPT_ONLY,
	OPT_WITHOUT,
	OPT_WEIGHTS,
	OPT_REQUIRE,
	OPT_RECORD,
	OPT_REPLAY,
	OPT_TRIES,
	OPT_SHRINK,
	OPT_HANG,
	OPT_BEHIND,
	OPT_QUIET,
};

static const struct option options[] = {
	{"seed", required_argument, NULL, OPT_SEED},
	{"ops", required_argument, NULL, OPT_OPS},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"size", required_argument, NULL, OPT_SIZE},
	{"length", required_argument, NULL, OPT_LENGTH},
	{"align", required_argument, NULL, OPT_ALIGN},
	{"block", required_argument, NULL, OPT_BLOCK},
	{"processes", required_argument, NULL, OPT_PROCESSES},
	{"mappings", required_argument, NULL, OPT_MAPPINGS},
	{"together", required_argument, NULL, OPT_TOGETHER},
	{"only", required_argument, NULL, OPT_ONLY},
	{"without", required_argument, NULL, OPT_WITHOUT},
	{"weights", required_argument, NULL, OPT_WEIGHTS},
	{"require", required_argument, NULL, OPT_REQUIRE},
	{"record", required_argument, NULL, OPT_RECORD},
	{"replay", required_argument, NULL, OPT_REPLAY},
	{"tries", required_argument, NULL, OPT_TRIES},
	{"shrink", required_argument, NULL, OPT_SHRINK},
	{"hang", required_argument, NULL, OPT_HANG},
	{"behind", required_argument, NULL, OPT_BEHIND},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static void set_limit(struct settings *s, int option)
{
	switch (option) {
	case OPT_SIZE:
		s->limits.size = number("size", optarg, 1, TRACE_SIZE_MAX, true);
		break;
	case OPT_LENGTH:
		s->limits.len = number("length", optarg, 1, TRACE_SIZE_MAX, true);
		break;
	case OPT_ALIGN:
		s->limits.align = number("align", optarg, 1, TRACE_SIZE_MAX, true);
		break;
	case OPT_BLOCK:
		s->limits.block = number("block", optarg, 1, TRACE_SIZE_MAX, true);
		break;
	case OPT_PROCESSES:
		s->limits.processes = (uint32_t)number("processes", optarg, 1,
						       TRACE_PROCESSES_MAX, false);
		break;
	case OPT_MAPPINGS:
		s->limits.mappings = (uint32_t)number("mappings", optarg, 1,
						      TRACE_MAPPINGS_MAX, false);
		break;
	}
}

static void set_number(struct settings *s, int option)
{
	switch (option) {
	case OPT_SEED:
		s->seed = number("seed", optarg, 0, UINT64_MAX, false);
		break;
	case OPT_OPS:
		s->ops = number("ops", optarg, 1, TRACE_OPS_MAX, false);
		break;
	case OPT_SECONDS:
		s->seconds = (unsigned)number("seconds", optarg, 1, 10000000, false);
		break;
	case OPT_TOGETHER:
		s->together_percent =
			(unsigned)number("together", optarg, 0, 100, false);
		break;
	case OPT_TRIES:
		s->tries = (unsigned)number("tries", optarg, 1, 1000000, false);
		break;
	case OPT_SHRINK:
		s->shrink_s = (unsigned)number("shrink", optarg, 0, 1000000, false);
		break;
	case OPT_HANG:
		s->hang_s = (unsigned)number("hang", optarg, 1, 1000000, false);
		break;
	default:
		set_limit(s, option);
	}
}

static void set_option(struct settings *s, int option)
{
	switch (option) {
	case OPT_ONLY:
		clear_weights(s, operation_list(optarg));
		break;
	case OPT_WITHOUT:
		clear_weights(s, ~operation_list(optarg));
		break;
	case OPT_WEIGHTS:
		set_weights(s, optarg);
		break;
	case OPT_REQUIRE:
		s->required |=
			strcmp(optarg, "all") == 0 ? ~0u : operation_list(optarg);
		break;
	case OPT_RECORD:
		s->record = optarg;
		break;
	case OPT_REPLAY:
		s->replay = optarg;
		break;
	case OPT_BEHIND:
		s->behind = optarg;
		break;
	case OPT_QUIET:
		s->quiet = true;
		break;
	case 'h':
		print_usage();
		exit(STATUS_SAME);
	case 'V':
		printf("foldx %s\n", FOLDFS_VERSION);
		exit(STATUS_SAME);
	case '?': /* getopt_long() has said why */
		fputs("Try 'foldx --help'.\n", stderr);
		exit(STATUS_USAGE);
	default:
		set_number(s, option);
	}
}

/* What cannot be known before all options are. */
static void complete(struct settings *s)
{
	unsigned has_weight = 0;

	for (unsigned kind = 0; kind < OP_KINDS; kind++)
		has_weight |= s->weights[kind] > 0 ? 1u << kind : 0;
	if (has_weight == 0)
		bad_usage("no operation has a weight", "--only, --without, --weights");
	if (s->required == ~0u)
		s->required = has_weight;
	if (s->limits.len > s->limits.size)
		s->limits.len = s->limits.size;
	if (s->limits.align > s->limits.size || s->limits.block > s->limits.size)
		bad_usage("larger than --size", "--align, --block");
	if (s->ops == 0)
		s->ops = s->seconds > 0 ? TRACE_OPS_MAX : OPS_DEFAULT;
}

void settings_parse(int argc, char **argv, struct settings *ret_settings)
{
	struct settings s = {
		.seed = ((uint64_t)time(NULL) ^ (uint64_t)getpid() << 16) & UINT32_MAX,
		.shrink_s = 60,
		.hang_s = 60,
		.together_percent = 50,
		.limits = {.size = 256 << 10,
			   .len = 64 << 10,
			   .align = FOLDX_PAGE,
			   .block = 1,
			   .processes = 3,
			   .mappings = 2},
	};
	int option;

	for (unsigned kind = 0; kind < OP_KINDS; kind++)
		s.weights[kind] = operation_weight((enum op_kind)kind);
	while ((option = getopt_long(argc, argv, "hV", options, NULL)) != -1)
		set_option(&s, option);
	if (argc - optind != 1)
		bad_usage(argc == optind ? "where? Name a directory"
					 : "too many arguments",
			  argc == optind ? "DIRECTORY" : argv[optind + 1]);
	s.directory = argv[optind];
	complete(&s);
	*ret_settings = s;
}
