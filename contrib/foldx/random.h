/* SPDX-License-Identifier: MIT */
#ifndef FOLDX_RANDOM_H
#define FOLDX_RANDOM_H

/*
 * Numbers that look random and depend on nothing but a seed: for choices, and for the
 * bytes that are written. SplitMix64 (Steele, Lea and Flood, 2014).
 */

#include <stddef.h>
#include <stdint.h>

static inline uint64_t random_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/** The next number of a sequence. */
static inline uint64_t random_next(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15ull;
	return random_mix(*state);
}

/** Less than bound, which is not 0. */
static inline uint64_t random_below(uint64_t *state, uint64_t bound)
{
	return random_next(state) % bound;
}

/** Eight bytes of content, none of them zero, so that a hole is never mistaken. */
static inline uint64_t content_word(uint32_t seed, uint64_t index)
{
	return random_mix(((uint64_t)seed << 32) + index + 1) | 0x0101010101010101ull;
}

/** The bytes that an operation with this seed writes. */
void content_fill(uint8_t *bytes, uint64_t len, uint32_t seed);

#endif
