/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_TOUCH_H
#define RANGE_ORACLE_TOUCH_H

/*
 * One load or store through a mapping, which may end in SIGBUS.
 */

#include <stdbool.h>
#include <stdint.h>

/** Once in each process, before any of the others. */
void touch_catch_sigbus(void);

/* Each returns false if the access raised SIGBUS; outputs are then untouched. */
bool touch_load(const uint64_t *word, uint64_t *ret_value);
bool touch_store(uint64_t *word, uint64_t value);
/** fetch_add(1). */
bool touch_add(uint64_t *word, uint64_t *ret_old);
/** Compare and swap. *ret_found: what was there; equal to expected if it was done. */
bool touch_swap(uint64_t *word, uint64_t expected, uint64_t desired,
		uint64_t *ret_found);

#endif
