/* SPDX-License-Identifier: MIT */
/*
 * read(2), write(2), READs, and writeback.
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
	got = sim_daemon_read(k, folio->index, folio->npages, folio->cells, NULL, NULL);
	if (got < (size_t)folio->npages << CL_PAGE_SHIFT)
		short_read(k, (folio->index << CL_PAGE_SHIFT) + got, attr_version);
}

struct async_read {
	struct sim_kernel *k;
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
	got = sim_daemon_read(r->k, first, npages, r->cells, async_read_end, r);
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

/* --------------------------------------------------------------------- writeback */

struct page_write {
	uint64_t page;
	unsigned npages;
	uint8_t cells[FLAT_CELLS];
};

static bool may_write(const void *arg)
{
	return !((const struct sim_kernel *)arg)->no_write;
}

/* folio_clear_dirty_for_io(): who stores to it must fault again (folio_mkclean()) */
static void clear_dirty(struct sim_kernel *k, struct sim_folio *folio)
{
	folio->dirty = false;
	for (unsigned i = 0; i < k->nmappings; i++)
		for (unsigned p = 0; p < FLAT_PAGES; p++)
			if (k->mappings[i]->ptes[p].folio == folio)
				k->mappings[i]->ptes[p].writable = false;
}

/** Locked and dirty: it is under writeback, or a copy of it is (fuse_writepage_locked()
 *  before 6.16). */
static void start_write(struct sim_kernel *k, struct sim_folio *folio,
			struct page_write *write)
{
	if (k->config.temporary_copies)
		sim_wait_copies(k, folio);
	clear_dirty(k, folio);
	write->page = folio->index;
	write->npages = folio->npages;
	memcpy(write->cells, folio->cells, sizeof(write->cells));
	folio->writeback = !k->config.temporary_copies;
	for (unsigned i = 0; i < folio->npages; i++)
		k->copies[folio->index + i] += k->config.temporary_copies;
}

/* fuse_send_writepage(), fuse_flush_writepages(), fuse_writepage_end() */
static void send_write(struct sim_kernel *k, struct sim_folio *folio,
		       const struct page_write *write)
{
	const uint64_t start = write->page << CL_PAGE_SHIFT;
	uint64_t len = (uint64_t)write->npages << CL_PAGE_SHIFT;

	sched_wait("FUSE_NOWRITE", may_write, k);
	k->writing++;
	sched_point("write_sent");
	if (start >= k->i_size)
		len = 0; /* truncated off completely */
	else if (len > k->i_size - start)
		len = k->i_size - start;
	if (len > 0)
		sim_daemon_write(k, start, write->cells, (unsigned)(len / CELL_SIZE),
				 true);
	k->writing--;
	folio->writeback = false;
	for (unsigned i = 0; i < write->npages; i++)
		k->copies[write->page + i] -= k->config.temporary_copies;
}

/* fuse_launder_folio(): the folio stays locked meanwhile */
void sim_launder(struct sim_kernel *k, struct sim_folio *folio)
{
	struct page_write write;

	if (!folio->dirty)
		return;
	start_write(k, folio, &write);
	send_write(k, folio, &write);
}

/** Write a folio if it is still dirty. */
static void write_folio(struct sim_kernel *k, struct sim_folio *folio)
{
	struct page_write write;
	bool dirty;

	sim_lock(folio);
	sim_wait_writeback(k, folio);
	dirty = folio->attached && folio->dirty;
	if (dirty)
		start_write(k, folio, &write);
	sim_unlock(folio);
	if (dirty)
		send_write(k, folio, &write);
}

/* fuse_writepages(), filemap_fdatawait_range() */
void sim_msync(struct sim_kernel *k, unsigned page, unsigned end)
{
	for (; page < end; page++) {
		struct sim_folio *folio = sim_find(k, page);

		if (!folio)
			continue;
		write_folio(k, folio);
		sim_put(folio);
	}
}

/* writeback_iter(): only folios with the dirty tag are locked */
void sim_flush(struct sim_kernel *k, unsigned page, unsigned end)
{
	for (; page < end; page++) {
		struct sim_folio *folio = sim_find(k, page);

		if (!folio)
			continue;
		if (folio->dirty)
			write_folio(k, folio);
		sim_put(folio);
	}
}

/* kiocb_invalidate_pages(), as a direct write has it called */
void sim_drop(struct sim_kernel *k, unsigned page, unsigned end)
{
	sim_lock_inode(k);
	sim_msync(k, page, end);
	(void)sim_invalidate(k, page, end);
	sim_unlock_inode(k);
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
	sim_daemon_write(k, start, cells, n, false);
	k->attr_version = ++k->attr_clock; /* fuse_write_update_attr() */
	if (end > k->i_size)
		k->i_size = end;
	k->size_unstable = false;
	if (stays_locked)
		sim_unlock(folio);
	sim_put(folio);
	sim_unlock_inode(k);
}
