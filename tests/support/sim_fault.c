/* SPDX-License-Identifier: MIT */
/*
 * Loads and stores through mappings, and the faults that they cause.
 */

#include <stdlib.h>
#include <string.h>

#include "scheduler.h"
#include "sim_kernel.h"

static uint8_t *cell_of(struct sim_folio *folio, unsigned page, unsigned cell)
{
	return &folio->cells[(page - folio->index) * CELLS_PER_PAGE + cell];
}

/* page_cache_ra_unbounded(), page_cache_ra_order(): what is absent is added, locked,
 * and asked for in runs */
void sim_readahead(struct sim_kernel *k, unsigned page, unsigned npages)
{
	const unsigned order = k->config.folio_pages > 1 ? k->config.folio_pages : 1;
	const unsigned end = sim_pages_up(k->i_size);
	unsigned i = page & ~(order - 1);
	struct sim_folio *run[FLAT_PAGES];
	unsigned n = 0;

	for (; i < page + npages && i < end; i += order) {
		struct sim_folio *folio = sim_add(k, i, order);

		if (folio) {
			run[n++] = folio;
			continue;
		}
		sim_fill_async(k, run, n);
		n = 0;
	}
	sim_fill_async(k, run, n);
}

/**
 * filemap_fault().
 * @return the folio, locked, up to date, with a reference; NULL for SIGBUS
 */
static struct sim_folio *fault_folio(struct sim_kernel *k, unsigned page)
{
	for (;;) {
		struct sim_folio *folio;

		if (page >= sim_pages_up(k->i_size))
			return NULL;
		folio = sim_find(k, page);
		if (!folio && k->config.readahead > 0) {
			/* do_sync_mmap_readahead(): around the fault */
			sim_readahead(k, page & ~(k->config.readahead - 1),
				      k->config.readahead);
			folio = sim_find(k, page);
		}
		if (!folio) {
			folio = sim_add(k, page, 1);
			sim_unlock(folio); /* FGP_FOR_MMAP */
		}
		sched_point("fault_found");
		sim_lock(folio);
		if (!folio->attached) {
			sim_unlock(folio);
			sim_put(folio);
			continue;
		}
		if (folio->uptodate) {
			if (page < sim_pages_up(k->i_size))
				return folio;
			sim_unlock(folio);
			sim_put(folio);
			return NULL;
		}
		sim_fill(k, folio);
		folio->uptodate = true;
		sched_point("fault_filled");
		sim_unlock(folio); /* fuse_read_folio() does; then it is found again */
		sim_put(folio);
	}
}

/* finish_fault(): the folio is locked, so it is still the cache's */
static void map(struct sim_pte *pte, struct sim_folio *folio, bool writable)
{
	*pte = (struct sim_pte){.folio = folio, .writable = writable};
}

static int fault_read(struct sim_kernel *k, struct sim_mapping *m, unsigned page)
{
	struct sim_folio *folio = fault_folio(k, page);

	if (!folio)
		return SIM_SIGBUS;
	if (!m->ptes[page].is_copy)
		map(&m->ptes[page], folio, false);
	sim_unlock(folio);
	sim_put(folio);
	return 0;
}

int sim_load(struct sim_kernel *k, struct sim_mapping *m, unsigned page, unsigned cell)
{
	const struct sim_pte *pte = &m->ptes[page];

	while (!pte->folio && !pte->is_copy) {
		if (fault_read(k, m, page) < 0)
			return SIM_SIGBUS;
		sched_point("fault_done"); /* the instruction is tried again */
	}
	return pte->is_copy ? pte->copy[cell] : *cell_of(pte->folio, page, cell);
}

/* do_cow_fault(), and wp_page_copy() for a page that is mapped already */
static int copy_on_write(struct sim_kernel *k, struct sim_mapping *m, unsigned page)
{
	struct sim_pte *pte = &m->ptes[page];
	struct sim_folio *folio = pte->folio;

	if (folio) {
		pte->is_copy = true;
		memcpy(pte->copy, cell_of(folio, page, 0), CELLS_PER_PAGE);
		pte->folio = NULL;
		return 0;
	}
	folio = fault_folio(k, page);
	if (!folio)
		return SIM_SIGBUS;
	if (!pte->is_copy) {
		memcpy(pte->copy, cell_of(folio, page, 0), CELLS_PER_PAGE);
		pte->is_copy = true;
		pte->folio = NULL;
	}
	sim_unlock(folio);
	sim_put(folio);
	return 0;
}

/**
 * fuse_page_mkwrite(), then finish_mkwrite_fault() and fault_dirty_shared_page().
 * @param folio  with a reference, not locked; the reference is dropped
 */
static void make_writable(struct sim_kernel *k, struct sim_pte *pte,
			  struct sim_folio *folio)
{
	sched_point("mkwrite");
	sim_lock(folio);
	if (folio->attached) {
		sim_wait_writeback(k, folio);
		sim_wait_copies(k, folio);
		folio->dirty = true;
		map(pte, folio, true);
	}
	sim_unlock(folio);
	sim_put(folio);
}

/* do_shared_fault(), do_wp_page() */
static int fault_write(struct sim_kernel *k, struct sim_mapping *m, unsigned page)
{
	struct sim_pte *pte = &m->ptes[page];
	struct sim_folio *folio = pte->folio;

	if (folio) {
		folio->refs++;
	} else {
		folio = fault_folio(k, page);
		if (!folio)
			return SIM_SIGBUS;
		sim_unlock(folio);
	}
	make_writable(k, pte, folio);
	return 0;
}

int sim_store(struct sim_kernel *k, struct sim_mapping *m, unsigned page, unsigned cell,
	      uint8_t value)
{
	struct sim_pte *pte = &m->ptes[page];

	if (m->is_private) {
		while (!pte->is_copy) {
			if (copy_on_write(k, m, page) < 0)
				return SIM_SIGBUS;
			sched_point("fault_done");
		}
		pte->copy[cell] = value;
		return 0;
	}
	while (!pte->folio || !pte->writable) {
		if (fault_write(k, m, page) < 0)
			return SIM_SIGBUS;
		sched_point("fault_done");
	}
	if (!pte->folio->dirty || !pte->folio->attached)
		k->wrong("a page is mapped writable that nobody will write back");
	*cell_of(pte->folio, page, cell) = value;
	return 0;
}

struct sim_folio *sim_pin(struct sim_kernel *k, struct sim_mapping *m, unsigned page)
{
	struct sim_pte *pte = &m->ptes[page];

	while (!pte->folio || !pte->writable) {
		if (fault_write(k, m, page) < 0)
			return NULL;
		sched_point("fault_done");
	}
	pte->folio->refs++;
	return pte->folio;
}

/* set_page_dirty_lock() */
void sim_unpin_dirty(struct sim_folio *folio, unsigned page, unsigned cell,
		     uint8_t value)
{
	sim_lock(folio);
	if (!folio->attached)
		abort(); /* what becomes of such a page is the kernel's own business */
	*cell_of(folio, page, cell) = value;
	folio->dirty = true;
	sim_unlock(folio);
	sim_put(folio);
}
