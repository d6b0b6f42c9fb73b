/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_TRACE_H
#define FOLDX_TRACE_H

/*
 * A list of operations, in memory and as a plain text file:
 *
 *	foldx-trace 1 size=262144 align=4096 processes=3 mappings=2
 *	# a comment
 *	write process=1 offset=0 length=300 seed=17
 *
 * The first line has what the operations need of the limits.
 */

#include <stdio.h>

#include "model.h"

struct trace {
	struct limits limits;
	struct operation *ops;
	size_t nops;
	size_t capacity;
};

/** Largest that `size=` may ask for, bytes. */
#define TRACE_SIZE_MAX	    ((uint64_t)1 << 32)
#define TRACE_PROCESSES_MAX 16u
#define TRACE_MAPPINGS_MAX  8u
/** Operations in one trace. */
#define TRACE_OPS_MAX	    100000000u

void trace_fini(struct trace *trace);
/** @return 0 or -ENOMEM */
int trace_append(struct trace *trace, const struct operation *op);
/** A copy of ops [0, nops). @return 0 or -ENOMEM, nothing to free then */
int trace_copy(struct trace *to, const struct trace *from, size_t nops);
/** Take ops [at, at + n) out. */
void trace_remove(struct trace *trace, size_t at, size_t n);

/** The first line. */
void trace_print_head(FILE *to, const struct limits *limits);
void trace_print(FILE *to, const struct trace *trace);

/** What is wrong with a file. */
struct trace_problem {
	unsigned line; /* from 1 on */
	const char *what;
};

/**
 * Read a trace.
 * @param ret_trace    to be freed with trace_fini(); untouched on failure
 * @param ret_problem  where and what, on -EINVAL
 * @return 0, -EINVAL, -ENOMEM, or the errno of reading
 */
int trace_read(FILE *from, struct trace *ret_trace, struct trace_problem *ret_problem);

#endif
