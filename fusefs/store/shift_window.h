/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_WINDOW_H
#define FUSEFS_SHIFT_WINDOW_H

/*
 * One window of a range operation, for the engine in shift_run.c, which says what a
 * window is.
 */

#include "shift_run.h"

static inline const struct shift_geometry *
shift_geometry_of(const struct shift_run *run)
{
	return &run->journal->geometry;
}

/** Whether the frontier goes up, which brings bytes down. */
static inline bool shift_brings_down(const struct shift_run *run,
				     const struct shift_record *rec)
{
	return (shift_geometry_of(run)->op != SHIFT_INSERT) != rec->undo;
}

/** Where byte `start` of the run is, low. */
static inline struct store_place shift_low_place(const struct shift_run *run,
						 uint64_t start)
{
	return (struct store_place){run->fd, shift_low(shift_geometry_of(run)) + start};
}

/** Where the bytes are that undoing puts back at shift_low_place(run, 0). */
static inline struct store_place shift_saved_place(const struct shift_run *run)
{
	return (struct store_place){run->journal->fd,
				    shift_journal_saved_at(run->journal)};
}

/** Before anything of the file is touched: make the journal durable, with what undoing
 *  would need. @return 0 or a negative errno */
int shift_window_prepare(struct shift_run *run);

/**
 * Record the window that begins at a frontier, and apply it.
 * @param frontier  bytes from the start of the run; not where it ends
 * @return 0: durable; a negative errno: if journal->sequence has changed, the file may
 *         have the window in part, otherwise it has nothing of it
 */
int shift_window_next(struct shift_run *run, uint64_t frontier);

/** Apply the window of the latest record, for the first time or again, and sync the
 *  file. @return 0 or a negative errno */
int shift_window_apply(struct shift_run *run);

#endif
