/* SPDX-License-Identifier: MIT */
/*
 * Filling and reading.
 *
 * A reader walks its range once. Absent pages are added, locked, and gathered into a
 * run; the run is filled when it ends. A page that somebody else has locked is waited
 * for, but first the reader fills what it has locked itself: it never waits while it
 * holds a page lock, and so cannot be part of a deadlock.
 */

#include "fill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "store_io.h"
#include "test_point.h"
#include "verify.h"

void iov_append(struct iovec *iov, int *iovcnt, void *base, size_t len)
{
	struct iovec *last = *iovcnt > 0 ? &iov[*iovcnt - 1] : NULL;

	if (last && (char *)last->iov_base + last->iov_len == base)
		last->iov_len += len;
	else
		iov[(*iovcnt)++] = (struct iovec){base, len};
}

/* ---------------------------------------------------------------- filling a run */

static void fail_run(struct fill_run *run, int error)
{
	for (size_t i = 0; i < run->npages; i++) {
		run->pages[i]->fill_error = error;
		page_cache_remove(run->pages[i]);
		page_unlock(run->pages[i]);
	}
}

static void zero_from(struct cl_mapping *mapping, struct fill_run *run, size_t bytes)
{
	for (size_t i = bytes >> CL_PAGE_SHIFT; i < run->npages; i++) {
		const size_t start = i << CL_PAGE_SHIFT;
		const size_t keep = bytes > start ? bytes - start : 0;

		memset(page_bytes(mapping, run->pages[i]) + keep, 0,
		       CL_PAGE_SIZE - keep);
	}
}

/** The store's file ended before `size`, which we have told everybody. */
static void report_short(struct cl_mapping *mapping, const struct fill_run *run,
			 size_t bytes, uint64_t size)
{
	const uint64_t end = offset_of_page(run->index) + bytes;

	if (end < size && !cl_cache_is_writeback(mapping->cache))
		cache_event(mapping->cache, CL_EVENT_SHORT_STORE, mapping,
			    page_index_of(end), 1, 0);
}

int fill_run(struct cl_mapping *mapping, struct fill_run *run, struct iovec *iov)
{
	struct cl_cache *cache = mapping->cache;
	const size_t want = run->npages << CL_PAGE_SHIFT;
	const uint32_t filled = PAGE_UPTODATE | (run->aside ? PAGE_ASIDE : 0);
	/* Before the store is asked: the file may grow while it answers. */
	const uint64_t size = cl_mapping_size(mapping);
	int iovcnt = 0;

	CL_POINT(fill_locked);
	for (size_t i = 0; i < run->npages; i++)
		iov_append(iov, &iovcnt, page_bytes(mapping, run->pages[i]),
			   CL_PAGE_SIZE);

	const ssize_t got =
		store_read(mapping, iov, iovcnt, offset_of_page(run->index));

	CL_POINT(fill_read);
	if (got < 0) {
		fail_run(run, (int)got);
		return (int)got;
	}
	if ((size_t)got < want) {
		zero_from(mapping, run, (size_t)got);
		report_short(mapping, run, (size_t)got, size);
	}
	for (size_t i = 0; i < run->npages; i++) {
		verify_update(mapping, run->pages[i]);
		page_set(run->pages[i], filled);
		page_unlock(run->pages[i]);
	}
	count_add(&cache->count.fills, 1);
	count_add(&cache->count.fill_bytes, (uint64_t)got);
	return 0;
}

/* -------------------------------------------------------------------- a reader */

int cl_read_init(struct cl_cache *cache, struct cl_read *read)
{
	const size_t capacity = cache->max_request_pages;
	struct cl_page **pages = calloc(capacity, sizeof(struct cl_page *));
	struct iovec *iov = calloc(capacity, sizeof(*iov));

	if (!pages || !iov) {
		free(pages);
		free(iov);
		return -ENOMEM;
	}
	*read = (struct cl_read){.pages = pages, .iov = iov, .capacity = capacity};
	return 0;
}

void cl_read_fini(struct cl_read *read)
{
	free(read->pages);
	free(read->iov);
	*read = (struct cl_read){0};
}

struct reader {
	struct cl_mapping *mapping;
	struct cl_read *read;
	struct fill_run run; /* its pages are the last of read->pages */
	uint64_t hits, misses;
};

static int reader_fill(struct reader *r)
{
	if (r->run.npages == 0)
		return 0;

	const int ret = fill_run(r->mapping, &r->run, r->read->iov);

	r->run.npages = 0;
	return ret;
}

static void reader_keep(struct reader *r, struct cl_page *page)
{
	r->read->pages[r->read->npages++] = page;
}

/**
 * A page that was in the table, pinned: trust it or not (I3).
 * @return 1 if it is kept, 0 if it has gone and must be looked up again, or an error
 */
static int reader_check(struct reader *r, struct cl_page *page, uint64_t index)
{
	struct cl_mapping *mapping = r->mapping;
	int ret = 1;

	CL_POINT(page_found);
	if (!page_trylock(page)) {
		ret = reader_fill(r);
		if (ret < 0)
			return ret;
		page_wait_filling(page, cache_waits(mapping->cache, FILL_PAGE));
		page_lock(page, cache_waits(mapping->cache, FILL_PAGE));
		ret = 1;
	}
	if (!page_cache_is(page, mapping, index) || !page_test(page, PAGE_UPTODATE)) {
		ret = page_test(page, PAGE_REMOVED) ? page->fill_error : 0;
	} else if (!verify_check(mapping, page)) {
		page_cache_remove(page);
		ret = -EIO;
	}
	if (ret == 1 && !r->read->aside && page_test(page, PAGE_ASIDE))
		page_clear(page, PAGE_ASIDE);
	page_unlock(page);
	if (ret == 1)
		page_mark_used(page);
	return ret;
}

/** @return 0, or an error; the page is then not kept */
static int reader_take(struct reader *r, uint64_t index)
{
	for (;;) {
		struct cl_page *page;
		int ret = page_cache_get(r->mapping, index, &page);

		if (ret < 0)
			return ret;
		if (ret == PAGE_FOUND_NEW) {
			if (r->run.npages == 0) {
				r->run.pages = &r->read->pages[r->read->npages];
				r->run.index = index;
			}
			reader_keep(r, page);
			r->run.npages++;
			r->misses++;
			return 0;
		}
		ret = reader_check(r, page, index);
		if (ret == 1) {
			ret = reader_fill(r); /* the run ends here */
			reader_keep(r, page);
			r->hits++;
			return ret;
		}
		arena_unpin(&r->mapping->cache->arena, page);
		if (ret < 0)
			return ret;
	}
}

static void reader_build_iov(struct reader *r, uint64_t offset, size_t len)
{
	struct cl_read *read = r->read;
	size_t skip = offset & (CL_PAGE_SIZE - 1);

	read->iovcnt = 0;
	read->bytes = len;
	for (size_t i = 0; len > 0; i++) {
		const size_t n = CL_PAGE_SIZE - skip < len ? CL_PAGE_SIZE - skip : len;

		iov_append(read->iov, &read->iovcnt,
			   page_bytes(r->mapping, read->pages[i]) + skip, n);
		len -= n;
		skip = 0;
	}
}

static int reader_run(struct reader *r, uint64_t offset, size_t len)
{
	const uint64_t end = page_index_up(offset + len);
	int ret = 0;

	for (uint64_t index = page_index_of(offset); index < end && ret == 0; index++)
		ret = reader_take(r, index);

	const int fill_ret = reader_fill(r);

	return ret < 0 ? ret : fill_ret;
}

int cl_read_begin(struct cl_mapping *mapping, uint64_t offset, size_t len,
		  struct cl_read *read)
{
	struct cl_cache *cache = mapping->cache;
	const uint64_t size = cl_mapping_size(mapping);
	struct reader r = {.mapping = mapping, .read = read, .run.aside = read->aside};

	if (len > cache->config.max_request_bytes)
		return -EINVAL;
	read->npages = 0;
	read->iovcnt = 0;
	read->bytes = 0;
	read->cache = cache;
	if (offset >= size || len == 0)
		return 0;
	if (len > size - offset)
		len = (size_t)(size - offset);
	gate_assert(mapping, GATE_BIT(CL_GATE_FILL),
		    ((struct cl_range){offset, offset + len}));

	const int ret = reader_run(&r, offset, len);

	count_add(&cache->count.hits, r.hits);
	count_add(&cache->count.misses, r.misses);
	if (ret < 0) {
		cl_read_end(read);
		return ret;
	}
	reader_build_iov(&r, offset, len);
	return 0;
}

void cl_read_end(struct cl_read *read)
{
	for (size_t i = 0; i < read->npages; i++)
		arena_unpin(&read->cache->arena, read->pages[i]);
	read->npages = 0;
	read->iovcnt = 0;
	read->bytes = 0;
}

/* -------------------------------------------------------------------- prefetch */

#define PREFETCH_PAGES 64

struct prefetch {
	struct cl_mapping *mapping;
	struct fill_run run;
	struct cl_page *pages[PREFETCH_PAGES];
	uint64_t added;
};

/** Fill what has been gathered and let go of it. @return 0 or the store's error */
static int prefetch_run(struct prefetch *p)
{
	struct cl_cache *cache = p->mapping->cache;
	const size_t npages = p->run.npages;
	struct iovec iov[PREFETCH_PAGES];

	if (npages == 0)
		return 0;

	const int ret = fill_run(p->mapping, &p->run, iov);

	/* Unpinned only after the fill: it still needs the descriptors. */
	for (size_t i = 0; i < npages; i++)
		arena_unpin(&cache->arena, p->pages[i]);
	atomic_fetch_sub(&cache->prefetching, (uint32_t)npages);
	p->run.npages = 0;
	p->added += npages;
	return ret;
}

/**
 * Room for one more page. No request answers for what prefetches hold, so they have a
 * share of the arena of their own, and end early rather than wait for each other.
 */
static bool reserve_prefetch(struct cl_cache *cache)
{
	if (atomic_fetch_add(&cache->prefetching, 1) < cache->prefetch_limit)
		return true;
	atomic_fetch_sub(&cache->prefetching, 1);
	return false;
}

/** @return 0, or an error (-EBUSY: no room): the prefetch ends here */
static int prefetch_page(struct prefetch *p, uint64_t index)
{
	struct cl_cache *cache = p->mapping->cache;
	struct cl_page *page;
	int ret;

	if (p->run.npages == PREFETCH_PAGES || !reserve_prefetch(cache)) {
		ret = prefetch_run(p);
		if (ret < 0)
			return ret;
		if (!reserve_prefetch(cache))
			return -EBUSY;
	}
	ret = page_cache_get(p->mapping, index, &page);
	if (ret != PAGE_FOUND_NEW) {
		atomic_fetch_sub(&cache->prefetching, 1);
		if (ret < 0)
			return ret;
		arena_unpin(&cache->arena, page);
		return prefetch_run(p);
	}
	if (p->run.npages == 0)
		p->run.index = index;
	p->pages[p->run.npages++] = page;
	return 0;
}

void cl_prefetch(struct cl_mapping *mapping, struct cl_range range)
{
	const uint64_t size = cl_mapping_size(mapping);
	struct prefetch p = {
		.mapping = mapping,
		.run = {.pages = p.pages, .aside = true},
	};
	int ret = 0;

	gate_assert(mapping, GATE_BIT(CL_GATE_FILL), range);
	if (range.end > size)
		range.end = size;
	for (uint64_t i = page_index_of(range.start);
	     i < page_index_up(range.end) && ret == 0; i++)
		ret = prefetch_page(&p, i);
	(void)prefetch_run(&p);
	count_add(&mapping->cache->count.readahead_pages, p.added);
}
