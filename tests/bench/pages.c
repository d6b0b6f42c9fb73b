/* SPDX-License-Identifier: MIT */
/*
 * What the page cache does for each page of a sequential read, without the store and
 * without the kernel: what one lock for many pages could save at most.
 *
 *	bench-pages PASSES
 *
 * Reads 64 MiB in requests of 1 MiB from a store that answers at once and touches no
 * byte: `fill`, from an empty cache, and `hit`, once it is there; all of it PASSES
 * times. Then only what would be left out with one lock for each 2 MiB: `lock`, a lock
 * and unlock pair of each page; `lookup`, finding it in the table and pinning it.
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"

#define PAGES	      16384u
#define REQUEST_BYTES ((size_t)1 << 20)

static ssize_t read_nothing(void *store, const struct iovec *iov, int iovcnt,
			    uint64_t offset)
{
	ssize_t len = 0;

	(void)store;
	(void)offset;
	for (int i = 0; i < iovcnt; i++)
		len += (ssize_t)iov[i].iov_len;
	return len;
}

static const struct cl_store_ops empty_store = {.preadv = read_nothing};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void read_all(struct cl_mapping *mapping, struct cl_read *read)
{
	for (uint64_t at = 0; at < (uint64_t)PAGES << CL_PAGE_SHIFT;
	     at += REQUEST_BYTES) {
		struct cl_gate_entry entry = {.range = {at, at + REQUEST_BYTES},
					      .kind = CL_GATE_FILL};

		if (!cl_gate_try_enter(mapping, &entry) ||
		    cl_read_begin(mapping, at, REQUEST_BYTES, read) < 0)
			abort();
		cl_read_end(read);
		cl_gate_leave(mapping, &entry);
	}
}

static void drop_all(struct cl_mapping *mapping)
{
	struct cl_gate_entry entry = {.range = {0, CL_RANGE_EOF},
				      .kind = CL_GATE_EXCLUSIVE};

	cl_gate_enter_wait(mapping, &entry);
	if (cl_invalidate(mapping, entry.range) < 0)
		abort();
	cl_gate_leave(mapping, &entry);
}

static void look_up_all(struct cl_mapping *mapping, bool lock)
{
	struct wait_class *waits = cache_waits(mapping->cache, FILL_PAGE);
	struct cl_page *page = page_table_lookup(&mapping->table, 0);

	for (uint64_t i = 0; i < PAGES; i++) {
		if (lock) {
			page_lock(page, waits);
			page_unlock(page);
		} else {
			struct cl_page *found = page_table_lookup(&mapping->table, i);

			arena_unpin(&mapping->cache->arena, found);
		}
	}
	arena_unpin(&mapping->cache->arena, page);
}

static double per_page(uint64_t ns, int passes)
{
	return (double)ns / passes / PAGES;
}

int main(int argc, char *argv[])
{
	const int passes = argc == 2 ? atoi(argv[1]) : 0;
	const struct cl_cache_config config = {
		.size_bytes = (size_t)4 * PAGES << CL_PAGE_SHIFT,
		.max_request_bytes = REQUEST_BYTES,
		.max_requests = 1,
		.page_lock_unfairness = CL_PAGE_LOCK_UNFAIRNESS,
	};
	uint64_t fill_ns = 0, hit_ns = 0, lock_ns = 0, lookup_ns = 0;
	struct cl_mapping *mapping;
	struct cl_cache *cache;
	struct cl_read read;

	if (passes <= 0 || cl_cache_create(&config, &cache) < 0 ||
	    cl_mapping_create(cache, &empty_store, NULL,
			      (uint64_t)PAGES << CL_PAGE_SHIFT, &mapping) < 0 ||
	    cl_read_init(cache, &read) < 0) {
		fprintf(stderr, "usage: bench-pages PASSES\n");
		return 2;
	}
	for (int i = 0; i < passes; i++) {
		uint64_t at[5];

		at[0] = now_ns();
		read_all(mapping, &read);
		at[1] = now_ns();
		read_all(mapping, &read);
		at[2] = now_ns();
		look_up_all(mapping, true);
		at[3] = now_ns();
		look_up_all(mapping, false);
		at[4] = now_ns();
		fill_ns += at[1] - at[0];
		hit_ns += at[2] - at[1];
		lock_ns += at[3] - at[2];
		lookup_ns += at[4] - at[3];
		drop_all(mapping);
	}
	printf("ns for each page: fill %.1f hit %.1f lock %.1f lookup %.1f\n",
	       per_page(fill_ns, passes), per_page(hit_ns, passes),
	       per_page(lock_ns, passes), per_page(lookup_ns, passes));
	cl_read_fini(&read);
	cl_mapping_free(mapping);
	cl_cache_free(cache);
	return 0;
}
