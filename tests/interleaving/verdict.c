/* SPDX-License-Identifier: MIT */
/* What must hold in the simulated kernel and in the library beside it. */

#include "verdict.h"

#include "mapping_internal.h"

static bool is_resident(struct sim_kernel *k, uint64_t page)
{
	const struct cl_range range = {offset_of_page(page), offset_of_page(page + 1)};
	struct cl_range run;

	return gate_next_resident(&k->below->gate, range, 1, &run);
}

/* I1. A folio that is locked and empty belongs to a READ, which is parked or to come.
 */
void verdict_resident(struct sim_kernel *k)
{
	for (unsigned page = 0; page < FLAT_PAGES; page++)
		if (k->cache[page] && k->cache[page]->uptodate && !is_resident(k, page))
			k->wrong("the upper cache has a page that is not in the "
				 "resident set");
}

/* I2 and I9, as the kernel knows them. */
void verdict_change(struct sim_kernel *k, const struct cl_range_op *op)
{
	const struct cl_range span = {op->offset, op->offset + op->len};
	const struct cl_range to = {op->destination, op->destination + op->len};
	const bool to_end = op->kind == CL_COLLAPSE || op->kind == CL_INSERT;

	for (unsigned page = 0; page < FLAT_PAGES; page++) {
		const struct cl_range bytes = {offset_of_page(page),
					       offset_of_page(page + 1)};
		const bool affected =
			cl_range_overlaps(bytes, span) ||
			(to_end && bytes.start >= op->offset) ||
			(op->kind == CL_MOVE && cl_range_overlaps(bytes, to));

		if (affected && k->cache[page] && k->cache[page]->uptodate)
			k->wrong("the store changes, and a page of the range is still "
				 "in the upper cache");
		if (affected && k->writepages[page])
			k->wrong("the store changes, and a WRITE of the range is still "
				 "on its way");
	}
	verdict_resident(k);
}

static void compare_with_store(struct sim_kernel *k, const uint8_t *cells,
			       unsigned page, unsigned ncells, const char *what)
{
	for (unsigned i = 0; i < ncells; i++)
		if (cells[i] != k->store->cells[page * CELLS_PER_PAGE + i])
			k->wrong(what);
}

/* Everything is quiet; what is dirty has been written. */
void verdict_contents(struct sim_kernel *k)
{
	if (k->i_size != flat_size(k->store) ||
	    cl_mapping_size(k->below) != flat_size(k->store))
		k->wrong("the sizes differ");
	for (unsigned page = 0; page < FLAT_PAGES; page++) {
		const struct sim_folio *folio = k->cache[page];

		if (!folio || !folio->uptodate)
			continue;
		compare_with_store(
			k, folio->cells + (page - folio->index) * CELLS_PER_PAGE, page,
			CELLS_PER_PAGE, "the upper cache shows something stale");
	}
	for (unsigned page = 0; page < flat_pages(k->store); page++) {
		uint8_t cells[CELLS_PER_PAGE];

		(void)sim_daemon_read(k, NULL, page, 1, cells, NULL, NULL);
		compare_with_store(k, cells, page, CELLS_PER_PAGE,
				   "the page cache has something stale");
	}
}

/* What is mapped is in the upper cache; a private copy past the end is gone. */
void verdict_mappings(struct sim_kernel *k)
{
	for (unsigned i = 0; i < k->nmappings; i++)
		for (unsigned page = 0; page < FLAT_PAGES; page++) {
			const struct sim_pte *pte = &k->mappings[i]->ptes[page];

			if (pte->folio && pte->folio != k->cache[page])
				k->wrong("a page is mapped that has left the upper "
					 "cache");
			if (pte->is_copy && page >= flat_pages(k->store))
				k->wrong("a private copy past the end lives on");
		}
}
