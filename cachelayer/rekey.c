/* SPDX-License-Identifier: MIT */
/*
 * Re-keying pages after the store's bytes have moved.
 *
 * A page that cannot move for want of memory is dropped: cold, and still right.
 */

#include "rekey.h"

#include <assert.h>
#include <stdlib.h>

#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "test_point.h"

struct moved_pages {
	struct cl_page **pages; /* pinned, ascending */
	uint64_t *indexes;
	size_t count;
};

static void drop(struct cl_mapping *mapping, struct cl_range range)
{
	/* Whole pages, none of them dirty: it cannot fail. */
	const int ret = cl_invalidate(mapping, range);

	assert(ret == 0);
	(void)ret;
}

/** Pin the pages of [index, end). @return 0, or -ENOMEM with nothing pinned */
static int collect(struct cl_mapping *mapping, uint64_t index, uint64_t end,
		   struct moved_pages *ret_moved)
{
	const size_t capacity = cl_mapping_pages(mapping) + 1;
	struct moved_pages moved = {
		.pages = malloc(capacity * sizeof(struct cl_page *)),
		.indexes = malloc(capacity * sizeof(uint64_t)),
	};
	struct cl_page *page;

	if (!moved.pages || !moved.indexes) {
		free(moved.pages);
		free(moved.indexes);
		return -1;
	}
	for (; (page = page_cache_lock_next(mapping, &index, end)); index++) {
		assert(moved.count < capacity); /* no page comes in meanwhile */
		moved.indexes[moved.count] = index;
		moved.pages[moved.count++] = page;
		page_unlock(page);
	}
	*ret_moved = moved;
	return 0;
}

/** @return whether it has moved: reclaim may have been faster */
static bool move_one(struct cl_mapping *mapping, struct cl_page *page, uint64_t from,
		     uint64_t to)
{
	bool moved = false;

	CL_POINT(rekey_next);
	page_lock(page, cache_waits(mapping->cache, RANGE_PAGE));
	if (page_cache_is(page, mapping, from))
		moved = page_cache_move(page, to);
	page_unlock(page);
	arena_unpin(&mapping->cache->arena, page);
	return moved;
}

/** Shift the pages of [index, end) by delta, in the order that finds each target free.
 */
static uint32_t shift(struct cl_mapping *mapping, uint64_t index, uint64_t end,
		      int64_t delta)
{
	struct moved_pages m;
	uint32_t moved = 0;

	if (collect(mapping, index, end, &m) < 0) {
		drop(mapping,
		     (struct cl_range){offset_of_page(index),
				       end == UINT64_MAX ? CL_RANGE_EOF
							 : offset_of_page(end)});
		return 0;
	}
	for (size_t n = 0; n < m.count; n++) {
		const size_t i = delta < 0 ? n : m.count - 1 - n;

		moved += move_one(mapping, m.pages[i], m.indexes[i],
				  m.indexes[i] + (uint64_t)delta);
	}
	free(m.pages);
	free(m.indexes);
	return moved;
}

uint32_t rekey(struct cl_mapping *mapping, const struct cl_range_op *op)
{
	const uint64_t size = cl_mapping_size(mapping);
	const struct cl_range range = {op->offset, op->offset + op->len};
	const uint64_t first = page_index_of(op->offset);
	const uint64_t count = page_index_of(op->len);
	uint32_t moved = 0;

	switch (op->kind) {
	case CL_PUNCH:
	case CL_ZERO:
		drop(mapping, range);
		break;
	case CL_COLLAPSE:
		drop(mapping, range);
		moved = shift(mapping, first + count, UINT64_MAX, -(int64_t)count);
		cl_mapping_set_size(mapping, size - op->len);
		break;
	case CL_INSERT:
		moved = shift(mapping, first, UINT64_MAX, (int64_t)count);
		cl_mapping_set_size(mapping, size + op->len);
		break;
	case CL_MOVE:
		drop(mapping,
		     (struct cl_range){op->destination, op->destination + op->len});
		moved = shift(mapping, first, first + count,
			      (int64_t)(page_index_of(op->destination) - first));
		break;
	}
	return moved;
}
