/* SPDX-License-Identifier: MIT */
/*
 * Writeback: WRITEs of dirty folios.
 *
 * As of 6.16 a folio is under writeback until its WRITE has been answered, and whoever
 * writes it may as well wait for that. Before, a copy of it is on its way, the folio is
 * clean at once, and the WRITE is a task of its own. If the page is written back once
 * more meanwhile, that copy waits as an auxiliary until the first one has been
 * answered.
 */

#include <stdlib.h>
#include <string.h>

#include "scheduler.h"
#include "sim_kernel.h"

/** struct fuse_writepage_args */
struct sim_write {
	struct sim_request request;
	struct sim_kernel *k;
	struct sim_folio *folio; /* under writeback; NULL: this is a copy */
	uint64_t page;
	unsigned npages;
	size_t len;			/* bytes, as sent */
	struct sim_write *auxiliary;	/* one at most: a later one replaces it */
	struct sim_write *next_to_send; /* while it is one of fi->queued_writes */
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

/** Locked and dirty: a WRITE of it. */
static struct sim_write *new_write(struct sim_kernel *k, struct sim_folio *folio)
{
	struct sim_write *write = calloc(1, sizeof(*write));

	if (!write)
		abort();
	clear_dirty(k, folio);
	write->k = k;
	write->page = folio->index;
	write->npages = folio->npages;
	memcpy(write->cells, folio->cells, sizeof(write->cells));
	return write;
}

static void put_write(struct sim_write *write)
{
	struct sim_kernel *k = write->k;

	for (unsigned i = 0; i < write->npages && !write->folio; i++)
		k->writepages[write->page + i] = NULL;
	if (write->folio)
		write->folio->writeback = false;
	free(write);
}

/** What is past the end is not sent. @return whether anything is left */
static bool crop(struct sim_write *write)
{
	const uint64_t start = write->page << CL_PAGE_SHIFT, end = write->k->i_size;

	write->len = (size_t)write->npages << CL_PAGE_SHIFT;
	if (start >= end)
		return false;
	if (write->len > end - start)
		write->len = (size_t)(end - start);
	return true;
}

/* ------------------------------------------------------------------- on their way */

static void start_copy(struct sim_write *write);

/* fuse_writepage_end(), in the daemon's write(2) of the answer */
static void write_end(void *arg)
{
	struct sim_write *write = arg, *auxiliary = write->auxiliary;
	struct sim_kernel *k = write->k;

	sim_answer(k, &write->request);
	k->writing--;
	put_write(write);
	if (auxiliary) {
		k->writepages[auxiliary->page] = auxiliary;
		start_copy(auxiliary);
	}
}

/** A thread of the daemon's. */
static void serve(void *arg)
{
	struct sim_write *write = arg;
	struct sim_kernel *k = write->k;

	sim_take(k, &write->request);
	sim_daemon_write(k, &write->request, write->page << CL_PAGE_SHIFT, write->cells,
			 (unsigned)(write->len / CELL_SIZE), write_end, write);
}

/* fuse_send_writepage() */
static bool send(struct sim_write *write)
{
	struct sim_kernel *k = write->k;

	if (!crop(write)) { /* truncated off completely */
		free(write->auxiliary);
		put_write(write);
		return false;
	}
	k->writing++;
	sim_send(k, &write->request);
	return true;
}

static void start_copy(struct sim_write *write)
{
	static const char *const names[] = {"write1", "write2", "write3", "write4",
					    "write5", "write6", "write7", "write8",
					    "write9", "write10"};
	struct sim_kernel *k = write->k;

	if (!send(write))
		return;
	if (k->nwrites == sizeof(names) / sizeof(names[0]))
		abort();
	sched_spawn(names[k->nwrites++], serve, write);
}

/* fuse_flush_writepages() */
void sim_flush_writepages(struct sim_kernel *k)
{
	while (k->queued_writes && !k->no_write) {
		struct sim_write *write = k->queued_writes;

		k->queued_writes = write->next_to_send;
		start_copy(write);
	}
}

/* fuse_writepages_fill(), fuse_writepages_send(), before 6.16 */
static void write_copy(struct sim_kernel *k, struct sim_folio *folio)
{
	struct sim_write *write = new_write(k, folio);
	struct sim_write *in_flight = k->writepages[write->page];
	struct sim_write **end = &k->queued_writes;

	if (in_flight) { /* fuse_writepage_add() */
		free(in_flight->auxiliary);
		in_flight->auxiliary = write;
		return;
	}
	for (unsigned i = 0; i < write->npages; i++)
		k->writepages[write->page + i] = write;
	while (*end)
		end = &(*end)->next_to_send;
	*end = write;
	sim_flush_writepages(k);
}

/** Send it, and be there until it has been answered. */
static void send_and_wait(struct sim_kernel *k, struct sim_write *write)
{
	sched_wait("FUSE_NOWRITE", may_write, k);
	if (!send(write))
		return;
	sched_point("write_sent");
	serve(write);
}

/* ------------------------------------------------------------------- who writes back
 */

/* fuse_launder_folio(): the folio stays locked meanwhile */
void sim_launder(struct sim_kernel *k, struct sim_folio *folio)
{
	if (!folio->dirty)
		return;
	if (k->config.temporary_copies) {
		sim_wait_copies(k, folio);
		write_copy(k, folio);
		sim_wait_copies(k, folio);
	} else {
		struct sim_write *write = new_write(k, folio);

		write->folio = folio;
		folio->writeback = true;
		send_and_wait(k, write);
	}
}

/** Write a folio if it is still dirty. */
static void write_folio(struct sim_kernel *k, struct sim_folio *folio)
{
	struct sim_write *write = NULL;

	sim_lock(folio);
	sim_wait_writeback(k, folio);
	if (folio->attached && folio->dirty && k->config.temporary_copies) {
		write_copy(k, folio);
	} else if (folio->attached && folio->dirty) {
		write = new_write(k, folio);
		write->folio = folio;
		folio->writeback = true;
	}
	sim_unlock(folio);
	if (write)
		send_and_wait(k, write);
}

/* fuse_writepages(), filemap_fdatawait_range(), fuse_sync_writes() */
void sim_msync(struct sim_kernel *k, unsigned page, unsigned end)
{
	for (unsigned i = page; i < end; i++) {
		struct sim_folio *folio = sim_find(k, i);

		if (!folio)
			continue;
		write_folio(k, folio);
		sim_put(folio);
	}
	for (unsigned i = page; i < end && i < FLAT_PAGES; i++)
		sim_wait_copies_of(k, i, 1);
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
