/* SPDX-License-Identifier: MIT */
/* A mapping's life. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "test_point.h"

int cl_mapping_create(struct cl_cache *cache, const struct cl_store_ops *ops,
		      void *store, uint64_t size, struct cl_mapping **ret_mapping)
{
	struct cl_mapping *mapping = calloc(1, sizeof(*mapping));

	if (!mapping)
		return -ENOMEM;
	mapping->cache = cache;
	mapping->ops = ops;
	mapping->store = store;
	atomic_init(&mapping->size, size);
	gate_init(&mapping->gate, cache->waits);
	page_table_init(&mapping->table, &cache->arena);
	CDS_INIT_LIST_HEAD(&mapping->dirty_link);
	*ret_mapping = mapping;
	return 0;
}

/** Drop every page. @return how many were dirty */
static uint64_t drop_all(struct cl_mapping *mapping)
{
	struct cl_page *page;
	uint64_t lost = 0;

	for (uint64_t index = 0;
	     (page = page_cache_lock_next(mapping, &index, UINT64_MAX)); index++) {
		lost += page_test(page, PAGE_DIRTY);
		page_cache_remove(page);
		page_unlock(page);
		arena_unpin(&mapping->cache->arena, page);
	}
	return lost;
}

void cl_mapping_free(struct cl_mapping *mapping)
{
	struct cl_gate_entry entry = {.range = {0, CL_RANGE_EOF},
				      .kind = CL_GATE_EXCLUSIVE};
	int error;

	if (!mapping)
		return;
	flusher_remove(mapping);
	CL_POINT(free_begun);
	cl_gate_enter_wait(mapping, &entry);
	error = cl_writeback(mapping, entry.range);
	CL_POINT(free_written);

	const uint64_t lost = drop_all(mapping);

	if (lost > 0)
		cache_event(mapping->cache, CL_EVENT_DATA_LOST, mapping, 0, lost,
			    error);
	cl_gate_leave(mapping, &entry);
	assert(atomic_load(&mapping->npages) == 0 &&
	       atomic_load(&mapping->ndirty) == 0);
	page_table_fini(&mapping->table);
	gate_fini(&mapping->gate);
	free(mapping);
}

struct cl_cache *cl_mapping_cache(const struct cl_mapping *mapping)
{
	return mapping->cache;
}

uint64_t cl_mapping_size(const struct cl_mapping *mapping)
{
	return atomic_load(&mapping->size);
}

uint64_t cl_mapping_pages(const struct cl_mapping *mapping)
{
	return atomic_load(&mapping->npages);
}

uint64_t cl_mapping_dirty_pages(const struct cl_mapping *mapping)
{
	return atomic_load(&mapping->ndirty);
}

bool cl_mapping_caches(struct cl_mapping *mapping, struct cl_range range)
{
	uint64_t index = page_index_of(range.start);

	cl_mutex_lock(&mapping->table.lock);
	const bool found = page_table_next(&mapping->table, &index) &&
			   index < page_index_up(range.end);

	cl_mutex_unlock(&mapping->table.lock);
	return found;
}

uint64_t cl_mapping_resident_pages(struct cl_mapping *mapping)
{
	cl_mutex_lock(&mapping->gate.lock);
	const uint64_t pages = resident_set_pages(&mapping->gate.resident);

	cl_mutex_unlock(&mapping->gate.lock);
	return pages;
}

size_t cl_mapping_resident_bytes(struct cl_mapping *mapping)
{
	cl_mutex_lock(&mapping->gate.lock);
	const size_t bytes = resident_set_bytes(&mapping->gate.resident);

	cl_mutex_unlock(&mapping->gate.lock);
	return bytes;
}
