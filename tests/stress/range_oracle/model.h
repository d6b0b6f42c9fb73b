/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_MODEL_H
#define RANGE_ORACLE_MODEL_H

/*
 * The flat model: which page is where, after each operation.
 *
 * One thread operates, so the operations are a sequence; state n is the array of
 * identities after operation n. Two counters tell everybody where in it we are:
 * `finished` (operation n has returned) and `started` (operation n may have begun). An
 * access that reads `finished` before and `started` after knows the states that it may
 * have seen: all between the two, and nothing else. While no operation runs that is
 * exactly one.
 *
 * The latest MODEL_STATES states are kept, in memory that all processes share.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODEL_STATES 256

/** Stands for an index at or after the end of the file. */
#define NO_PAGE UINT32_MAX

enum op_kind {
	OP_CREATE,
	OP_STAMP, /* give every page of zeros an identity */
	OP_COLLAPSE,
	OP_INSERT,
	OP_MOVE,
	OP_PUNCH,
	OP_ZERO,
	OP_KINDS,
};

/** In pages. */
struct op {
	enum op_kind kind;
	uint32_t at;
	uint32_t len;
	uint32_t to; /* the destination of a move */
};

struct model;

/** The states that an access may have seen. */
struct interval {
	uint64_t first;
	uint64_t last;
};

extern const char *const op_name[OP_KINDS];

/**
 * A model whose state 0 has npages pages of zeros. In shared memory, for good.
 * @param max_pages  the most that the file will ever have
 * @return NULL if there is no memory
 */
struct model *model_create(uint32_t npages, uint32_t max_pages);

/* ------------------------------------------------- the shifting thread's side */

/**
 * Work out the next state and announce that its operation may begin.
 * @param next_identity  stamping takes identities from here and moves it on
 */
void model_start(struct model *model, struct op op, uint32_t *next_identity);
/** The operation has returned. */
void model_finish(struct model *model);

/* --------------------------------------------------------------- everybody's */

/** To be called before an access ... */
uint64_t model_before(const struct model *model);
/** ... and after it, with what the former returned. */
struct interval model_after(const struct model *model, uint64_t before);

/** Which page was at this index in a state; 0: zeros; NO_PAGE: past the end. */
uint32_t model_identity(const struct model *model, uint64_t state, uint32_t index);
uint32_t model_npages(const struct model *model, uint64_t state);
/** The operation that led to a state. */
struct op model_op(const struct model *model, uint64_t state);

/**
 * Whether the states of an interval may have been overwritten by newer ones. To be
 * asked *after* looking at them: then the answer "no" covers the look.
 */
bool model_expired(const struct model *model, struct interval interval);

/** Where a page is in a state; NO_PAGE: nowhere. Slow. */
uint32_t model_find(const struct model *model, uint64_t state, uint32_t identity);

#endif
