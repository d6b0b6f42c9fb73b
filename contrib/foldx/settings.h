/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_SETTINGS_H
#define FOLDX_SETTINGS_H

#include "generate.h"

/** Exit statuses. */
enum {
	STATUS_SAME = 0,      /* the file was always as it should be */
	STATUS_DIFFERENT = 1, /* once it was not, or something failed that may not */
	STATUS_USAGE = 2,     /* not understood, or could not be run */
	STATUS_MISSING = 3,   /* what --require asks for is missing */
	STATUS_HUNG = 4,      /* something never came back */
};

struct settings {
	const char *directory;
	const char *behind; /* NULL: none */
	const char *record;
	const char *replay;
	uint64_t seed;
	uint64_t ops;
	unsigned seconds;
	unsigned tries;
	unsigned shrink_s; /* 0: as it is */
	unsigned hang_s;
	unsigned required; /* bits 1 << enum op_kind */
	unsigned weights[OP_KINDS];
	unsigned together_percent;
	bool quiet;
	struct limits limits;
};

/**
 * Read the command line. Ends the process after --help and --version, and if it makes
 * no sense.
 */
void settings_parse(int argc, char **argv, struct settings *ret_settings);

#endif
