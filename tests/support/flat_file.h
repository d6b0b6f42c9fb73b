/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FLAT_FILE_H
#define TESTS_SUPPORT_FLAT_FILE_H

/*
 * A file without any cache: what every cache has to look like. It is the store under
 * the simulated kernel, and the model that histories are compared with.
 *
 * The unit is a cell of 256 bytes that are all alike, so a whole file is a few hundred
 * bytes to copy and compare, and a mixture inside of a cell is seen.
 */

#include "cachelayer/range_op.h"
#include "cachelayer/store.h"

#define CELL_SIZE      256u
#define CELLS_PER_PAGE ((unsigned)(CL_PAGE_SIZE / CELL_SIZE))
#define FLAT_PAGES     16u
#define FLAT_CELLS     (FLAT_PAGES * CELLS_PER_PAGE)

struct flat_file {
	unsigned ncells;
	uint8_t cells[FLAT_CELLS]; /* zero behind the end */
};

/** A file of so many pages; its cells are 1, 2, 3 … up to 12 pages, no two alike. */
void flat_init(struct flat_file *file, unsigned npages);
/** What a cell that the file began with is called: page and cell, "4.0". */
const char *flat_cell_name(uint8_t value, char name[16]);
/** Values of stores begin here: nothing in a file is like them. */
#define FLAT_FIRST_STORE 200u

static inline uint64_t flat_size(const struct flat_file *file)
{
	return (uint64_t)file->ncells * CELL_SIZE;
}

/** Pages, the last one perhaps in part. */
static inline unsigned flat_pages(const struct flat_file *file)
{
	return (file->ncells + CELLS_PER_PAGE - 1) / CELLS_PER_PAGE;
}

bool flat_equal(const struct flat_file *a, const struct flat_file *b);
void flat_resize(struct flat_file *file, unsigned ncells);
/** As cl_range_op_run() has it; multiples of cells. */
void flat_apply(struct flat_file *file, const struct cl_range_op *op);

/** The file as a store: multiples of cells, save at the end of the file. */
extern const struct cl_store_ops flat_store_ops;

/** Bytes from cells. */
void cells_to_bytes(uint8_t *bytes, const uint8_t *cells, unsigned ncells);
/** Cells from bytes. Ends the program if the bytes of a cell differ. */
void bytes_to_cells(uint8_t *cells, const uint8_t *bytes, unsigned ncells);

#endif
