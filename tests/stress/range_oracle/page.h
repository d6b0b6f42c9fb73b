/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_PAGE_H
#define RANGE_ORACLE_PAGE_H

/*
 * What a page of the oracle's file looks like.
 *
 * Every page that is ever written has an identity, a number that no other page has had
 * before it, and carries it in each of its words, so that a page at the wrong place, or
 * put together from two, is recognised from any part of it.
 *
 *   cells     identity in the upper 24 bits, a count of additions in the lower 40. An
 *             adder that does fetch_add(1) through a mapping learns from the old value
 *             on *which page* its addition landed, wherever that page was at that
 *             moment. That is what makes exact accounts possible without keeping the
 *             adders away from the pages that move.
 *   slots     one word for each thread that uses pwrite(2): its latest sequence number
 *             for this page
 *   the rest  a mix of identity and position; never changes
 *
 * A page of zeros has identity 0: a hole, or the gap of an insert.
 */

#include <stdbool.h>
#include <stdint.h>

#define ORACLE_PAGE_SIZE 4096
#define PAGE_WORDS	 (ORACLE_PAGE_SIZE / 8)
#define PAGE_CELLS	 4
#define PAGE_SLOTS	 8

#define COUNT_BITS   40
#define IDENTITY_MAX ((uint32_t)(1u << (64 - COUNT_BITS)) - 1)

/** Where the cells are, in words: both ends of the page and two in between. */
extern const unsigned cell_word[PAGE_CELLS];
/** Where the slots begin, in words. */
#define SLOT_WORD 200u

static inline uint32_t cell_identity(uint64_t cell)
{
	return (uint32_t)(cell >> COUNT_BITS);
}

static inline uint64_t cell_count(uint64_t cell)
{
	return cell & (((uint64_t)1 << COUNT_BITS) - 1);
}

/** The word that a pwrite(2) by this slot's thread leaves. */
static inline uint64_t slot_value(unsigned slot, uint32_t sequence)
{
	return sequence == 0 ? 0 : (uint64_t)(slot + 1) << 32 | sequence;
}

/** Fill a page with a new identity, no additions, no writes. */
void page_make(uint64_t *page, uint32_t identity);

/**
 * Compare everything in a page that never changes.
 * @param identity  which page it should be; 0: all zeros
 * @return the first word that differs, or -1
 */
int page_compare(const uint64_t *page, uint32_t identity);

#endif
