/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_GEOMETRY_H
#define FUSEFS_SHIFT_GEOMETRY_H

/*
 * What collapse, insert and move have in common: a run of `count` bytes goes from one
 * place of the file to another.
 *
 *	collapse   [offset+len, EOF)    goes down by len, then the file is cut
 *	insert     [offset, EOF)        goes up by len, then the gap is punched
 *	move       [offset, offset+len) goes to destination, then the source is punched
 *
 * Byte i of the run (0 <= i < count) lives at low + i or at high + i. Low is where a
 * collapse and a move bring it, high is where an insert does; undoing one is doing the
 * other. Where the two places of the run overlap, a byte's new place is another byte's
 * old one.
 */

#include <stdbool.h>
#include <stdint.h>

#define SHIFT_ALIGNMENT 4096u /* of offset, len and destination, bytes */

enum shift_op {
	SHIFT_COLLAPSE = 1,
	SHIFT_INSERT = 2,
	SHIFT_MOVE = 3,
};

struct shift_geometry {
	enum shift_op op;
	uint64_t offset; /* bytes, like everything here */
	uint64_t len;
	uint64_t destination; /* move; 0 otherwise */
	uint64_t size;	      /* of the file, before */
};

/**
 * The rules of fallocate(2) on XFS, and those of move.
 * @return 0; -EINVAL: len is 0, something is not a multiple of SHIFT_ALIGNMENT, a
 *         collapse that reaches the end of file, an insert at or past it, a move whose
 *         ranges overlap or are not inside the file, an unknown op; -EFBIG: a range or
 *         the new size does not fit in 63 bits
 */
int shift_geometry_check(const struct shift_geometry *geometry);

static inline uint64_t shift_low(const struct shift_geometry *g)
{
	return g->op == SHIFT_MOVE ? g->destination : g->offset;
}

static inline uint64_t shift_high(const struct shift_geometry *g)
{
	return g->op == SHIFT_MOVE ? g->offset : g->offset + g->len;
}

/** Bytes that change place. */
static inline uint64_t shift_count(const struct shift_geometry *g)
{
	if (g->op == SHIFT_MOVE)
		return g->len;
	return g->size - (g->op == SHIFT_COLLAPSE ? shift_high(g) : g->offset);
}

/** How many bytes from the start of a window on can be copied from one place to the
 *  other before a copy overwrites what it still has to read. */
static inline uint64_t shift_distance(const struct shift_geometry *g)
{
	return g->len;
}

/** Bytes at shift_low() that an operation overwrites and that live nowhere else. */
static inline uint64_t shift_saved(const struct shift_geometry *g)
{
	const uint64_t count = shift_count(g);

	if (g->op == SHIFT_INSERT)
		return 0;
	return g->len < count ? g->len : count;
}

/** The size of the file afterwards. */
static inline uint64_t shift_new_size(const struct shift_geometry *g)
{
	if (g->op == SHIFT_COLLAPSE)
		return g->size - g->len;
	return g->op == SHIFT_INSERT ? g->size + g->len : g->size;
}

/** "collapse", "insert", "move". */
const char *shift_op_name(enum shift_op op);

#endif
