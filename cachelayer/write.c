/* SPDX-License-Identifier: MIT */
/*
 * Writing.
 *
 * A write locks every page of its range, ascending, and keeps them locked from before
 * the store's write until its bytes are in the pages. So two writes of one page reach
 * the store and the page in the same order, and no fill can read the store in between.
 * Pages that are absent get a locked placeholder for that time.
 *
 * Written through, absent pages are not kept afterwards: the upper cache has the bytes,
 * and a page that nobody has read yet would only push out one that somebody has.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fill.h"
#include "mapping_internal.h"
#include "page_cache.h"
#include "page_lock.h"
#include "store_io.h"
#include "test_point.h"
#include "verify.h"

/* A write of so many pages needs no memory. */
#define FEW_PAGES 17

struct writer {
	struct cl_mapping *mapping;
	const unsigned char *buf;
	size_t len;
	uint64_t offset;
	uint64_t first; /* page index */
	size_t npages;	/* locked and pinned so far */
	struct cl_page **pages;
	struct cl_page *few[FEW_PAGES];
};

/** The part of the range that lies in page i: where in the page, and how long. */
static struct iovec part_of(const struct writer *w, size_t i)
{
	const uint64_t page_start = offset_of_page(w->first + i);
	const uint64_t start = w->offset > page_start ? w->offset : page_start;
	const uint64_t end = w->offset + w->len < page_start + CL_PAGE_SIZE
				     ? w->offset + w->len
				     : page_start + CL_PAGE_SIZE;

	return (struct iovec){page_bytes(w->mapping, w->pages[i]) +
				      (start - page_start),
			      (size_t)(end - start)};
}

static void copy_into(const struct writer *w, size_t i, size_t limit)
{
	const struct iovec part = part_of(w, i);
	const uint64_t page_start = offset_of_page(w->first + i);
	const size_t from =
		page_start > w->offset ? (size_t)(page_start - w->offset) : 0;

	if (from < limit)
		memcpy(part.iov_base, w->buf + from,
		       part.iov_len < limit - from ? part.iov_len : limit - from);
}

/* ------------------------------------------------------------ locking the range */

/** @return the page at an index, pinned and locked, a placeholder if it was absent */
static struct cl_page *lock_one(struct cl_mapping *mapping, uint64_t index)
{
	for (;;) {
		struct cl_page *page;
		const int ret = page_cache_get(mapping, index, &page);

		if (ret < 0)
			return NULL;
		if (ret == PAGE_FOUND_NEW)
			return page;
		CL_POINT(page_found);
		page_lock(page, cache_waits(mapping->cache, WRITE_PAGE));
		if (page_cache_is(page, mapping, index)) {
			page_wait_writeback(page,
					    cache_waits(mapping->cache, WRITE_PAGE));
			return page;
		}
		page_unlock(page);
		arena_unpin(&mapping->cache->arena, page);
	}
}

/** Unlock and unpin; a page that never got its bytes leaves the cache. */
static void unlock_range(struct writer *w)
{
	for (size_t i = 0; i < w->npages; i++) {
		struct cl_page *page = w->pages[i];

		if (!page_test(page, PAGE_UPTODATE))
			page_cache_remove(page);
		page_unlock(page);
		arena_unpin(&w->mapping->cache->arena, page);
	}
	w->npages = 0;
}

/** Have the last page that was locked ready to take bytes. @return 0 or -ENOMEM */
static int make_ready(struct writer *w)
{
	struct cl_page **page = &w->pages[w->npages - 1];

	if (!page_test(*page, PAGE_UPTODATE))
		return 0;
	if (page_cache_make_writable(page) < 0)
		return -ENOMEM;
	/* Its other bytes are about to be used and hashed anew. If they are not what
	 * was read they must come from the store again. */
	if (!verify_check(w->mapping, *page))
		page_clear(*page, PAGE_UPTODATE);
	return 0;
}

static int lock_range(struct writer *w)
{
	const uint64_t end = page_index_up(w->offset + w->len);

	for (uint64_t index = w->first; index < end; index++) {
		struct cl_page *page = lock_one(w->mapping, index);

		if (!page)
			goto fail;
		w->pages[w->npages++] = page;
		if (make_ready(w) < 0)
			goto fail;
	}
	return 0;
fail:
	unlock_range(w);
	return -ENOMEM;
}

/* ---------------------------------------------------------------- write through */

/** The store's write failed: nothing is known of these bytes in the store. */
static void drop_clean(struct writer *w)
{
	for (size_t i = 0; i < w->npages; i++)
		if (!page_test(w->pages[i], PAGE_DIRTY))
			page_clear(w->pages[i], PAGE_UPTODATE);
}

static ssize_t write_through(struct writer *w)
{
	struct iovec iov = {(void *)(uintptr_t)w->buf, w->len};
	int error;
	const size_t done = store_write(w->mapping, &iov, 1, w->offset, &error);

	CL_POINT(write_stored);
	store_note_error(w->mapping, error);
	if (done == 0) {
		drop_clean(w);
		return error;
	}
	for (size_t i = 0; i < w->npages; i++) {
		if (!page_test(w->pages[i], PAGE_UPTODATE))
			continue;
		copy_into(w, i, done);
		verify_update(w->mapping, w->pages[i]);
	}
	if (error && !store_is_full(error))
		drop_clean(w);
	cl_mapping_grow(w->mapping, w->offset + done);
	return (ssize_t)done;
}

/* ------------------------------------------------------------------- write back */

/** Fill the pages that the range covers only in part. @return 0 or an error */
static int fill_partial(struct writer *w)
{
	for (size_t i = 0; i < w->npages; i++) {
		struct cl_page *page = w->pages[i];

		if (page_test(page, PAGE_UPTODATE) ||
		    part_of(w, i).iov_len == CL_PAGE_SIZE)
			continue;

		struct iovec iov = {page_bytes(w->mapping, page), CL_PAGE_SIZE};
		const ssize_t got =
			store_read(w->mapping, &iov, 1, offset_of_page(w->first + i));

		if (got < 0)
			return (int)got;
		memset(page_bytes(w->mapping, page) + got, 0,
		       CL_PAGE_SIZE - (size_t)got);
		verify_update(w->mapping, page);
		page_set(page, PAGE_UPTODATE | PAGE_ASIDE);
	}
	return 0;
}

static void write_back_later(struct writer *w)
{
	uint32_t were_dirty = 0;

	for (size_t i = 0; i < w->npages; i++) {
		copy_into(w, i, w->len);
		page_set(w->pages[i], PAGE_UPTODATE);
		were_dirty += !page_cache_mark_dirty(w->pages[i]);
	}
	atomic_fetch_sub(&w->mapping->cache->unwritten, were_dirty);
	cl_mapping_grow(w->mapping, w->offset + w->len);
}

/**
 * Whether this write may leave dirty pages; kicks the flusher when it gets tight. Its
 * pages are counted from now on: writers that come at once must not each find the same
 * room.
 */
static bool reserve_dirty(const struct writer *w)
{
	struct cl_cache *cache = w->mapping->cache;
	const uint32_t npages = (uint32_t)w->npages;

	if (!cache->config.writeback)
		return false;

	const uint32_t after = atomic_fetch_add(&cache->unwritten, npages) + npages;

	if (after > cache->dirty_limit / 2)
		flusher_kick(cache);
	if (after <= cache->dirty_limit)
		return true;
	atomic_fetch_sub(&cache->unwritten, npages);
	return false;
}

/** @return whether the write is done: its bytes are in dirty pages */
static bool try_write_back(struct writer *w)
{
	if (!reserve_dirty(w))
		return false;
	/* A page that cannot be filled cannot be kept dirty, but its bytes can go
	 * through: a file may be writable and not readable. */
	if (fill_partial(w) < 0) {
		atomic_fetch_sub(&w->mapping->cache->unwritten, (uint32_t)w->npages);
		return false;
	}
	write_back_later(w);
	return true;
}

/** @return 0 or -ENOMEM */
static int make_room(struct writer *w)
{
	const uint64_t npages = page_index_up(w->offset + w->len) - w->first;

	w->pages = npages <= FEW_PAGES ? w->few : malloc(npages * sizeof(*w->pages));
	return w->pages ? 0 : -ENOMEM;
}

static ssize_t write_locked(struct writer *w)
{
	ssize_t ret = lock_range(w);

	if (ret < 0)
		return ret;
	CL_POINT(write_locked);
	ret = try_write_back(w) ? (ssize_t)w->len : write_through(w);
	unlock_range(w);
	return ret;
}

ssize_t cl_write(struct cl_mapping *mapping, const void *buf, size_t len,
		 uint64_t offset)
{
	struct cl_cache *cache = mapping->cache;
	struct writer w;
	ssize_t ret;

	if (len == 0 || len > cache->config.max_request_bytes)
		return -EINVAL;
	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return -EFBIG;
	gate_assert(mapping, GATE_BIT(CL_GATE_WRITE) | GATE_BIT(CL_GATE_EXCLUSIVE),
		    ((struct cl_range){offset, offset + len}));
	/* Not as a whole: few[] is for those who need it. */
	w.mapping = mapping;
	w.buf = buf;
	w.len = len;
	w.offset = offset;
	w.first = page_index_of(offset);
	w.npages = 0;
	ret = make_room(&w);
	if (ret < 0)
		return ret;
	ret = write_locked(&w);
	if (w.pages != w.few)
		free(w.pages);
	return ret;
}
