/* SPDX-License-Identifier: MIT */
/* A file without any cache. */

#include "flat_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void flat_init(struct flat_file *file, unsigned npages)
{
	memset(file, 0, sizeof(*file));
	file->ncells = npages * CELLS_PER_PAGE;
	if (file->ncells >= FLAT_FIRST_STORE)
		abort();
	for (unsigned i = 0; i < file->ncells; i++)
		file->cells[i] = (uint8_t)(i + 1);
}

const char *flat_cell_name(uint8_t value, char name[16])
{
	if (value == 0)
		return "zero";
	if (value >= FLAT_FIRST_STORE)
		snprintf(name, 16, "store#%u", value - FLAT_FIRST_STORE + 1);
	else
		snprintf(name, 16, "%u.%u", (value - 1) / CELLS_PER_PAGE,
			 (value - 1) % CELLS_PER_PAGE);
	return name;
}

bool flat_equal(const struct flat_file *a, const struct flat_file *b)
{
	return a->ncells == b->ncells && memcmp(a->cells, b->cells, FLAT_CELLS) == 0;
}

void flat_resize(struct flat_file *file, unsigned ncells)
{
	if (ncells > FLAT_CELLS)
		abort();
	if (ncells < file->ncells)
		memset(file->cells + ncells, 0, file->ncells - ncells);
	file->ncells = ncells;
}

static void move(struct flat_file *file, unsigned from, unsigned to, unsigned n)
{
	memmove(file->cells + to, file->cells + from, n);
}

static void clear(struct flat_file *file, unsigned from, unsigned n)
{
	if (from < file->ncells)
		memset(file->cells + from, 0,
		       n < file->ncells - from ? n : file->ncells - from);
}

void flat_apply(struct flat_file *file, const struct cl_range_op *op)
{
	const unsigned at = (unsigned)(op->offset / CELL_SIZE);
	const unsigned n = (unsigned)(op->len / CELL_SIZE);

	switch (op->kind) {
	case CL_PUNCH:
	case CL_ZERO:
		clear(file, at, n);
		break;
	case CL_COLLAPSE:
		move(file, at + n, at, file->ncells - at - n);
		flat_resize(file, file->ncells - n);
		break;
	case CL_INSERT:
		flat_resize(file, file->ncells + n);
		move(file, at, at + n, file->ncells - n - at);
		clear(file, at, n);
		break;
	case CL_MOVE:
		move(file, at, (unsigned)(op->destination / CELL_SIZE), n);
		clear(file, at, n);
		break;
	}
}

void cells_to_bytes(uint8_t *bytes, const uint8_t *cells, unsigned ncells)
{
	for (unsigned i = 0; i < ncells; i++)
		memset(bytes + (size_t)i * CELL_SIZE, cells[i], CELL_SIZE);
}

void bytes_to_cells(uint8_t *cells, const uint8_t *bytes, unsigned ncells)
{
	for (unsigned i = 0; i < ncells; i++) {
		const uint8_t *cell = bytes + (size_t)i * CELL_SIZE;

		if (memcmp(cell, cell + 1, CELL_SIZE - 1) != 0) {
			fprintf(stderr, "a torn cell\n");
			abort();
		}
		cells[i] = cell[0];
	}
}

/* ---------------------------------------------------------------- as a store */

static ssize_t read_vectors(void *store, const struct iovec *iov, int iovcnt,
			    uint64_t offset)
{
	const struct flat_file *file = store;
	unsigned at = (unsigned)(offset / CELL_SIZE);
	ssize_t done = 0;

	for (int i = 0; i < iovcnt; i++) {
		unsigned n = (unsigned)(iov[i].iov_len / CELL_SIZE);

		if (at >= file->ncells)
			break;
		if (n > file->ncells - at)
			n = file->ncells - at;
		cells_to_bytes(iov[i].iov_base, file->cells + at, n);
		at += n;
		done += (ssize_t)(n * CELL_SIZE);
	}
	return done;
}

static ssize_t write_vectors(void *store, const struct iovec *iov, int iovcnt,
			     uint64_t offset)
{
	struct flat_file *file = store;
	unsigned at = (unsigned)(offset / CELL_SIZE);
	ssize_t done = 0;

	for (int i = 0; i < iovcnt; i++) {
		const unsigned n = (unsigned)(iov[i].iov_len / CELL_SIZE);

		if (at + n > file->ncells)
			flat_resize(file, at + n);
		bytes_to_cells(file->cells + at, iov[i].iov_base, n);
		at += n;
		done += (ssize_t)iov[i].iov_len;
	}
	return done;
}

static int sync_nothing(void *store, bool data_only)
{
	(void)store;
	(void)data_only;
	return 0;
}

const struct cl_store_ops flat_store_ops = {
	.preadv = read_vectors,
	.pwritev = write_vectors,
	.sync = sync_nothing,
};
