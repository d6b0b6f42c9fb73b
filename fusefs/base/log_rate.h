/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_LOG_RATE_H
#define FUSEFS_LOG_RATE_H

/*
 * How many lines a log gets: of each kind LOG_RATE_BURST in LOG_RATE_MS. Whoever uses the
 * mount can bring about as many failures as he likes, and must not fill a disk with them,
 * nor drive out of a journal what others should see.
 */

#include <stdbool.h>
#include <stdint.h>

#define LOG_RATE_BURST 10u
#define LOG_RATE_MS    10000u

/**
 * Whether a line may be written; counts it if not.
 * @param kind    a string that lives for ever; its address tells kinds apart
 * @param now_ms  by a clock that never goes back
 * Takes a lock of its own, a leaf.
 */
bool log_rate_admits(const char *kind, int level, uint64_t now_ms);

/**
 * A kind whose interval is over and of which lines were held back: forgets them.
 * @param now_ms  UINT64_MAX: whether it is over or not
 * @return how many lines; 0: there is no such kind, nothing set
 */
unsigned log_rate_take_held(uint64_t now_ms, const char **ret_kind, int *ret_level);

#endif
