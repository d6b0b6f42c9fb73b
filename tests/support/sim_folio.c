/* SPDX-License-Identifier: MIT */
/*
 * Folios: the page cache of one inode, and taking pages out of it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler.h"
#include "sim_kernel.h"

void sim_init(struct sim_kernel *k, const struct sim_config *config,
	      struct flat_file *store)
{
	memset(k, 0, sizeof(*k));
	k->config = *config;
	k->store = store;
	k->i_size = k->daemon.seen_size = flat_size(store);
}

void sim_fini(struct sim_kernel *k)
{
	for (unsigned i = 0; i < k->nfolios; i++)
		free(k->folios[i]);
}

void sim_map(struct sim_kernel *k, struct sim_mapping *mapping, bool is_private)
{
	if (k->nmappings == SIM_MAPPINGS)
		abort();
	memset(mapping, 0, sizeof(*mapping));
	mapping->is_private = is_private;
	k->mappings[k->nmappings++] = mapping;
}

/* ------------------------------------------------------------------- one folio */

static bool is_unlocked(const void *folio)
{
	return !((const struct sim_folio *)folio)->locked;
}

/* folio_lock() */
void sim_lock(struct sim_folio *folio)
{
	sched_wait("a folio lock", is_unlocked, folio);
	folio->locked = true;
}

/* folio_unlock() */
void sim_unlock(struct sim_folio *folio)
{
	folio->locked = false;
}

void sim_put(struct sim_folio *folio)
{
	folio->refs--;
}

static bool is_written(const void *folio)
{
	return !((const struct sim_folio *)folio)->writeback;
}

/* folio_wait_writeback(): before 6.16 it says nothing about temporary copies */
void sim_wait_writeback(struct sim_kernel *k, struct sim_folio *folio)
{
	(void)k;
	sched_wait("a folio's writeback", is_written, folio);
}

struct copies {
	const struct sim_kernel *k;
	uint64_t page;
	unsigned npages;
};

static bool no_copies(const void *arg)
{
	const struct copies *c = arg;

	for (unsigned i = 0; i < c->npages; i++)
		if (c->k->writepages[c->page + i])
			return false;
	return true;
}

/* fuse_wait_on_page_writeback(), before 6.16 */
void sim_wait_copies_of(struct sim_kernel *k, uint64_t page, unsigned npages)
{
	const struct copies c = {k, page, npages};

	sched_wait("a temporary copy", no_copies, &c);
}

void sim_wait_copies(struct sim_kernel *k, const struct sim_folio *folio)
{
	sim_wait_copies_of(k, folio->index, folio->npages);
}

/* --------------------------------------------------------------- the page cache */

/* filemap_get_folio() */
struct sim_folio *sim_find(struct sim_kernel *k, uint64_t page)
{
	struct sim_folio *folio = page < FLAT_PAGES ? k->cache[page] : NULL;

	if (folio)
		folio->refs++;
	return folio;
}

static struct sim_folio *new_folio(struct sim_kernel *k, uint64_t page, unsigned npages)
{
	struct sim_folio *folio = calloc(1, sizeof(*folio));

	if (!folio || k->nfolios == SIM_FOLIOS)
		abort();
	folio->index = page;
	folio->npages = npages;
	folio->attached = true;
	k->folios[k->nfolios++] = folio;
	for (unsigned i = 0; i < npages; i++)
		k->cache[page + i] = folio;
	return folio;
}

/* filemap_add_folio() */
struct sim_folio *sim_add(struct sim_kernel *k, uint64_t page, unsigned npages)
{
	struct sim_folio *folio;

	for (unsigned i = 0; i < npages; i++)
		if (page + i >= FLAT_PAGES || k->cache[page + i])
			return NULL;
	folio = new_folio(k, page, npages);
	folio->locked = true;
	folio->refs = 1;
	return folio;
}

/* __filemap_remove_folio() */
static void detach(struct sim_kernel *k, struct sim_folio *folio)
{
	for (unsigned i = 0; i < folio->npages; i++)
		k->cache[folio->index + i] = NULL;
	folio->attached = false;
	folio->dirty = false;
}

/* unmap_mapping_pages(), with even_cows for `copies_too` */
void sim_unmap(struct sim_kernel *k, uint64_t page, uint64_t end, bool copies_too)
{
	for (unsigned i = 0; i < k->nmappings; i++)
		for (uint64_t p = page; p < end && p < FLAT_PAGES; p++) {
			struct sim_pte *pte = &k->mappings[i]->ptes[p];

			if (!pte->is_copy || copies_too)
				*pte = (struct sim_pte){0};
		}
}

static void unmap_folio(struct sim_kernel *k, const struct sim_folio *folio)
{
	sim_unmap(k, folio->index, folio->index + folio->npages, false);
}

/* folio_unmap_invalidate() and invalidate_complete_folio2(), folio locked */
static int drop_folio(struct sim_kernel *k, struct sim_folio *folio)
{
	unmap_folio(k, folio);
	sim_launder(k, folio);
	if (folio->dirty)
		return -EBUSY;
	detach(k, folio);
	return 0;
}

/* invalidate_inode_pages2_range() */
int sim_invalidate(struct sim_kernel *k, uint64_t page, uint64_t end)
{
	bool unmapped = false;
	int ret = 0;

	while (page < end && page < FLAT_PAGES) {
		struct sim_folio *folio = sim_find(k, page++);

		if (!folio)
			continue;
		if (!unmapped)
			sim_unmap(k, page - 1, end, false);
		unmapped = true;
		sched_point("invalidate_unmapped");
		sim_lock(folio);
		if (folio->attached) {
			sim_wait_writeback(k, folio);
			if (drop_folio(k, folio) < 0)
				ret = -EBUSY;
		}
		sim_unlock(folio);
		sim_put(folio);
	}
	return ret;
}

/* shrink_folio_list(): a trylock; nobody else may have a reference */
void sim_shrink(struct sim_kernel *k)
{
	for (unsigned page = 0; page < FLAT_PAGES; page++) {
		struct sim_folio *folio = k->cache[page];

		if (!folio || folio->locked || folio->dirty || folio->writeback ||
		    folio->refs > 0)
			continue;
		unmap_folio(k, folio);
		detach(k, folio);
	}
}

/* ------------------------------------------------------------------- truncation */

/* split_folio(): the first page stays, the others become folios of their own */
static void split(struct sim_kernel *k, struct sim_folio *folio)
{
	const unsigned npages = folio->npages;

	folio->npages = 1;
	for (unsigned i = 1; i < npages; i++) {
		const uint64_t page = folio->index + i;
		struct sim_folio *part;

		k->cache[page] = NULL;
		part = new_folio(k, page, 1);
		part->uptodate = folio->uptodate;
		part->dirty = folio->dirty;
		memcpy(part->cells, folio->cells + (size_t)i * CELLS_PER_PAGE,
		       CELLS_PER_PAGE);
		for (unsigned m = 0; m < k->nmappings; m++)
			if (k->mappings[m]->ptes[page].folio == folio)
				k->mappings[m]->ptes[page].folio = part;
	}
}

/* truncate_inode_partial_folio(): what is past the end becomes zero */
static void truncate_partial(struct sim_kernel *k, uint64_t size)
{
	struct sim_folio *folio = sim_find(k, size >> CL_PAGE_SHIFT);

	if (!folio)
		return;
	sim_lock(folio);
	if (folio->attached && folio->index << CL_PAGE_SHIFT < size) {
		const size_t keep =
			(size - (folio->index << CL_PAGE_SHIFT)) / CELL_SIZE;

		sim_wait_writeback(k, folio);
		memset(folio->cells + keep, 0,
		       (size_t)folio->npages * CELLS_PER_PAGE - keep);
		if (folio->npages > 1 && folio->refs == 1) {
			split(k, folio);
		} else if (folio->npages > 1 && !folio->dirty) {
			unmap_folio(k, folio);
			detach(k, folio);
		}
	}
	sim_unlock(folio);
	sim_put(folio);
}

/* truncate_inode_pages_range(), its second pass: the one that waits */
static void truncate_whole(struct sim_kernel *k, uint64_t size)
{
	for (uint64_t page = sim_pages_up(size); page < FLAT_PAGES; page++) {
		struct sim_folio *folio = sim_find(k, page);

		if (!folio)
			continue;
		sim_lock(folio);
		sim_wait_writeback(k, folio);
		if (folio->attached && folio->index << CL_PAGE_SHIFT >= size) {
			unmap_folio(k, folio);
			detach(k, folio);
		}
		sim_unlock(folio);
		sim_put(folio);
	}
}

/* truncate_pagecache(): private copies can be made while the pages are being dropped;
 * hence the second unmap */
void sim_truncate_pages(struct sim_kernel *k, uint64_t size)
{
	sim_unmap(k, sim_pages_up(size), FLAT_PAGES, true);
	sched_point("truncate_unmapped");
	truncate_partial(k, size);
	truncate_whole(k, size);
	sched_point("truncate_dropped");
	sim_unmap(k, sim_pages_up(size), FLAT_PAGES, true);
}
