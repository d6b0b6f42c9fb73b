/* SPDX-License-Identifier: MIT */
/*
 * Revalidation: the store's file was changed behind our back.
 *
 * Cached pages are compared with the store again, in runs. What is the same stays, in
 * both caches; the gaps between unchanged pages are what the upper cache must drop. A page
 * that was filled aside is in a gap: it may have been dropped here, changed, and filled
 * again while the upper cache had the old one all the time.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "store_io.h"

#define COMPARE_PAGES 64

struct comparison {
	struct cl_mapping *mapping;
	unsigned char *bytes; /* what the store has of the run */
	uint64_t start, end;  /* page indexes of the run */
	uint64_t unreported;  /* bytes; everything before it is settled */
	void (*changed)(void *arg, struct cl_range range);
	void *arg;
};

static void report_up_to(struct comparison *c, uint64_t offset)
{
	if (offset > c->unreported)
		c->changed(c->arg, (struct cl_range){c->unreported, offset});
}

/** Have the store's bytes of the page at this index; past its end they are zeros. */
static int load(struct comparison *c, uint64_t index)
{
	if (index >= c->start && index < c->end)
		return 0;

	struct iovec iov = {c->bytes, COMPARE_PAGES << CL_PAGE_SHIFT};
	const ssize_t got = store_read(c->mapping, &iov, 1, offset_of_page(index));

	if (got < 0)
		return (int)got;
	memset(c->bytes + got, 0,
	       ((size_t)COMPARE_PAGES << CL_PAGE_SHIFT) - (size_t)got);
	c->start = index;
	c->end = index + COMPARE_PAGES;
	return 0;
}

/** @return 1 if the page may stay, 0 if not, or the store's error */
static int compare(struct comparison *c, const struct cl_page *page, uint64_t index,
		   uint64_t size)
{
	if (page_test(page, PAGE_DIRTY | PAGE_WRITEBACK))
		return 1;
	if (offset_of_page(index) >= size)
		return 0;

	const int ret = load(c, index);

	if (ret < 0)
		return ret;
	return memcmp(c->bytes + offset_of_page(index - c->start),
		      page_bytes(c->mapping, page), CL_PAGE_SIZE) == 0;
}

static int compare_all(struct comparison *c, uint64_t size)
{
	struct cl_mapping *mapping = c->mapping;
	uint64_t index = 0;
	struct cl_page *page;
	int ret = 0;

	for (; ret >= 0 && (page = page_cache_lock_next(mapping, &index, UINT64_MAX));
	     index++) {
		ret = compare(c, page, index, size);
		if (ret <= 0) {
			page_cache_remove(page);
		} else if (!page_test(page, PAGE_ASIDE)) {
			report_up_to(c, offset_of_page(index));
			c->unreported = offset_of_page(index + 1);
		}
		page_unlock(page);
		arena_unpin(&mapping->cache->arena, page);
	}
	return ret < 0 ? ret : 0;
}

static void remove_clean(struct cl_mapping *mapping)
{
	struct cl_page *page;

	for (uint64_t index = 0;
	     (page = page_cache_lock_next(mapping, &index, UINT64_MAX)); index++) {
		if (!page_test(page, PAGE_DIRTY | PAGE_WRITEBACK))
			page_cache_remove(page);
		page_unlock(page);
		arena_unpin(&mapping->cache->arena, page);
	}
}

int cl_revalidate(struct cl_mapping *mapping, uint64_t size,
		  void (*changed)(void *arg, struct cl_range range), void *arg)
{
	const struct cl_range whole = {0, CL_RANGE_EOF};
	const uint64_t old_size = cl_mapping_size(mapping);
	struct comparison c = {.mapping = mapping, .changed = changed, .arg = arg};
	int ret = -ENOMEM;

	gate_assert(mapping, GATE_BIT(CL_GATE_EXCLUSIVE), whole);
	/* What is dirty may lie past the end that the store has. */
	if (atomic_load(&mapping->ndirty) > 0 && size < old_size)
		size = old_size;
	c.bytes = malloc(COMPARE_PAGES << CL_PAGE_SHIFT);
	if (c.bytes)
		ret = compare_all(&c, size);
	free(c.bytes);
	if (ret < 0) {
		remove_clean(mapping);
		c.unreported = 0;
	}
	report_up_to(&c, CL_RANGE_EOF);
	cl_mapping_set_size(mapping, size);
	return ret;
}
