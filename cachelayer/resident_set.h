/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_RESIDENT_SET_H
#define CACHELAYER_RESIDENT_SET_H

/*
 * The resident set: which pages the upper cache may hold. Always a superset (I1): the
 * upper cache drops pages without telling, and never takes one in without asking.
 *
 * Compressed bitmaps (CRoaring): two bytes for a page far from others, next to nothing
 * for long runs. Past RESIDENT_SET_BYTES_MAX the set is coarsened: every block of
 * 65,536 pages that has any page then counts as resident as a whole. That stays a
 * superset, and costs some 16 bytes for each 256 MiB of file, half a MiB for 8 TiB.
 *
 * Not synchronised: the gate's lock guards it.
 */

#include <roaring/roaring.h>

#include "cachelayer/types.h"

#define RESIDENT_SET_BYTES_MAX ((size_t)1 << 20)

struct resident_part; /* 2^32 pages, 16 TiB */

struct resident_set {
	struct resident_part *parts; /* ascending */
	size_t nparts;
	uint64_t adds;	 /* since the size was looked at last */
	bool everything; /* out of memory once: all pages count as resident */
};

void resident_set_init(struct resident_set *set);
void resident_set_fini(struct resident_set *set);

/** Ranges are of page indexes here: [start, end), end may be UINT64_MAX. */
void resident_set_add(struct resident_set *set, uint64_t start, uint64_t end);
void resident_set_remove(struct resident_set *set, uint64_t start, uint64_t end);

/**
 * The first run of resident pages in [start, end), at most max_pages long.
 * @return false if there is none
 */
bool resident_set_next_run(const struct resident_set *set, uint64_t start, uint64_t end,
			   uint64_t max_pages, uint64_t *ret_start, uint64_t *ret_end);

static inline bool resident_set_meets(const struct resident_set *set, uint64_t start,
				      uint64_t end)
{
	uint64_t run_start, run_end;

	return resident_set_next_run(set, start, end, 1, &run_start, &run_end);
}

/** Pages in the set, and bytes that it takes. */
uint64_t resident_set_pages(const struct resident_set *set);
size_t resident_set_bytes(const struct resident_set *set);

#endif
