/* SPDX-License-Identifier: MIT */
/*
 * The search for an order that explains a history.
 *
 * Depth first: any operation may come next that began before each of those left has
 * ended. A schedule has a dozen of them, few at the same time.
 */

#include "history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGBUS_SEEN (-1)

struct search {
	const struct history *history;
	uint64_t done; /* a bit for each operation */
};

void history_init(struct history *history, unsigned npages)
{
	flat_init(&history->initial, npages);
	history->nops = 0;
}

void history_add(struct history *history, const struct history_op *op)
{
	if (history->nops == HISTORY_OPS) {
		fprintf(stderr, "history: more than %u operations\n", HISTORY_OPS);
		abort();
	}
	history->ops[history->nops++] = *op;
}

/* ------------------------------------------------------------- one operation */

static bool overlaps(const struct history_op *a, const struct history_op *b)
{
	return a->begun < b->ended && b->begun < a->ended;
}

/**
 * Whether an end of the file moves over this access while it runs.
 * @param truncates  only truncations count
 */
static bool end_moves(const struct history *history, const struct history_op *access,
		      bool truncates)
{
	for (unsigned i = 0; i < history->nops; i++) {
		const struct history_op *op = &history->ops[i];
		const bool resizes =
			op->kind == HISTORY_RESIZE || op->kind == HISTORY_CUT;

		if (!overlaps(op, access))
			continue;
		if (resizes && access->page >= op->ncells / CELLS_PER_PAGE)
			return true;
		/* The end that moves is that of the file as it is then; pages behind
		 * the change are few, so all of them count. */
		if (op->kind == HISTORY_RANGE_OP && !truncates &&
		    (op->op.kind == CL_COLLAPSE || op->op.kind == CL_INSERT) &&
		    access->page >= op->op.offset >> CL_PAGE_SHIFT)
			return true;
	}
	return false;
}

static bool apply_access(const struct history *history, const struct history_op *op,
			 struct flat_file *file)
{
	const unsigned at = op->page * CELLS_PER_PAGE + op->cell;
	const bool inside = op->page < flat_pages(file);

	if (op->result == SIGBUS_SEEN)
		return !inside || end_moves(history, op, false);
	if (!inside)
		return end_moves(history, op, true);
	if (op->kind == HISTORY_LOAD)
		return file->cells[at] == (uint8_t)op->result ||
		       end_moves(history, op, true);
	/* A cell of the last page may lie past the end: then it is nowhere. */
	for (unsigned i = 0; i < op->ncells && at + i < file->ncells; i++)
		file->cells[at + i] = op->value;
	return true;
}

static void apply_write(const struct history_op *op, struct flat_file *file)
{
	const unsigned at = op->page * CELLS_PER_PAGE + op->cell;

	if (at + op->ncells > file->ncells)
		flat_resize(file, at + op->ncells);
	memset(file->cells + at, op->value, op->ncells);
}

static bool apply(const struct history *history, const struct history_op *op,
		  struct flat_file *file)
{
	switch (op->kind) {
	case HISTORY_LOAD:
	case HISTORY_STORE:
		return apply_access(history, op, file);
	case HISTORY_WRITE:
		apply_write(op, file);
		return true;
	case HISTORY_RESIZE:
		flat_resize(file, op->ncells);
		return true;
	case HISTORY_CUT:
		if (op->ncells < file->ncells)
			flat_resize(file, op->ncells);
		return true;
	case HISTORY_RANGE_OP:
		if (cl_range_op_check(&op->op, flat_size(file),
				      FLAT_CELLS * CELL_SIZE) != op->result)
			return false;
		if (op->result == 0)
			flat_apply(file, &op->op);
		return true;
	}
	return false;
}

/* ---------------------------------------------------------------- the search */

/** The earliest end among those left: nothing that began later can come next. */
static uint64_t horizon(const struct search *s)
{
	uint64_t earliest = UINT64_MAX;

	for (unsigned i = 0; i < s->history->nops; i++)
		if (!(s->done >> i & 1) && s->history->ops[i].ended < earliest)
			earliest = s->history->ops[i].ended;
	return earliest;
}

static bool search(struct search *s, const struct flat_file *file)
{
	const struct history *h = s->history;
	const uint64_t last = horizon(s);

	if (last == UINT64_MAX)
		return flat_equal(file, &h->final);
	for (unsigned i = 0; i < h->nops; i++) {
		struct flat_file next;

		if (s->done >> i & 1 || h->ops[i].begun > last)
			continue;
		next = *file;
		if (!apply(h, &h->ops[i], &next))
			continue;
		s->done |= UINT64_C(1) << i;
		if (search(s, &next))
			return true;
		/* A store past an end that is being cut off may be lost. */
		if (h->ops[i].kind == HISTORY_STORE && end_moves(h, &h->ops[i], true) &&
		    search(s, file))
			return true;
		s->done &= ~(UINT64_C(1) << i);
	}
	return false;
}

bool history_explains(const struct history *history)
{
	struct search s = {.history = history};

	return search(&s, &history->initial);
}
