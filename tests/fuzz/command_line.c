/* SPDX-License-Identifier: MIT */
/*
 * Fuzzing the command line. Input: the arguments, one a line.
 *
 * A command line that is taken has numbers in the ranges that the manual promises.
 */

#include <getopt.h>
#include <math.h>

#include "cachelayer/cache.h"
#include "fuzz.h"
#include "options.h"

#define ARGUMENTS_MAX 32

/* What is said to users is not looked at, and there is a lot of it. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	stdout = fopen("/dev/null", "w");
	stderr = fopen("/dev/null", "w");
	return stdout && stderr ? 0 : 1;
}

static void check_taken(const struct options *options)
{
	/* A check does without them, the second one first. */
	fuzz_require(options->check || (options->source && options->mountpoint));
	fuzz_require(options->source || !options->mountpoint);
	fuzz_require(options->cache_size_bytes >= CL_CACHE_SIZE_MIN);
	fuzz_require(options->threads >= 1 && options->threads <= 256);
	fuzz_require(options->writeback_age_s >= 1 && options->writeback_age_s <= 3600);
	fuzz_require(options->watchdog_s >= 1 && options->watchdog_s <= 3600);
	fuzz_require(options->abort_stuck_s <= 86400);
	fuzz_require(isfinite(options->attr_timeout_s) && options->attr_timeout_s >= 0);
	fuzz_require(isfinite(options->entry_timeout_s) &&
		     options->entry_timeout_s >= 0);
	fuzz_require(!options->debug || options->foreground);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *arguments[ARGUMENTS_MAX + 2] = {
		fuzz_copy((const uint8_t *)"foldfs", 6, true)};
	char *argv[ARGUMENTS_MAX + 2];
	const uint8_t *end = data + size;
	struct options options;
	enum options_result result;
	int argc = 1;

	while (data < end && argc <= ARGUMENTS_MAX) {
		const uint8_t *newline =
			memchr(data, '\n', (size_t)(end - data)) ?: end;

		arguments[argc++] = fuzz_copy(data, (size_t)(newline - data), true);
		data = newline < end ? newline + 1 : end;
	}
	/* getopt_long() sorts what it is given. */
	memcpy(argv, arguments, sizeof(argv));
	optind = 0; /* it starts anew */
	result = options_parse(argc, argv, &options);
	if (result == OPTIONS_RUN)
		check_taken(&options);
	else
		fuzz_require(result == OPTIONS_DONE || result == OPTIONS_WRONG);
	options_fini(&options);
	for (int i = 0; i < argc; i++)
		free(arguments[i]);
	return 0;
}
