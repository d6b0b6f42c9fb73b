/* SPDX-License-Identifier: MIT */
/* The cache as a whole: bounds, creation, counters. */

#include <errno.h>
#include <stdlib.h>

#include "cache_internal.h"
#include "mapping_internal.h"
#include "rcu.h"

/** Most pages that one request of this many bytes touches. */
static size_t pages_per_request(size_t request_bytes)
{
	return (request_bytes >> CL_PAGE_SHIFT) + 2;
}

static bool bounds_hold(size_t size_bytes, size_t request_bytes, unsigned max_requests)
{
	const size_t npages = size_bytes >> CL_PAGE_SHIFT;

	return request_bytes >= CL_PAGE_SIZE && max_requests > 0 &&
	       npages < PAGE_NUMBER_NONE &&
	       pages_per_request(request_bytes) <= npages / 2 / max_requests;
}

size_t cl_cache_max_request(size_t size_bytes, unsigned max_requests)
{
	size_t best = 0;

	for (size_t bytes = CL_PAGE_SIZE; bounds_hold(size_bytes, bytes, max_requests);
	     bytes *= 2)
		best = bytes;
	return best;
}

static void *return_at_once(void *arg)
{
	return arg;
}

/*
 * liburcu starts the thread that frees page table nodes when the first is to be freed,
 * and ends the process if it cannot. So it is started here, where failure can be told.
 */
static int start_rcu_thread(void)
{
	pthread_t probe;
	const int error = pthread_create(&probe, NULL, return_at_once, NULL);

	if (error)
		return -error;
	pthread_join(probe, NULL);
	urcu_bp_get_default_call_rcu_data();
	return 0;
}

int cl_cache_create(const struct cl_cache_config *config, struct cl_cache **ret_cache)
{
	if (config->size_bytes < CL_CACHE_SIZE_MIN ||
	    !bounds_hold(config->size_bytes, config->max_request_bytes,
			 config->max_requests))
		return -EINVAL;

	struct cl_cache *cache = calloc(1, sizeof(*cache));
	int ret;

	if (!cache)
		return -ENOMEM;
	cache->config = *config;
	for (unsigned i = 0; i < CL_WAITS; i++) {
		cache->waits[i].unfairness = config->page_lock_unfairness;
		cache->waits[i].kind = i;
	}
	cache->max_request_pages =
		(uint32_t)pages_per_request(config->max_request_bytes);
	ret = start_rcu_thread();
	if (ret < 0)
		goto free_cache;
	ret = arena_init(&cache->arena, config->size_bytes);
	if (ret < 0)
		goto free_cache;
	cache->dirty_limit = cache->arena.npages / 4;
	cache->prefetch_limit = cache->arena.npages / 8;
	ret = reclaim_init(cache);
	if (ret < 0)
		goto fini_arena;
	ret = flusher_init(cache);
	if (ret < 0)
		goto fini_reclaim;
	op_monitor_init(cache);
	*ret_cache = cache;
	return 0;

fini_reclaim:
	flusher_fini(cache);
	reclaim_fini(cache);
fini_arena:
	arena_fini(&cache->arena);
free_cache:
	free(cache);
	return ret;
}

void cl_cache_free(struct cl_cache *cache)
{
	if (!cache)
		return;
	op_monitor_fini(cache);
	flusher_fini(cache);
	reclaim_fini(cache);
	arena_fini(&cache->arena);
	free(cache);
}

bool cl_cache_is_writeback(const struct cl_cache *cache)
{
	return cache->config.writeback;
}

size_t cl_cache_overhead_per_page(void)
{
	const size_t npages = 1 << 16;

	return sizeof(struct cl_page) + sizeof(uint32_t) +
	       (ghost_bytes(npages - npages / 10) + npages - 1) / npages;
}

void cl_cache_get_stats(struct cl_cache *cache, struct cl_cache_stats *ret_stats)
{
#define COUNT(name) .name = atomic_load(&cache->count.name)
	*ret_stats = (struct cl_cache_stats){
		.pages_total = cache->arena.npages,
		.pages_used = cache->arena.npages - arena_free_pages(&cache->arena),
		.pages_dirty = atomic_load(&cache->dirty),
		.pages_writeback = atomic_load(&cache->writeback),
		COUNT(hits),
		COUNT(misses),
		COUNT(fills),
		COUNT(fill_bytes),
		COUNT(readahead_pages),
		COUNT(reclaimed),
		COUNT(reclaim_skipped),
		COUNT(ghost_hits),
		COUNT(write_bytes),
		COUNT(writeback_errors),
		COUNT(hash_mismatches),
		COUNT(copied_on_write),
	};
#undef COUNT
}

void cl_cache_get_waits(struct cl_cache *cache, enum cl_wait wait,
			struct cl_wait_stats *ret_stats)
{
	wait_class_get(&cache->waits[wait], ret_stats);
}

void cache_event(struct cl_cache *cache, enum cl_event_kind kind,
		 const struct cl_mapping *mapping, uint64_t page, uint64_t npages,
		 int error)
{
	const struct cl_event event = {
		.kind = kind,
		.store = mapping->store,
		.page = page,
		.npages = npages,
		.error = error,
	};

	cache_event_send(cache, &event);
}

void cache_event_send(struct cl_cache *cache, const struct cl_event *event)
{
	if (cache->config.on_event)
		cache->config.on_event(cache->config.on_event_arg, event);
}
