/* SPDX-License-Identifier: MIT */
/*
 * Runs the interleavings of specifications.
 *
 *   interleave [OPTION]... SPEC...
 *   interleave [OPTION]... --pair KIND KIND
 *   interleave [OPTION]... --table FILE
 *
 *   --table FILE       every pair that the table has generated, and that it has all
 *   --without KIND     of the table, leave out this kind's pairs
 *   --preemptions N    as many in one schedule, at most, instead of what the spec says
 *   --limit N          so many schedules of each, at most
 *   --dice N           N more by dice, with any number of preemptions
 *   --replay STOPS     this one alone, as a failure has printed it
 *   --with STATEMENT   put this in front of each specification
 *   --show             print the specification of a pair, and end
 *   --expect-failure WHAT   for negative twins: this must be found wrong
 *   --kinds FILE       what the kinds of pairs do
 *
 * Specifications that name permutations are run in those, others in all.
 *
 * A failure ends only the specification that it was found in: each is run by a child,
 * which may end with tasks in the middle of anything. A replay is not, for debuggers.
 *
 * Exit status: 0 all hold, 1 something was found wrong, 2 a specification makes no
 * sense.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pairs.h"
#include "world.h"

#define TEXT_MAX ((size_t)64 << 10)

/* Exit status of a child that has found what --expect-failure says. */
#define NOTICED 3

static struct {
	int preemptions; /* -1: as the spec says */
	unsigned long limit, dice;
	const char *replay, *kinds;
	const char *pair[2];
	const char *with[8];
	unsigned nwith;
	const char *table, *without;
	const char *expected_failure;
	bool shows;
} options = {.preemptions = -1, .limit = 1000000, .kinds = "kinds"};

static const char *program;
static const char *spec_name; /* what is being run, as arguments of ours */
static struct spec spec;
static struct schedule schedule;
static struct permutation replayed;

/* Of all specifications. */
static struct {
	unsigned count, failed;
	int status;	      /* the worst exit status */
	char names[TEXT_MAX]; /* of those that failed, a line each */
} total;

/* Of all schedules of a spec. */
static struct {
	unsigned long count;
	unsigned long held[SPEC_EXPECTATIONS]; /* how often each fact was true */
} seen;

__attribute__((noreturn)) static void die(const char *name, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", program, name, why);
	exit(2);
}

/* ---------------------------------------------------------------------- a failure */

/** What shows the same schedule again. */
static void print_command(void)
{
	const char *broken = getenv("FOLDFS_BREAK");
	char directory[4096];

	printf("Schedule %lu. To see it again:\n  cd %s && ", seen.count + 1,
	       getcwd(directory, sizeof(directory)) ? directory : ".");
	if (broken)
		printf("FOLDFS_BREAK=%s ", broken);
	printf("%s --kinds %s ", program, options.kinds);
	for (unsigned i = 0; i < options.nwith; i++)
		printf("--with '%s' ", options.with[i]);
	printf("--replay '");
	schedule_print(&schedule);
	printf("' %s\n", spec_name);
}

/* Other tasks may hold anything: nothing is put away. */
__attribute__((noreturn)) static void wrong(const char *what)
{
	const bool expected =
		options.expected_failure && strcmp(what, options.expected_failure) == 0;

	printf("%s: %s\n", spec_name, what);
	if (!expected) {
		world_print();
		print_command();
	}
	fflush(stdout);
	_exit(!expected ? 1 : options.replay ? 0 : NOTICED);
}

static bool holds(const struct expectation *e, const struct outcome *outcome)
{
	if (strcmp(e->fact, "rescued") == 0)
		return outcome->rescued > 0;
	if (strcmp(e->fact, "parked") == 0)
		return outcome->parked > 0;
	if (strcmp(e->fact, "short") == 0)
		return outcome->shorts > 0;
	if (strcmp(e->fact, "cut") == 0)
		return outcome->cut > 0;
	if (strcmp(e->fact, "flushed") == 0)
		return outcome->flushed > 0;
	if (strcmp(e->fact, "fenced") == 0)
		return outcome->fenced > 0;
	if (strcmp(e->fact, "fenced-again") == 0)
		return outcome->fenced_again;
	if (strcmp(e->fact, "made-way") == 0)
		return outcome->made_way > 0;
	if (e->fact[0])
		die(spec_name, e->text);
	return outcome->results[e->session][e->step] == e->result;
}

static void compare(const struct outcome *outcome)
{
	for (unsigned i = 0; i < spec.nexpectations; i++) {
		const struct expectation *e = &spec.expectations[i];
		const bool held = holds(e, outcome);

		seen.held[i] += held;
		if ((e->when == EXPECT_ALWAYS && !held) ||
		    (e->when == EXPECT_NEVER && held))
			wrong(e->text);
	}
}

/* ---------------------------------------------------------------------- schedules */

static void run_once(void)
{
	struct outcome outcome;

	world_run(&spec, &schedule, wrong, &outcome);
	if (!schedule_fits(&schedule))
		wrong("the permutation does not fit: a task never came to a point");
	compare(&outcome);
	seen.count++;
}

static void run_permutation(const struct permutation *permutation)
{
	schedule_init(&schedule, SCHEDULE_PERMUTATION);
	schedule.permutation = permutation;
	run_once();
}

static void run_all(void)
{
	schedule_init(&schedule, SCHEDULE_ALL);
	schedule.max_preemptions = options.preemptions >= 0
					   ? (unsigned)options.preemptions
					   : spec.preemptions;
	do
		run_once();
	while (seen.count < options.limit && schedule_next(&schedule));
	schedule_init(&schedule, SCHEDULE_DICE);
	for (unsigned long i = 0; i < options.dice; i++)
		run_once();
}

static void search(const char *name, const char *own_text)
{
	static char text[2 * TEXT_MAX];
	size_t len = 0;
	char why[128];

	for (unsigned i = 0; i < options.nwith; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n",
					options.with[i]);
	snprintf(text + len, sizeof(text) - len, "%s", own_text);

	spec_name = name;
	memset(&seen, 0, sizeof(seen));
	if (spec_parse(text, &spec, why) < 0)
		die(name, why);
	if (options.replay) {
		run_permutation(&replayed);
	} else if (spec.npermutations > 0) {
		for (unsigned i = 0; i < spec.npermutations; i++)
			run_permutation(&spec.permutations[i]);
	} else {
		run_all();
	}
	for (unsigned i = 0; i < spec.nexpectations && !options.replay; i++)
		if (spec.expectations[i].when == EXPECT_SOMETIMES &&
		    seen.held[i] == 0) {
			snprintf(why, sizeof(why), "in no schedule: %s",
				 spec.expectations[i].text);
			die(name, why);
		}
	printf("%s: %lu schedules\n", name, seen.count);
}

/* @return its exit status, 1 if it did not come so far */
static int wait_for(pid_t child, const char *name)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) < 0)
		die(name, strerror(errno));
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("%s: ended by signal %d, %s\n", name, WTERMSIG(status),
	       strsignal(WTERMSIG(status)));
	return 1;
}

static void run_spec(const char *name, const char *own_text)
{
	pid_t child;
	int status;

	if (options.replay) {
		search(name, own_text);
		return;
	}
	fflush(stdout);
	child = fork();
	if (child == 0) {
		search(name, own_text);
		exit(0);
	}
	status = wait_for(child, name);
	if (status == NOTICED)
		exit(0);
	total.count++;
	if (status == 0)
		return;
	total.failed++;
	if (status > total.status)
		total.status = status;
	snprintf(total.names + strlen(total.names),
		 sizeof(total.names) - strlen(total.names), "  %s\n", name);
}

static void run_file(const char *path)
{
	static char text[TEXT_MAX];
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		die(path, strerror(errno));
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	if (len == sizeof(text) - 1)
		die(path, "too long");
	text[len] = '\0';
	run_spec(path, text);
}

static void run_pair(const char *a, const char *b)
{
	static char text[TEXT_MAX];
	char name[64], why[128];

	if (pair_spec(options.kinds, a, b, text, sizeof(text), why) < 0)
		die(options.kinds, why);
	if (options.shows) {
		fputs(text, stdout);
		return;
	}
	snprintf(name, sizeof(name), "--pair %s %s", a, b);
	run_spec(name, text);
}

static bool is_left_out(enum pair_kind kind)
{
	return options.without && strcmp(options.without, pair_kind_name(kind)) == 0;
}

static void run_table(void)
{
	static struct pair pairs[PAIR_COUNT];
	char why[128];

	if (pair_table(options.table, pairs, why) < 0)
		die(options.table, why);
	for (size_t i = 0; i < PAIR_COUNT; i++)
		if (pairs[i].is_generated && !is_left_out(pairs[i].a) &&
		    !is_left_out(pairs[i].b))
			run_pair(pair_kind_name(pairs[i].a),
				 pair_kind_name(pairs[i].b));
}

/* ------------------------------------------------------------------------ options */

static unsigned long number(const char *word)
{
	char *end;
	const unsigned long value = strtoul(word, &end, 10);

	if (!*word || *end)
		die(word, "not a number");
	return value;
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
		{"preemptions", required_argument, NULL, 'p'},
		{"limit", required_argument, NULL, 'l'},
		{"dice", required_argument, NULL, 'd'},
		{"replay", required_argument, NULL, 'r'},
		{"kinds", required_argument, NULL, 'k'},
		{"pair", no_argument, NULL, 'P'},
		{"with", required_argument, NULL, 'w'},
		{"show", no_argument, NULL, 's'},
		{"table", required_argument, NULL, 't'},
		{"without", required_argument, NULL, 'o'},
		{"expect-failure", required_argument, NULL, 'f'},
		{0},
	};
	bool pair = false;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'p':
			options.preemptions = (int)number(optarg);
			break;
		case 'l':
			options.limit = number(optarg);
			break;
		case 'd':
			options.dice = number(optarg);
			break;
		case 'r':
			options.replay = optarg;
			if (permutation_parse(optarg, &replayed) < 0)
				die("--replay", "not a permutation");
			break;
		case 'k':
			options.kinds = optarg;
			break;
		case 'w':
			if (options.nwith == sizeof(options.with) / sizeof(char *))
				die("--with", "too many");
			options.with[options.nwith++] = optarg;
			break;
		case 'P':
			pair = true;
			break;
		case 's':
			options.shows = true;
			break;
		case 'f':
			options.expected_failure = optarg;
			break;
		case 'o':
			options.without = optarg;
			break;
		case 't':
			options.table = optarg;
			break;
		default:
			exit(2);
		}
	}
	if (pair) {
		if (argc - optind != 2)
			die("--pair", "two kinds");
		options.pair[0] = argv[optind];
		options.pair[1] = argv[optind + 1];
	} else if (optind == argc && !options.table) {
		die("SPEC", "none given");
	}
}

int main(int argc, char **argv)
{
	program = argv[0];
	parse_options(argc, argv);
	if (options.pair[0])
		run_pair(options.pair[0], options.pair[1]);
	if (options.table)
		run_table();
	for (int i = optind; i < argc && !options.pair[0]; i++)
		run_file(argv[i]);
	if (options.expected_failure) {
		printf("not noticed: %s\n", options.expected_failure);
		return 1;
	}
	if (total.count > 1)
		printf("%u specifications, %u failed\n%s", total.count, total.failed,
		       total.names);
	return total.status;
}
