/* SPDX-License-Identifier: MIT */
/*
 * The arena: frames, descriptors, free list.
 *
 * Frames come from huge pages where the system has some to give: most of a cold fill of
 * small ones was the kernel clearing and mapping each of them by itself. Frames are
 * handed out in order, so at most one huge page is used in part.
 */

#include "arena.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "page_lock.h"

#define HUGE_BYTES ((size_t)2 << 20)

/* Address space that begins where a huge page can. */
static void *reserve_frames(size_t bytes)
{
	char *start = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (start == MAP_FAILED)
		return NULL;
	before = (HUGE_BYTES - (uintptr_t)start % HUGE_BYTES) % HUGE_BYTES;
	if (before > 0)
		munmap(start, before);
	munmap(start + before + bytes, HUGE_BYTES - before);
	/* A matter of speed: a kernel that knows none of them is fine. */
	(void)madvise(start + before, bytes, MADV_HUGEPAGE);
	return start + before;
}

int arena_init(struct arena *arena, size_t size_bytes)
{
	const uint32_t npages = (uint32_t)(size_bytes >> CL_PAGE_SHIFT);
	void *frames = reserve_frames((size_t)npages << CL_PAGE_SHIFT);

	if (!frames)
		return -ENOMEM;
	arena->frames = frames;
	arena->npages = npages;
	arena->pages = calloc(npages, sizeof(*arena->pages));
	arena->free_pages = malloc(npages * sizeof(*arena->free_pages));
	if (!arena->pages || !arena->free_pages) {
		free(arena->pages);
		free(arena->free_pages);
		munmap(frames, (size_t)npages << CL_PAGE_SHIFT);
		return -ENOMEM;
	}
	/* Highest first: pages allocated one after the other are neighbours, and their
	 * iovecs merge. */
	for (uint32_t i = 0; i < npages; i++)
		arena->free_pages[i] = npages - 1 - i;
	arena->nfree = npages;
	cl_mutex_init(&arena->lock, CL_RANK_ARENA, "arena");
	return 0;
}

void arena_fini(struct arena *arena)
{
	assert(arena->nfree == arena->npages);
	cl_mutex_destroy(&arena->lock);
	munmap(arena->frames, (size_t)arena->npages << CL_PAGE_SHIFT);
	free(arena->pages);
	free(arena->free_pages);
}

struct cl_page *arena_alloc(struct arena *arena, struct cl_mapping *mapping,
			    uint64_t index)
{
	struct cl_page *page = NULL;

	cl_mutex_lock(&arena->lock);
	if (arena->nfree > 0)
		page = &arena->pages[arena->free_pages[--arena->nfree]];
	cl_mutex_unlock(&arena->lock);
	if (!page)
		return NULL;

	/* Nobody else can have trusted this descriptor, but a lookup may be pinning it
	 * for a moment, or locking it before it looks at whose it is. */
	page->fill_error = 0;
	atomic_store_explicit(&page->mapping, mapping, memory_order_relaxed);
	atomic_store_explicit(&page->index, index, memory_order_relaxed);
	atomic_store_explicit(&page->uses, 0, memory_order_relaxed);
	atomic_store_explicit(&page->state, 0, memory_order_relaxed);
	atomic_store_explicit(&page->pins, 1, memory_order_release);
	const bool locked = page_trylock(page);

	assert(locked);
	(void)locked;
	return page;
}

void arena_unpin(struct arena *arena, struct cl_page *page)
{
	if (atomic_fetch_sub_explicit(&page->pins, 1, memory_order_acq_rel) != 1)
		return;
	assert(page->queue == PAGE_QUEUE_NONE);
	cl_mutex_lock(&arena->lock);
	arena->free_pages[arena->nfree++] = arena_page_number(arena, page);
	cl_mutex_unlock(&arena->lock);
}

uint32_t arena_free_pages(struct arena *arena)
{
	cl_mutex_lock(&arena->lock);
	const uint32_t nfree = arena->nfree;

	cl_mutex_unlock(&arena->lock);
	return nfree;
}
