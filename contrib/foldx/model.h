/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_MODEL_H
#define FOLDX_MODEL_H

/*
 * What the file should be: an array of bytes, a size, a name.
 */

#include "operation.h"

/** What operations keep to. */
struct limits {
	uint64_t size;	    /* the largest that the file becomes, bytes */
	uint64_t len;	    /* the longest range, bytes */
	uint64_t align;	    /* of what collapse, insert and move take */
	uint64_t block;	    /* of what all others take */
	uint32_t processes; /* 1 or more */
	uint32_t mappings;  /* in each process; the even ones are shared and writable,
			       the odd ones private and only read */
};

struct model {
	uint8_t *bytes; /* limits.size of them; those past the size are zero */
	uint64_t size;
	unsigned name; /* 0 or 1: by which of its two names it goes */
	bool unlinked;
};

/** @return 0 or -ENOMEM */
int model_init(struct model *model, const struct limits *limits);
void model_fini(struct model *model);
/** An empty file with a name. */
void model_reset(struct model *model);
/** @param to  of the same limits */
void model_copy(struct model *to, const struct model *from);

/**
 * Make an operation one that can be done: it is cut to what there is.
 * @return false if nothing of it is left, or it makes no sense now: a collapse up to
 *         the end of the file, a rename without a name
 */
bool model_prepare(const struct model *model, const struct limits *limits,
		   struct operation *op);

/**
 * Do it.
 * @param op    as model_prepare() left it
 * @param done  of a write or copy, how many bytes have been written; else ignored
 */
void model_apply(struct model *model, const struct operation *op, uint64_t done);

/** How many of op's bytes read(2) should find. */
uint64_t model_readable(const struct model *model, const struct operation *op);
/** How many a mapping should show before SIGBUS: to the end of the last page. */
uint64_t model_mapped(const struct model *model, const struct operation *op);

#endif
