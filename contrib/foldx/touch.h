/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_TOUCH_H
#define FOLDX_TOUCH_H

/*
 * Loads and stores that may end in SIGBUS. One thread in each process does them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** To be called once in each process. @return 0 or a negative errno */
int touch_init(void);

/** memcpy(3). @return how much of it was done before SIGBUS: len if there was none,
 * else up to a page boundary of the mapping */
size_t touch_copy(void *to, const void *from, size_t len, const void *mapping);

/** One word. false: SIGBUS. */
bool touch_load(const void *at, uint64_t *ret_word);
bool touch_store(void *at, uint64_t word);

#endif
