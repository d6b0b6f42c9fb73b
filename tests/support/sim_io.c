/* SPDX-License-Identifier: MIT */
/*
 * read(2), write(2), and READs.
 */

#include <stdlib.h>
#include <string.h>

#include "scheduler.h"
#include "sim_kernel.h"

/* -------------------------------------------------------------------------- READ */

/**
 * fuse_short_read(): the size is taken from a short answer, improperly: nothing is
 * unmapped.
 */
static void short_read(struct sim_kernel *k, uint64_t end, uint64_t attr_version)
{
	k->daemon.shorts++;
	if (attr_version < k->attr_version || k->size_unstable || end >= k->i_size)
		return;
	k->attr_version = ++k->attr_clock;
	k->i_size = end;
}

/* fuse_do_readfolio() */
void sim_fill(struct sim_kernel *k, struct sim_folio *folio)
{
	uint64_t attr_version;
	size_t got;

	if (k->config.temporary_copies)
		sim_wait_copies(k, folio);
	attr_version = k->attr_clock;
	sched_point("read_sent");
	got = sim_daemon_read(k, NULL, folio->index, folio->npages, folio->cells, NULL,
			      NULL);
	if (got < (size_t)folio->npages << CL_PAGE_SHIFT)
		short_read(k, (folio->index << CL_PAGE_SHIFT) + got, attr_version);
}

struct async_read {
	struct sim_kernel *k;
	struct sim_request request;
	struct sim_folio *folios[FLAT_PAGES];
	unsigned n;
	uint64_t attr_version;
	uint8_t cells[FLAT_CELLS];
};

/* fuse_readpages_end(), in the daemon's write(2) of the answer */
static void async_read_end(void *arg)
{
	struct async_read *r = arg;
	const uint8_t *from = r->cells;

	sim_answer(r->k, &r->request);
	for (unsigned i = 0; i < r->n; i++) {
		struct sim_folio *folio = r->folios[i];
		const size_t len = (size_t)folio->npages * CELLS_PER_PAGE;

		memcpy(folio->cells, from, len);
		from += len;
		folio->uptodate = true;
		sim_unlock(folio);
		sim_put(folio);
	}
}

static void async_read(void *arg)
{
	struct async_read *r = arg;
	const uint64_t first = r->folios[0]->index;
	unsigned npages = 0;
	size_t got;

	for (unsigned i = 0; i < r->n; i++) {
		if (r->k->config.temporary_copies)
			sim_wait_copies(r->k, r->folios[i]);
		npages += r->folios[i]->npages;
	}
	sched_point("readahead_sent");
	sim_send(r->k, &r->request);
	sim_take(r->k, &r->request);
	got = sim_daemon_read(r->k, &r->request, first, npages, r->cells,
			      async_read_end, r);
	if (got < (size_t)npages << CL_PAGE_SHIFT)
		short_read(r->k, (first << CL_PAGE_SHIFT) + got, r->attr_version);
	free(r);
}

/* fuse_readahead(), fuse_send_readpages() */
void sim_fill_async(struct sim_kernel *k, struct sim_folio **folios, unsigned n)
{
	static const char *const names[] = {
		"readahead1", "readahead2", "readahead3", "readahead4", "readahead5",
		"readahead6", "readahead7", "readahead8", "readahead9", "readahead10"};
	struct async_read *r;

	if (n == 0)
		return;
	if (k->nreadaheads == sizeof(names) / sizeof(names[0]))
		abort();
	r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	r->k = k;
	r->n = n;
	r->attr_version = k->attr_clock;
	memcpy(r->folios, folios, n * sizeof(*folios));
	sched_spawn(names[k->nreadaheads++], async_read, r);
}

/* filemap_get_pages(): up to date when this returns, and not locked */
static struct sim_folio *get_folio(struct sim_kernel *k, unsigned page)
{
	for (;;) {
		struct sim_folio *folio = sim_find(k, page);

		if (!folio && k->config.readahead > 0) {
			sim_readahead(k, page, 1);
			folio = sim_find(k, page);
		}
		if (!folio) {
			folio = sim_add(k, page, 1);
			sim_unlock(folio);
		}
		if (folio->uptodate)
			return folio;
		sched_point("read_found");
		sim_lock(folio); /* filemap_update_page() */
		if (folio->attached && !folio->uptodate) {
			sim_fill(k, folio);
			folio->uptodate = true;
		}
		sim_unlock(folio);
		if (folio->attached)
			return folio;
		sim_put(folio);
	}
}

/* filemap_read(), of one page */
unsigned sim_read(struct sim_kernel *k, unsigned page, uint8_t *cells)
{
	const uint64_t start = (uint64_t)page << CL_PAGE_SHIFT;
	struct sim_folio *folio;
	unsigned n = 0;

	if (start >= k->i_size)
		return 0;
	folio = get_folio(k, page);
	sched_point("read_filled");
	/* The size is looked at when the page is up to date. */
	if (start < k->i_size)
		n = k->i_size - start < CL_PAGE_SIZE
			    ? (unsigned)((k->i_size - start) / CELL_SIZE)
			    : CELLS_PER_PAGE;
	memcpy(cells, folio->cells + (page - folio->index) * CELLS_PER_PAGE, n);
	sim_put(folio);
	return n;
}

/* ---------------------------------------------------------------------- write(2) */

/* fuse_fill_write_pages(): a folio that is not filled by the write stays locked */
static struct sim_folio *fill_write(struct sim_kernel *k, unsigned page, unsigned cell,
				    unsigned n, uint8_t value)
{
	struct sim_folio *folio;

	for (;;) {
		folio = sim_find(k, page);
		if (!folio) {
			folio = sim_add(k, page, 1);
			break;
		}
		sim_lock(folio);
		if (folio->attached)
			break;
		sim_unlock(folio);
		sim_put(folio);
	}
	sim_wait_writeback(k, folio); /* fuse_send_write_pages() */
	if (k->config.temporary_copies)
		sim_wait_copies(k, folio);
	memset(folio->cells + (page - folio->index) * CELLS_PER_PAGE + cell, value, n);
	if (n == CELLS_PER_PAGE && folio->npages == 1)
		folio->uptodate = true;
	return folio;
}

/* fuse_perform_write() */
void sim_write(struct sim_kernel *k, unsigned page, unsigned cell, unsigned n,
	       uint8_t value)
{
	const uint64_t start = ((uint64_t)page << CL_PAGE_SHIFT) + cell * CELL_SIZE;
	const uint64_t end = start + n * CELL_SIZE;
	uint8_t cells[CELLS_PER_PAGE];
	struct sim_folio *folio;
	bool stays_locked;

	sim_lock_inode(k);
	k->size_unstable = end > k->i_size;
	folio = fill_write(k, page, cell, n, value);
	stays_locked = !folio->uptodate;
	if (!stays_locked)
		sim_unlock(folio);
	sched_point("write_sent");
	memset(cells, value, n);
	sim_daemon_write(k, NULL, start, cells, n, NULL, NULL);
	k->attr_version = ++k->attr_clock; /* fuse_write_update_attr() */
	if (end > k->i_size)
		k->i_size = end;
	k->size_unstable = false;
	if (stays_locked)
		sim_unlock(folio);
	sim_put(folio);
	sim_unlock_inode(k);
}
