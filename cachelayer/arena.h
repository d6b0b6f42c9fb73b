/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_ARENA_H
#define CACHELAYER_ARENA_H

/*
 * The arena: the frames that pages live in, their descriptors, and the free list.
 *
 * One anonymous mapping, reserved at once and touched as it is used; its size is the
 * bound of the cache and nothing grows past it.
 */

#include "lock_rank.h"
#include "page.h"

struct arena {
	/* Set once. */
	unsigned char *frames;
	struct cl_page *pages; /* descriptor n belongs to frame n */
	uint32_t npages;

	struct cl_mutex lock;
	uint32_t *free_pages; /* a stack of page numbers; guarded by lock */
	uint32_t nfree;	      /* guarded by lock */
};

/** @return 0 or -ENOMEM */
int arena_init(struct arena *arena, size_t size_bytes);
/** Every page must be free. */
void arena_fini(struct arena *arena);

/** A page with one pin, LOCKED by the caller, in no table; or NULL if none is free. */
struct cl_page *arena_alloc(struct arena *arena, struct cl_mapping *mapping,
			    uint64_t index);

/** Drop a pin. The last one frees the page: it must be out of its table by then. */
void arena_unpin(struct arena *arena, struct cl_page *page);

uint32_t arena_free_pages(struct arena *arena);

static inline uint32_t arena_page_number(const struct arena *arena,
					 const struct cl_page *page)
{
	return (uint32_t)(page - arena->pages);
}

static inline unsigned char *arena_page_bytes(const struct arena *arena,
					      const struct cl_page *page)
{
	return arena->frames +
	       ((size_t)arena_page_number(arena, page) << CL_PAGE_SHIFT);
}

#endif
