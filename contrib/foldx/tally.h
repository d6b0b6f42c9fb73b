/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_TALLY_H
#define FOLDX_TALLY_H

/*
 * How many of each operation were really done, and what became of the others. Nothing
 * is ever left out in silence.
 */

#include <stdio.h>

#include "operation.h"

#define TALLY_ERRORS 4u

struct tally_row {
	uint64_t done;
	uint64_t emulated; /* of those, in several steps: there is no such call here */
	uint64_t moot;	   /* made no sense when its turn came */
	struct {
		int err; /* 0: this and all behind it are unused */
		uint64_t times;
	} refused[TALLY_ERRORS];
};

struct tally {
	struct tally_row rows[OP_KINDS];
	uint64_t together;	/* operations that others ran beside */
	uint64_t loads, stores; /* of those others */
	uint64_t landed_before,
		landed_after; /* of stores, where it makes a difference */
};

/** Note that the file system refused: once more with this error. */
void tally_refused(struct tally *tally, enum op_kind kind, int err);

/** All that was asked for, refused or not. */
uint64_t tally_asked(const struct tally *tally);

/** The table, and what is missing here. */
void tally_print(FILE *to, const struct tally *tally);

/**
 * Whether everything required was done, as the file system's own operation.
 * @param required  bits 1 << enum op_kind
 * @param complain  gets a line for each that was not
 */
bool tally_has(const struct tally *tally, unsigned required, FILE *complain);

#endif
