/* SPDX-License-Identifier: MIT */
/*
 * Re-keying pages after the store's bytes have moved.
 *
 * A page that cannot move for want of memory is dropped: cold, and still right.
 */

#include "rekey.h"

#include <assert.h>

#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "test_point.h"

static void drop(struct cl_mapping *mapping, struct cl_range range)
{
	/* Whole pages, none of them dirty: it cannot fail. */
	const int ret = cl_invalidate(mapping, range);

	assert(ret == 0);
	(void)ret;
}

/** @return 1 if it has moved; unlocked and unpinned either way */
static uint32_t move_one(struct cl_mapping *mapping, struct cl_page *page, uint64_t to)
{
	CL_POINT(rekey_next);
	const bool moved = page_cache_move(page, to);

	page_unlock(page);
	arena_unpin(&mapping->cache->arena, page);
	return moved;
}

/** Move the pages of [first, end), the lowest one first: its place is free. */
static uint32_t shift_down(struct cl_mapping *mapping, uint64_t first, uint64_t end,
			   uint64_t count)
{
	struct cl_page *page;
	uint32_t moved = 0;

	for (uint64_t index = first;
	     (page = page_cache_lock_next(mapping, &index, end)); index++)
		moved += move_one(mapping, page, index - count);
	return moved;
}

/** Likewise, the highest one first. */
static uint32_t shift_up(struct cl_mapping *mapping, uint64_t first, uint64_t end,
			 uint64_t count)
{
	struct cl_page *page;
	uint32_t moved = 0;

	for (uint64_t index = end - 1;
	     (page = page_cache_lock_prev(mapping, first, &index)); index--) {
		moved += move_one(mapping, page, index + count);
		if (index == first)
			break;
	}
	return moved;
}

uint32_t rekey(struct cl_mapping *mapping, const struct cl_range_op *op)
{
	const uint64_t size = cl_mapping_size(mapping);
	const struct cl_range range = {op->offset, op->offset + op->len};
	const uint64_t first = page_index_of(op->offset);
	const uint64_t count = page_index_of(op->len);
	const uint64_t to = page_index_of(op->destination);
	uint32_t moved = 0;

	switch (op->kind) {
	case CL_PUNCH:
	case CL_ZERO:
		drop(mapping, range);
		break;
	case CL_COLLAPSE:
		drop(mapping, range);
		moved = shift_down(mapping, first + count, UINT64_MAX, count);
		cl_mapping_set_size(mapping, size - op->len);
		break;
	case CL_INSERT:
		moved = shift_up(mapping, first, UINT64_MAX, count);
		cl_mapping_set_size(mapping, size + op->len);
		break;
	case CL_MOVE:
		drop(mapping,
		     (struct cl_range){op->destination, op->destination + op->len});
		moved = to < first
				? shift_down(mapping, first, first + count, first - to)
				: shift_up(mapping, first, first + count, to - first);
		break;
	}
	return moved;
}
