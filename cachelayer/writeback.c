/* SPDX-License-Identifier: MIT */
/*
 * Writeback: dirty pages of a range go to the store in clusters.
 *
 * Whoever has marked pages as under writeback and not yet sent them off never waits for
 * a page lock: a writer that holds such a lock may be waiting for that writeback. So
 * only the first page of a cluster is locked by waiting; a cluster ends at one that is
 * busy.
 */

#include <errno.h>

#include "fill.h"
#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "store_io.h"
#include "test_point.h"

#define CLUSTER_PAGES 256

struct cluster {
	struct cl_mapping *mapping;
	struct cl_page *pages[CLUSTER_PAGES];
	size_t npages;
	uint64_t index; /* of the first */
};

/** The first page with this tag in [*index, end), pinned; or NULL. */
static struct cl_page *next_tagged(struct cl_mapping *mapping, uint64_t *index,
				   uint64_t end, enum page_tag tag)
{
	cl_mutex_lock(&mapping->table.lock);
	struct cl_page *page = page_table_next_tagged(&mapping->table, index, tag);

	if (page && *index < end)
		page_pin(page); /* in the table, so it has a pin already */
	else
		page = NULL;
	cl_mutex_unlock(&mapping->table.lock);
	return page;
}

/** LOCKED: start its writeback, if it still is what we saw and dirty. */
static bool start_locked(struct cl_mapping *mapping, struct cl_page *page,
			 uint64_t index)
{
	const bool start =
		page_cache_is(page, mapping, index) && page_test(page, PAGE_DIRTY);

	if (start)
		page_cache_start_writeback(page);
	page_unlock(page);
	return start;
}

/** Gather dirty pages with consecutive indexes from *index on. *index moves behind. */
static void gather(struct cluster *c, uint64_t *index, uint64_t end)
{
	struct cl_mapping *mapping = c->mapping;

	c->npages = 0;
	while (c->npages < CLUSTER_PAGES && *index < end) {
		uint64_t found = *index;
		struct cl_page *page =
			next_tagged(mapping, &found, end, PAGE_TAG_DIRTY);

		if (!page) {
			if (c->npages == 0)
				*index = end;
			return;
		}

		const bool first = c->npages == 0;
		const bool adjacent = first || found == c->index + c->npages;

		if (!adjacent || (!first && !page_trylock(page))) {
			arena_unpin(&mapping->cache->arena, page);
			return;
		}
		if (first) {
			CL_POINT(page_found);
			page_lock(page, cache_waits(mapping->cache, WRITEBACK_PAGE));
		}
		*index = found + 1;
		if (!start_locked(mapping, page, found)) {
			arena_unpin(&mapping->cache->arena, page);
			if (first)
				continue;
			return;
		}
		if (first)
			c->index = found;
		c->pages[c->npages++] = page;
	}
}

/** Send a cluster to the store. @return 0 or an error */
static int send(struct cluster *c)
{
	struct cl_mapping *mapping = c->mapping;
	const uint64_t start = offset_of_page(c->index);
	const uint64_t size = cl_mapping_size(mapping);
	uint64_t len = c->npages << CL_PAGE_SHIFT;
	struct iovec iov[CLUSTER_PAGES];
	int iovcnt = 0, error = 0;
	size_t done = 0;

	CL_POINT(writeback_marked);
	/* Bytes past the end of the file are not the file's. */
	if (start >= size)
		len = 0;
	else if (len > size - start)
		len = size - start;
	for (size_t i = 0, left = len; left > 0; i++) {
		const size_t n = left < CL_PAGE_SIZE ? left : CL_PAGE_SIZE;

		iov_append(iov, &iovcnt, page_bytes(mapping, c->pages[i]), n);
		left -= n;
	}
	if (len > 0)
		done = store_write(mapping, iov, iovcnt, start, &error);
	CL_POINT(writeback_stored);

	/* A page that was sent in part is sent again: the store takes whole pages, or
	 * we cannot tell. */
	const size_t written = error ? done >> CL_PAGE_SHIFT : c->npages;

	for (size_t i = 0; i < c->npages; i++) {
		page_cache_end_writeback(c->pages[i], i < written);
		arena_unpin(&mapping->cache->arena, c->pages[i]);
	}
	if (error) {
		count_add(&mapping->cache->count.writeback_errors, 1);
		cl_errseq_set(mapping, error);
		cache_event(mapping->cache, CL_EVENT_WRITEBACK_FAILED, mapping,
			    c->index + written, c->npages - written, error);
	}
	return error;
}

/** Wait for pages that somebody else has sent off. */
static void wait_for_others(struct cl_mapping *mapping, uint64_t index, uint64_t end)
{
	for (; index < end; index++) {
		struct cl_page *page =
			next_tagged(mapping, &index, end, PAGE_TAG_WRITEBACK);

		if (!page)
			return;
		page_wait_writeback(page, cache_waits(mapping->cache, WRITEBACK_PAGE));
		arena_unpin(&mapping->cache->arena, page);
	}
}

int cl_writeback(struct cl_mapping *mapping, struct cl_range range)
{
	uint64_t index = page_index_of(range.start);
	const uint64_t first = index, end = page_index_up(range.end);
	struct cluster c = {.mapping = mapping};
	int ret = 0;

	cl_rank_assert_not_held(CL_RANK_PAGE);
	if (atomic_load(&mapping->ndirty) == 0)
		return 0;
	gate_assert(mapping, GATE_BIT(CL_GATE_WRITE) | GATE_BIT(CL_GATE_EXCLUSIVE),
		    range);
	while (index < end) {
		gather(&c, &index, end);
		if (c.npages == 0)
			continue;

		const int error = send(&c);

		if (ret == 0)
			ret = error;
	}
	wait_for_others(mapping, first, end);
	return ret;
}
