/* SPDX-License-Identifier: MIT */
/* Guarding clean pages with XXH3. */

#include "verify.h"

#include <errno.h>
#include <xxhash.h>

#include "mapping_internal.h"
#include "page_cache.h"

static uint64_t hash_of(const struct cl_mapping *mapping, const struct cl_page *page)
{
	return XXH3_64bits(page_bytes(mapping, page), CL_PAGE_SIZE);
}

void verify_update(struct cl_mapping *mapping, struct cl_page *page)
{
	if (mapping->cache->config.verify)
		page->hash = hash_of(mapping, page);
}

bool verify_check(struct cl_mapping *mapping, struct cl_page *page)
{
	struct cl_cache *cache = mapping->cache;

	if (!cache->config.verify || page_test(page, PAGE_DIRTY | PAGE_WRITEBACK) ||
	    page->hash == hash_of(mapping, page))
		return true;
	count_add(&cache->count.hash_mismatches, 1);
	cache_event(cache, CL_EVENT_HASH_MISMATCH, mapping, page_index(page), 1, -EIO);
	return false;
}

void verify_before_reclaim(struct cl_cache *cache, struct cl_page *page)
{
	if (cache->config.verify)
		(void)verify_check(page_mapping(page), page);
}
