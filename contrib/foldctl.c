/* SPDX-License-Identifier: MIT */

/*
 * foldctl: range operations and counters from the command line.
 *
 * A thin shell around <foldfs.h>: what it does is one function call; what it adds is
 * sizes with suffixes on the way in and words on the way out (foldctl_explain.c).
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <foldfs.h>

#include "config.h"
#include "foldctl.h"

static const char usage_text[] =
	"Usage: foldctl [-v] collapse|insert|punch|zero FILE OFFSET LENGTH\n"
	"       foldctl [-v] move FILE SOURCE LENGTH DESTINATION\n"
	"       foldctl stats PATH [--json]\n"
	"       foldctl fault PATH [NAME]\n"
	"\n"
	"  collapse  remove LENGTH bytes at OFFSET; what follows moves down\n"
	"  insert    open a gap of LENGTH zero bytes at OFFSET; what follows moves up\n"
	"  punch     make the range a hole; the size stays\n"
	"  zero      make the range read as zeros, its blocks allocated; the size stays\n"
	"  move      move LENGTH bytes from SOURCE to DESTINATION, replacing what is\n"
	"            there and leaving a hole; the size stays (foldfs only)\n"
	"  stats     counters of a file or, for the mount point, of the whole mount\n"
	"  fault     make the store or the kernel fail as NAME says (test builds only)\n"
	"\n"
	"OFFSET, LENGTH, SOURCE and DESTINATION are bytes, or with K, M, G or T after the\n"
	"number units of 1024 and its powers. They must be multiples of 4096, except for\n"
	"punch and zero. A file that is not on foldfs is handed to its own file system.\n"
	"\n"
	"  -v, --verbose  say what was done, and by whom\n"
	"      --json     print the counters as the daemon gives them\n"
	"  -h, --help     print this and leave\n"
	"  -V, --version  print the version and leave\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 not understood. Manual page: foldctl(1).\n";

static int bad_usage(const char *problem, const char *what)
{
	fprintf(stderr, "foldctl: %s%s%s\nTry 'foldctl --help'.\n", problem,
		what ? ": " : "", what ? what : "");
	return EXIT_USAGE;
}

/*
 * A size: decimal digits, then nothing or one of K, M, G, T in either case.
 * Returns 0, or -EINVAL, or -ERANGE if it does not fit a file offset.
 */
static int parse_size(const char *text, off_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	unsigned shift = 0;
	uintmax_t number;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtoumax(text, &end, 10);
	if (errno != 0)
		return -errno;
	if (*end != '\0') {
		const char upper = (char)(*end & ~0x20);
		const char *suffix = strchr(suffixes, upper);

		if (upper == '\0' || !suffix || end[1] != '\0')
			return -EINVAL;
		shift = 10 * (unsigned)(suffix - suffixes + 1);
	}
	if (number > (uintmax_t)INT64_MAX >> shift)
		return -ERANGE;
	*ret_bytes = (off_t)(number << shift);
	return 0;
}

/* Like parse_size(), but says what is wrong. Returns EXIT_DONE or EXIT_USAGE. */
static int size_argument(const char *name, const char *text, off_t *ret_bytes)
{
	int status = parse_size(text, ret_bytes);

	if (status == 0)
		return EXIT_DONE;
	fprintf(stderr,
		status == -ERANGE
			? "foldctl: %s %s is larger than any file (8E)\n"
			: "foldctl: %s '%s' is not a size: write a number, or a number "
			  "followed by K, M, G or T\n",
		name, text);
	return EXIT_USAGE;
}

static int perform(const struct range_request *request, int fd)
{
	switch (request->op) {
	case OP_COLLAPSE:
		return foldfs_collapse_range(fd, request->offset, request->len);
	case OP_INSERT:
		return foldfs_insert_range(fd, request->offset, request->len);
	case OP_PUNCH:
		return foldfs_punch_hole(fd, request->offset, request->len);
	case OP_ZERO:
		return foldfs_zero_range(fd, request->offset, request->len);
	case OP_MOVE:
		return foldfs_move_range(fd, request->offset, request->len,
					 request->destination);
	}
	errno = EINVAL;
	return -1;
}

/* What was done, and by whom: a user who thinks of foldfs should learn that it was not
 * asked. */
static void report(const struct range_request *request, int fd, off_t size_before)
{
	int on_foldfs = foldfs_is_mount(fd);
	struct stat st;

	printf("%s: %s of %jd bytes at %jd", request->path, request->verb,
	       (intmax_t)request->len, (intmax_t)request->offset);
	if (request->op == OP_MOVE)
		printf(" to %jd", (intmax_t)request->destination);
	if (fstat(fd, &st) == 0)
		printf(", size %jd before and %jd after", (intmax_t)size_before,
		       (intmax_t)st.st_size);
	if (on_foldfs > 0)
		printf(", by foldfs (protocol %d)\n", on_foldfs);
	else if (on_foldfs == 0)
		printf(", by the file's own file system: it is not on foldfs\n");
	else
		printf(" (whether by foldfs is unknown: the file is not readable)\n");
}

static int run_range_request(const struct range_request *request, bool verbose)
{
	struct stat st;
	int status = EXIT_FAILED;
	/* O_NONBLOCK: a FIFO without a reader is an error to report, not to wait for.
	 */
	int fd = open(request->path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0) {
		explain_failure(request, -1, errno);
		goto out;
	}
	if (perform(request, fd) < 0) {
		explain_failure(request, fd, errno);
		goto out;
	}
	status = EXIT_DONE;
	if (verbose)
		report(request, fd, st.st_size);
out:
	if (fd >= 0 && close(fd) < 0 && status == EXIT_DONE) {
		explain_failure(request, -1, errno);
		status = EXIT_FAILED;
	}
	return status;
}

/* argv: the verb and what follows it. */
static int range_command(enum range_op op, int argc, char **argv, bool verbose)
{
	const bool is_move = op == OP_MOVE;
	struct range_request request = {.op = op, .verb = argv[0]};

	if (argc != (is_move ? 5 : 4)) {
		fprintf(stderr, "foldctl: %s takes FILE %s\nTry 'foldctl --help'.\n",
			argv[0],
			is_move ? "SOURCE LENGTH DESTINATION" : "OFFSET LENGTH");
		return EXIT_USAGE;
	}
	request.path = argv[1];
	if (size_argument(is_move ? "SOURCE" : "OFFSET", argv[2], &request.offset) ||
	    size_argument("LENGTH", argv[3], &request.len))
		return EXIT_USAGE;
	if (is_move && size_argument("DESTINATION", argv[4], &request.destination))
		return EXIT_USAGE;
	return run_range_request(&request, verbose);
}

static int run_command(int argc, char **argv, bool verbose, bool json)
{
	static const char *const verbs[] = {
		[OP_COLLAPSE] = "collapse", [OP_INSERT] = "insert",
		[OP_PUNCH] = "punch",	    [OP_ZERO] = "zero",
		[OP_MOVE] = "move",
	};

	if (strcmp(argv[0], "stats") == 0) {
		if (argc != 2)
			return bad_usage("stats takes one PATH", NULL);
		return print_stats(argv[1], json);
	}
	if (strcmp(argv[0], "fault") == 0 && !json) {
		if (argc != 2 && argc != 3)
			return bad_usage("fault takes a PATH and perhaps a NAME", NULL);
		return argc == 3 ? arm_fault(argv[1], argv[2]) : print_fault(argv[1]);
	}
	if (json)
		return bad_usage("--json goes with stats only", NULL);
	for (int op = OP_COLLAPSE; op <= OP_MOVE; op++)
		if (strcmp(argv[0], verbs[op]) == 0)
			return range_command((enum range_op)op, argc, argv, verbose);
	return bad_usage("no such command", argv[0]);
}

/* What the options before and between the arguments ask for. */
struct wishes {
	bool verbose;
	bool json;
	bool help;
	bool version;
};

/* Returns EXIT_DONE or EXIT_USAGE; optind is then at the first argument. */
static int parse_options(int argc, char **argv, struct wishes *ret_wishes)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"verbose", no_argument, NULL, 'v'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	struct wishes wishes = {0};
	int option;

	while ((option = getopt_long(argc, argv, "hvV", options, NULL)) != -1) {
		wishes.help |= option == 'h';
		wishes.version |= option == 'V';
		wishes.verbose |= option == 'v';
		wishes.json |= option == 'j';
		if (option == '?') { /* getopt_long has said what it is about */
			fputs("Try 'foldctl --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	*ret_wishes = wishes;
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct wishes wishes;
	int status = parse_options(argc, argv, &wishes);

	if (status != EXIT_DONE)
		return status;
	if (wishes.help)
		fputs(usage_text, stdout);
	else if (wishes.version)
		printf("foldctl %s, protocol %d\n", FOLDFS_VERSION,
		       FOLDFS_PROTOCOL_VERSION);
	else if (optind == argc)
		status = bad_usage("no command", NULL);
	else
		status = run_command(argc - optind, argv + optind, wishes.verbose,
				     wishes.json);

	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "foldctl: cannot write to standard output: %s\n",
			strerror(errno));
		status = EXIT_FAILED;
	}
	return status;
}
