/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_OPERATION_H
#define FOLDX_OPERATION_H

/*
 * One operation on the file, with everything that it needs: what it does never depends
 * on anything random, so a list of them is a trace that can be run again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FOLDX_PAGE 4096u

/* Which arguments an operation has, beside the process that does it. */
#define ARG_MAPPING	1u
#define ARG_OFFSET	2u
#define ARG_LENGTH	4u
#define ARG_DESTINATION 8u
#define ARG_SEED	16u

#define ARGS_RANGE  (ARG_OFFSET | ARG_LENGTH)
#define ARGS_MAPPED (ARG_MAPPING | ARGS_RANGE)

/* Name in traces and on the command line; arguments; weight, unless told otherwise. The
 * seed of a write is that of its bytes, elsewhere it chooses a variant. */
#define FOLDX_OPERATIONS(X)                                                            \
	X(READ, "read", ARGS_RANGE, 100)                                               \
	X(WRITE, "write", ARGS_RANGE | ARG_SEED, 100)                                  \
	X(MAPREAD, "mapread", ARGS_MAPPED, 100)                                        \
	X(MAPWRITE, "mapwrite", ARGS_MAPPED | ARG_SEED, 100)                           \
	X(TRUNCATE, "truncate", ARG_LENGTH, 40)                                        \
	X(PUNCH, "punch", ARGS_RANGE, 40)                                              \
	X(ZERO, "zero", ARGS_RANGE, 40)                                                \
	X(COLLAPSE, "collapse", ARGS_RANGE, 60)                                        \
	X(INSERT, "insert", ARGS_RANGE, 60)                                            \
	X(MOVE, "move", ARGS_RANGE | ARG_DESTINATION, 60)                              \
	X(COPY, "copy", ARGS_RANGE | ARG_DESTINATION, 40)                              \
	X(ALLOCATE, "allocate", ARGS_RANGE | ARG_SEED, 20)                             \
	X(FPUNCH, "fpunch", ARGS_RANGE, 20)                                            \
	X(FZERO, "fzero", ARGS_RANGE | ARG_SEED, 20)                                   \
	X(MSYNC, "msync", ARGS_MAPPED | ARG_SEED, 20)                                  \
	X(FSYNC, "fsync", ARG_SEED, 10)                                                \
	X(MADVISE, "madvise", ARGS_MAPPED | ARG_SEED, 20)                              \
	X(FADVISE, "fadvise", ARGS_RANGE | ARG_SEED, 20)                               \
	X(REOPEN, "reopen", 0, 10)                                                     \
	X(RENAME, "rename", ARG_SEED, 10)                                              \
	X(UNLINK, "unlink", 0, 2)                                                      \
	X(RECREATE, "recreate", 0, 20)                                                 \
	X(CHECK, "check", 0, 10)

enum op_kind {
#define FOLDX_KIND(kind, name, args, weight) OP_##kind,
	FOLDX_OPERATIONS(FOLDX_KIND)
#undef FOLDX_KIND
		OP_KINDS,
};

struct operation {
	enum op_kind kind;
	/* Done while the next operation that is not runs, in another process: then an
	 * access touches one word of each page of its range, and goes on as long. */
	bool together;
	uint32_t process;
	uint32_t mapping;
	uint64_t offset;      /* bytes; the source of a copy or move */
	uint64_t len;	      /* bytes; the new size for a truncate */
	uint64_t destination; /* bytes */
	uint32_t seed;
};

/** Its name, "collapse". */
const char *operation_name(enum op_kind kind);
/** OP_KINDS if there is none of that name. */
enum op_kind operation_by_name(const char *name, size_t len);
unsigned operation_arguments(enum op_kind kind);
unsigned operation_weight(enum op_kind kind);

/** Whether it can go together with another one: an access that knows both the state
 *  before and the state after. */
bool operation_is_access(enum op_kind kind);
/** Whether it changes where bytes are, in one step: accesses may run beside it. */
bool operation_is_one_step(enum op_kind kind);

/** Room for operation_print(). */
#define OPERATION_TEXT_MAX 192

/** As a line of a trace, without its end. */
void operation_print(const struct operation *op, char text[OPERATION_TEXT_MAX]);

/**
 * The reverse.
 * @param line        terminated, without its newline
 * @param ret_problem untouched on success; else what is wrong with the line, static
 * @return 0 or -EINVAL, *ret_op untouched then
 */
int operation_parse(const char *line, struct operation *ret_op,
		    const char **ret_problem);

/**
 * Where a byte is afterwards.
 * @param op  an operation that is_one_step, or NULL: none
 * @param at  where it was, below the end of the file
 * @return false if it is gone
 */
bool operation_moves(const struct operation *op, uint64_t at, uint64_t *ret_to);

#endif
