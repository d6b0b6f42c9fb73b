/* SPDX-License-Identifier: MIT */
/*
 * Readahead: what a sequential reader will want next.
 *
 * The kernel reads ahead into its own cache, 128 KiB at a time unless told otherwise,
 * and sends those READs from several threads, so they arrive a little out of order. We
 * stay a window ahead of them, so that they find their pages here. The window doubles
 * while the reader stays sequential (after Linux mm/readahead.c, ondemand_readahead()).
 */

#include "mapping_internal.h"
#include "page_table.h"

#define WINDOW_MIN ((uint32_t)256 << 10)
#define WINDOW_MAX ((uint32_t)2 << 20)
/* How far a sequential reader's requests may overtake each other. */
#define DISORDER   ((uint64_t)512 << 10)

static bool is_sequential(const struct cl_readahead *ra, uint64_t offset)
{
	return offset <= ra->next_offset + DISORDER &&
	       ra->next_offset <= offset + DISORDER;
}

static uint32_t window_limit(const struct cl_mapping *mapping)
{
	const size_t share = mapping->cache->config.size_bytes / 16;

	return share < WINDOW_MAX ? (uint32_t)share : WINDOW_MAX;
}

static bool is_cached_at(struct cl_mapping *mapping, uint64_t offset)
{
	struct cl_page *page =
		page_table_lookup(&mapping->table, page_index_of(offset));

	if (page)
		arena_unpin(&mapping->cache->arena, page);
	return page != NULL;
}

/** A look at both ends and the middle: what is there already needs nobody to be woken
 *  for it. Guessing wrong costs a fill in front. */
static bool seems_cached(struct cl_mapping *mapping, struct cl_range range)
{
	return is_cached_at(mapping, range.start) &&
	       is_cached_at(mapping, range.end - 1) &&
	       is_cached_at(mapping, range.start + (range.end - range.start) / 2);
}

bool cl_readahead_next(struct cl_mapping *mapping, struct cl_readahead *ra,
		       uint64_t offset, size_t len, struct cl_range *ret_range)
{
	const uint64_t size = cl_mapping_size(mapping);
	const uint32_t limit = window_limit(mapping);

	if (!is_sequential(ra, offset)) {
		*ra = (struct cl_readahead){.next_offset = offset + len};
		return false;
	}
	if (offset + len > ra->next_offset)
		ra->next_offset = offset + len;
	if (ra->window_bytes == 0)
		ra->window_bytes = WINDOW_MIN < limit ? WINDOW_MIN : limit;

	struct cl_range range = {ra->ahead_end > ra->next_offset ? ra->ahead_end
								 : ra->next_offset,
				 ra->next_offset + ra->window_bytes};

	if (range.end > size)
		range.end = size;
	/* Half a window is still ahead: enough for now. */
	if (range.start >= range.end ||
	    range.start > ra->next_offset + ra->window_bytes / 2)
		return false;
	ra->ahead_end = range.end;
	ra->window_bytes = ra->window_bytes * 2 < limit ? ra->window_bytes * 2 : limit;
	*ret_range = range;
	return !seems_cached(mapping, range);
}
