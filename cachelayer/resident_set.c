/* SPDX-License-Identifier: MIT */
/* The resident set: CRoaring bitmaps, one for each 2^32 pages that have any. */

#include "resident_set.h"

#include <stdlib.h>
#include <string.h>

#define PART_SHIFT  32
#define PART_PAGES  (UINT64_C(1) << PART_SHIFT)
#define BLOCK_PAGES (UINT64_C(1) << 16) /* a container of CRoaring's */

/* How many additions pass between two looks at the size. */
#define ADDS_BETWEEN_LOOKS 4096

struct resident_part {
	uint64_t number;
	roaring_bitmap_t *bitmap;
};

void resident_set_init(struct resident_set *set)
{
	*set = (struct resident_set){0};
}

static void drop_parts(struct resident_set *set)
{
	for (size_t i = 0; i < set->nparts; i++)
		roaring_bitmap_free(set->parts[i].bitmap);
	free(set->parts);
	set->parts = NULL;
	set->nparts = 0;
}

void resident_set_fini(struct resident_set *set)
{
	drop_parts(set);
}

/** Forgetting a page would be wrong; claiming one too many is not. */
static void give_up(struct resident_set *set)
{
	drop_parts(set);
	set->everything = true;
}

/** @return the position of the first part with this number or a greater one */
static size_t part_position(const struct resident_set *set, uint64_t number)
{
	size_t i = 0;

	while (i < set->nparts && set->parts[i].number < number)
		i++;
	return i;
}

static roaring_bitmap_t *make_part(struct resident_set *set, uint64_t number)
{
	const size_t i = part_position(set, number);

	if (i < set->nparts && set->parts[i].number == number)
		return set->parts[i].bitmap;

	struct resident_part *parts =
		realloc(set->parts, (set->nparts + 1) * sizeof(*parts));

	if (!parts)
		return NULL;
	set->parts = parts;

	roaring_bitmap_t *bitmap = roaring_bitmap_create();

	if (!bitmap)
		return NULL;
	memmove(&parts[i + 1], &parts[i], (set->nparts - i) * sizeof(*parts));
	parts[i] = (struct resident_part){number, bitmap};
	set->nparts++;
	return bitmap;
}

static uint64_t bytes_of(const roaring_bitmap_t *bitmap)
{
	return roaring_bitmap_portable_size_in_bytes(bitmap);
}

size_t resident_set_bytes(const struct resident_set *set)
{
	size_t bytes = set->nparts * sizeof(*set->parts);

	for (size_t i = 0; i < set->nparts; i++)
		bytes += bytes_of(set->parts[i].bitmap);
	return bytes;
}

uint64_t resident_set_pages(const struct resident_set *set)
{
	uint64_t pages = 0;

	if (set->everything)
		return UINT64_MAX;
	for (size_t i = 0; i < set->nparts; i++)
		pages += roaring_bitmap_get_cardinality(set->parts[i].bitmap);
	return pages;
}

/** Every block that has a page gets all of its pages. */
static void coarsen(roaring_bitmap_t *bitmap)
{
	roaring_uint32_iterator_t it;
	uint64_t block = 0;

	roaring_init_iterator(bitmap, &it);
	while (it.has_value) {
		block = it.current_value & ~(BLOCK_PAGES - 1);
		roaring_bitmap_add_range(bitmap, block, block + BLOCK_PAGES);
		if (block + BLOCK_PAGES >= PART_PAGES)
			break;
		roaring_init_iterator(bitmap, &it); /* the change invalidated it */
		roaring_move_uint32_iterator_equalorlarger(
			&it, (uint32_t)(block + BLOCK_PAGES));
	}
	roaring_bitmap_run_optimize(bitmap);
	roaring_bitmap_shrink_to_fit(bitmap);
}

static void keep_small(struct resident_set *set)
{
	if (++set->adds < ADDS_BETWEEN_LOOKS)
		return;
	set->adds = 0;
	for (size_t i = 0; i < set->nparts; i++)
		roaring_bitmap_run_optimize(set->parts[i].bitmap);
	if (resident_set_bytes(set) <= RESIDENT_SET_BYTES_MAX)
		return;
	for (size_t i = 0; i < set->nparts; i++)
		coarsen(set->parts[i].bitmap);
}

void resident_set_add(struct resident_set *set, uint64_t start, uint64_t end)
{
	while (start < end && !set->everything) {
		const uint64_t number = start >> PART_SHIFT;
		const uint64_t base = number << PART_SHIFT;
		const uint64_t part_end =
			end - base < PART_PAGES ? end - base : PART_PAGES;
		roaring_bitmap_t *bitmap = make_part(set, number);

		if (!bitmap) {
			give_up(set);
			return;
		}
		/* One page, as in most requests: a range takes several times as long.
		 */
		if (base + part_end == start + 1)
			roaring_bitmap_add(bitmap, (uint32_t)(start - base));
		else
			roaring_bitmap_add_range(bitmap, start - base, part_end);
		start = base + part_end;
	}
	keep_small(set);
}

void resident_set_remove(struct resident_set *set, uint64_t start, uint64_t end)
{
	if (start == 0 && end == UINT64_MAX)
		set->everything = false;
	for (size_t i = part_position(set, start >> PART_SHIFT); i < set->nparts; i++) {
		const uint64_t base = set->parts[i].number << PART_SHIFT;
		const uint64_t from = start > base ? start - base : 0;

		if (base >= end)
			return;
		roaring_bitmap_remove_range(set->parts[i].bitmap, from,
					    end - base < PART_PAGES ? end - base
								    : PART_PAGES);
	}
}

/** How far the run that starts at a member goes, up to `limit`. */
static uint64_t run_end_in(const roaring_bitmap_t *bitmap, uint64_t start,
			   uint64_t limit)
{
	uint64_t low = start + 1, high = limit;

	/* All of [start, low) is in. Membership of a range is cheap to ask for, and a
	 * run has one end: bisect. */
	while (low < high) {
		const uint64_t middle = low + (high - low + 1) / 2;

		if (roaring_bitmap_contains_range(bitmap, low, middle))
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

bool resident_set_next_run(const struct resident_set *set, uint64_t start, uint64_t end,
			   uint64_t max_pages, uint64_t *ret_start, uint64_t *ret_end)
{
	if (set->everything && start < end) {
		*ret_start = start;
		*ret_end = end - start < max_pages ? end : start + max_pages;
		return true;
	}
	for (size_t i = part_position(set, start >> PART_SHIFT); i < set->nparts; i++) {
		const roaring_bitmap_t *bitmap = set->parts[i].bitmap;
		const uint64_t base = set->parts[i].number << PART_SHIFT;
		const uint64_t from = start > base ? start - base : 0;
		roaring_uint32_iterator_t it;

		if (base >= end)
			return false;
		roaring_init_iterator(bitmap, &it);
		if (!roaring_move_uint32_iterator_equalorlarger(&it, (uint32_t)from) ||
		    base + it.current_value >= end)
			continue;

		uint64_t limit = it.current_value + max_pages;

		if (limit > PART_PAGES)
			limit = PART_PAGES;
		if (limit > end - base)
			limit = end - base;
		*ret_start = base + it.current_value;
		*ret_end = base + run_end_in(bitmap, it.current_value, limit);
		return true;
	}
	return false;
}
