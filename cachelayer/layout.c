/* SPDX-License-Identifier: MIT */
/*
 * Changing the layout: size, removal of ranges. All of it under an EXCLUSIVE gate
 * entry, so no fill and no write is under way in the range; reclaim may be looking at a
 * page.
 */

#include <string.h>

#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "test_point.h"
#include "verify.h"

static void remove_pages(struct cl_mapping *mapping, uint64_t index, uint64_t end)
{
	struct cl_page *page;

	for (; (page = page_cache_lock_next(mapping, &index, end)); index++) {
		page_wait_writeback(page, cache_waits(mapping->cache, RANGE_PAGE));
		page_cache_remove(page);
		page_unlock(page);
		arena_unpin(&mapping->cache->arena, page);
	}
}

/** A shrink cuts this page: what lies past the end must be zeros if the file grows. */
static void zero_tail(struct cl_mapping *mapping, uint64_t size)
{
	const size_t keep = size & (CL_PAGE_SIZE - 1);
	uint64_t index = page_index_of(size);
	struct cl_page *page;

	if (keep == 0)
		return;
	page = page_cache_lock_next(mapping, &index, page_index_of(size) + 1);
	if (!page)
		return;
	if (verify_check(mapping, page)) {
		memset(page_bytes(mapping, page) + keep, 0, CL_PAGE_SIZE - keep);
		verify_update(mapping, page);
	} else {
		page_cache_remove(page);
	}
	page_unlock(page);
	arena_unpin(&mapping->cache->arena, page);
}

void cl_mapping_set_size(struct cl_mapping *mapping, uint64_t size)
{
	const uint64_t old = cl_mapping_size(mapping);

	gate_assert(mapping, GATE_BIT(CL_GATE_EXCLUSIVE),
		    ((struct cl_range){size < old ? size : old, CL_RANGE_EOF}));
	atomic_store(&mapping->size, size);
	CL_POINT(layout_sized);
	if (size < old) {
		remove_pages(mapping, page_index_up(size), UINT64_MAX);
		zero_tail(mapping, size);
	}
}

void cl_mapping_grow(struct cl_mapping *mapping, uint64_t size)
{
	uint64_t old = atomic_load(&mapping->size);

	while (old < size && !atomic_compare_exchange_weak(&mapping->size, &old, size))
		;
}

/** Write back the dirty page that holds one edge of the range, if the edge cuts it. */
static int write_back_edge(struct cl_mapping *mapping, uint64_t offset)
{
	const uint64_t start = offset & ~(uint64_t)(CL_PAGE_SIZE - 1);

	if (offset == start || offset == CL_RANGE_EOF)
		return 0;
	return cl_writeback(mapping, (struct cl_range){start, start + CL_PAGE_SIZE});
}

int cl_invalidate(struct cl_mapping *mapping, struct cl_range range)
{
	int ret;

	gate_assert(mapping, GATE_BIT(CL_GATE_EXCLUSIVE), range);
	ret = write_back_edge(mapping, range.start);
	if (ret == 0)
		ret = write_back_edge(mapping, range.end);
	if (ret == 0)
		remove_pages(mapping, page_index_of(range.start),
			     page_index_up(range.end));
	return ret;
}
