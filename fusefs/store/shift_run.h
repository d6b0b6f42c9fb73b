/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_RUN_H
#define FUSEFS_SHIFT_RUN_H

/*
 * The engine of journalled range operations: brings a run of bytes from one place of a
 * file to another, window by window, so that a crash at any instant can be repaired.
 *
 * The same engine starts an operation, takes one up after a crash, and turns one round
 * that has failed. See the essay in shift_run.c.
 */

#include "shift_journal.h"
#include "store_copy.h"
#include "store_range.h"

struct shift_run {
	const struct store_io *io;
	struct shift_journal *journal;
	int fd; /* the file, for reading and writing */
	struct store_copy copy;
	/* Bytes of data, holes not counted, in a copied window; 0: the default. */
	uint64_t window_bytes;
	/* Shifts by less are staged in the journal, others copied directly; 0: the
	 * default. */
	uint64_t stage_below_bytes;
	store_event_fn *event; /* may be NULL */
	void *event_arg;
	/* What somebody wants of it meanwhile; asked for each piece; NULL: nothing. */
	enum shift_wish (*wish)(void *arg);
	void *wish_arg;
	uint64_t (*clock_ms)(void); /* NULL: the real one */
	/* The engine's own. */
	bool is_synced;	  /* nothing that was written to the file before can be lost */
	uint64_t told_ms; /* when its progress was told last */
	bool has_told;
};

enum shift_outcome {
	SHIFT_IS_AFTER = 0,   /* done */
	SHIFT_IS_BEFORE = 1,  /* failed; the file shows what it did before */
	SHIFT_IS_BETWEEN = 2, /* failed; recovery will bring it to one or the other */
};

/** The largest window that a run may use: area_bytes for shift_journal_create(). */
uint64_t shift_run_area_bytes(const struct shift_geometry *geometry, bool clone);

/**
 * Do, or go on with, what run->journal says; turn round on a failure. The journal is
 * at SHIFT_PREPARED, SHIFT_RUNNING or SHIFT_FINISHING, and at SHIFT_DONE afterwards
 * unless the file was never touched or is between.
 * @param ret_error  why it failed, a negative errno; 0 if it did not. An operation that
 *                   was on its way back already has not failed
 * Blocks for as long as the bytes take. SHIFT_GO_BACK is a failure like any other, with
 * -EINTR; but once the file has been cut, or what it gives back been punched, the way on is
 * the only one, and short. SHIFT_STOP ends it at the next piece, on the way back, too:
 * SHIFT_IS_BETWEEN with -EINTR, the journal complete.
 */
enum shift_outcome shift_run(struct shift_run *run, int *ret_error);

#endif
