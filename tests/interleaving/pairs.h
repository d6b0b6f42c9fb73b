/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTERLEAVING_PAIRS_H
#define TESTS_INTERLEAVING_PAIRS_H

/*
 * Specifications of pairs, made from what each kind does (the file `kinds`): its common
 * part, then a session for each of the two. And the table of all pairs (the file
 * `table`), which says of each how it is tested, or why it cannot happen.
 */

#include <stdbool.h>
#include <stddef.h>

/* Everything that may meet; the file `kinds` has a section for each. */
#define PAIR_KINDS(X)                                                                  \
	X(fill)                                                                        \
	X(writeback)                                                                   \
	X(launder)                                                                     \
	X(reclaim)                                                                     \
	X(read)                                                                        \
	X(write)                                                                       \
	X(truncate)                                                                    \
	X(punch)                                                                       \
	X(collapse)                                                                    \
	X(insert)                                                                      \
	X(move)                                                                        \
	X(adoption)                                                                    \
	X(forget)                                                                      \
	X(unmount)

enum pair_kind {
#define PAIR_KIND_ENUM(name) PAIR_##name,
	PAIR_KINDS(PAIR_KIND_ENUM)
#undef PAIR_KIND_ENUM
		PAIR_KIND_COUNT,
};

/** A row of the table. */
struct pair {
	enum pair_kind a, b;
	bool is_generated;
	bool cannot_happen; /* with a reason */
	char text[160];	    /* specifications, or the reason */
};

#define PAIR_COUNT ((size_t)PAIR_KIND_COUNT * (PAIR_KIND_COUNT + 1) / 2)

/**
 * The specification of two kinds running at the same time.
 * @param ret_text  it
 * @param ret_why   what is wrong, if something is
 * @return 0, or -EINVAL, -ENOENT, -ENOSPC
 */
int pair_spec(const char *kinds_path, const char *a, const char *b, char *ret_text,
	      size_t size, char ret_why[128]);

/** The name of a kind, as in both files. */
const char *pair_kind_name(enum pair_kind kind);

/**
 * Read the table, each line "KIND KIND" and then one of
 *
 *   generated [SPEC]...
 *   spec SPEC...
 *   never REASON
 *
 * and check that every pair is there once, with specifications that exist, or a reason.
 * @param ret_why  what is wrong, if something is
 * @return 0 or -EINVAL
 */
int pair_table(const char *path, struct pair ret_pairs[PAIR_COUNT], char ret_why[128]);

#endif
