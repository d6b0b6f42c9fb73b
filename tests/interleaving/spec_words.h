/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTERLEAVING_SPEC_WORDS_H
#define TESTS_INTERLEAVING_SPEC_WORDS_H

/*
 * What the words of a specification mean by themselves: numbers, places, steps.
 */

#include "spec.h"

/** @return 0 or -EINVAL: not a number of at most max */
int spec_number(const char *word, unsigned max, unsigned *ret);

/** "5" or "5.3"; without a cell *ret_cell stays. @return 0 or -EINVAL */
int spec_place(const char *word, unsigned *ret_page, unsigned *ret_cell);

/**
 * A step, all but its text and value.
 * @param words       its name, then its arguments
 * @param ret_stores  whether it leaves a value
 * @param ret_why     what is wrong, if something is
 * @return 0 or -EINVAL
 */
int spec_step(char **words, unsigned nwords, struct step *ret_step, bool *ret_stores,
	      const char **ret_why);

#endif
