/* SPDX-License-Identifier: MIT */
/*
 * One window of a range operation: chosen, staged, recorded, applied.
 *
 * How large a window is decides what an operation costs. Copied, each takes three syncs
 * and room for itself in the journal, so on a disk a window holds many megabytes, of
 * data: holes are free, and a window may span a terabyte of them. Of places that are
 * further apart than a window is long, none is staged: bytes are then written once
 * instead of twice. By reflink, one window takes all.
 *
 * Where both places of a stretch are holes, they show the same already, and the frontier
 * passes it at one stroke: an operation on an exbibyte of hole takes as long as one on
 * nothing. What is a hole must be one durably by then, or an older byte of that place
 * could come back below the frontier; so the file is synced once before.
 */

#include "shift_window.h"

#include <errno.h>
#include <sys/stat.h>

#include "store_test_point.h"

/* Holes cost nothing, so a window may span far more than it holds. Two of the longest, and
 * the largest saved range, fit into a file. */
#define MAX_COPIED_SPAN	    ((uint64_t)1 << 40)
#define MAX_CLONED_SPAN	    ((uint64_t)1 << 60)
/* Back from a full disk: what one area gives back is room for many of these. */
#define UNDO_WINDOW_DIVISOR 16

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t shift_run_area_bytes(const struct shift_geometry *geometry, bool clone)
{
	const uint64_t count = shift_count(geometry);

	return min_u64(count, clone ? MAX_CLONED_SPAN : MAX_COPIED_SPAN);
}

static struct store_place high_place(const struct shift_run *run, uint64_t start)
{
	return (struct store_place){run->fd,
				    shift_high(shift_geometry_of(run)) + start};
}

static struct store_place area_place(const struct shift_run *run, unsigned area)
{
	return (struct store_place){run->journal->fd,
				    shift_journal_area_at(run->journal, area)};
}

/* --------------------------------------------------- putting bytes in the journal */

/* A range copied into the journal has its full length there, even if it ends in a
 * hole: recovery tells by that whether the journal is whole. */
static int extend_journal(struct shift_run *run, uint64_t end)
{
	struct stat st;

	if (fstat(run->journal->fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size >= end)
		return 0;
	return run->io->ftruncate(run->journal->fd, end);
}

/* A range of the file into the journal: by reflink, or copied and summed up.
 * -EAGAIN: reflinks turned out to be refused, and are not tried again. */
static int keep(struct shift_run *run, struct store_place from, struct store_place to,
		uint64_t len, bool *ret_cloned, uint64_t *ret_sum)
{
	const bool clone = run->copy.clone;
	int err;

	if (clone)
		err = store_copy_clone(&run->copy, from, to, len);
	else
		err = store_copy_and_sum(&run->copy, from, to, len, ret_sum);
	if (clone && err == -EOPNOTSUPP) {
		run->copy.clone = false;
		return -EAGAIN;
	}
	if (err == 0)
		err = extend_journal(run, to.offset + len);
	*ret_cloned = clone;
	return err;
}

int shift_window_prepare(struct shift_run *run)
{
	const uint64_t saved = shift_saved(shift_geometry_of(run));
	struct shift_record *rec = &run->journal->record;
	int err = 0;

	if (saved > 0) {
		err = keep(run, shift_low_place(run, 0), shift_saved_place(run), saved,
			   &rec->saved_cloned, &rec->saved_sum);
		if (err == -EAGAIN)
			err = keep(run, shift_low_place(run, 0), shift_saved_place(run),
				   saved, &rec->saved_cloned, &rec->saved_sum);
		STORE_CRASH_POINT(saved);
	}
	if (err == 0)
		err = shift_journal_sync_all(run->journal);
	STORE_CRASH_POINT(journal_durable);
	return err;
}

/* ------------------------------------------------------------------------ windows */

static bool must_stage(const struct shift_run *run)
{
	const struct shift_geometry *g = shift_geometry_of(run);
	const uint64_t distance = shift_distance(g);

	if (distance >= shift_count(g))
		return false;
	return run->copy.clone || distance < run->stage_below_bytes;
}

/* Where the window would be that goes `bytes` far from a frontier. */
static uint64_t window_start(bool down, uint64_t frontier, uint64_t bytes)
{
	if (down)
		return frontier;
	/* Start on a page; only the run's own end may be off one. */
	return bytes >= frontier
		       ? 0
		       : (frontier - bytes) & ~(uint64_t)(SHIFT_ALIGNMENT - 1);
}

/* How far the next window goes: as far as it holds no more data than is good to copy
 * at once, doubling while there are holes enough. */
static uint64_t window_span(const struct shift_run *run, bool down, uint64_t frontier,
			    uint64_t room, uint64_t data_bytes)
{
	uint64_t span = min_u64(room, data_bytes);

	while (span < room) {
		const uint64_t next = min_u64(room, span * 2);
		const uint64_t start = window_start(down, frontier, next);
		const struct store_place from =
			down ? high_place(run, start) : shift_low_place(run, start);

		if (store_copy_data_bytes(run->io, from, next, data_bytes + 1) >
		    data_bytes)
			break;
		span = next;
	}
	return span;
}

static uint64_t undo_window_bytes(uint64_t window_bytes)
{
	const uint64_t bytes =
		window_bytes / UNDO_WINDOW_DIVISOR & ~(uint64_t)(SHIFT_ALIGNMENT - 1);

	return bytes > 0 ? bytes : SHIFT_ALIGNMENT;
}

/* The window after a frontier, not staged yet. */
static void plan(const struct shift_run *run, uint64_t frontier,
		 struct shift_record *rec)
{
	const struct shift_geometry *g = shift_geometry_of(run);
	const bool down = shift_brings_down(run, rec);
	const uint64_t left = down ? shift_count(g) - frontier : frontier;
	uint64_t data = run->window_bytes;
	uint64_t room;

	rec->staged = must_stage(run);
	room = min_u64(left,
		       rec->staged ? run->journal->area_bytes : shift_distance(g));
	if (rec->undo && !run->copy.clone)
		data = undo_window_bytes(data);
	if (!run->copy.clone)
		room = window_span(run, down, frontier, room, data);
	/* Rounding a start down to a page must not make the window too large. */
	if (!down && room < left && frontier % SHIFT_ALIGNMENT)
		room -= SHIFT_ALIGNMENT - frontier % SHIFT_ALIGNMENT;
	rec->start = window_start(down, frontier, room);
	rec->bytes = down ? room : frontier - rec->start;
}

/* ---------------------------------------------------------------------------- holes */

/* How much of the run from `start` on is hole at both its places, at most len bytes. */
static int shared_hole(const struct shift_run *run, uint64_t start, uint64_t len,
		       uint64_t *ret_bytes)
{
	uint64_t bytes = len;
	int err = store_copy_hole_bytes(run->io, shift_low_place(run, start), bytes,
					&bytes);

	if (err == 0)
		err = store_copy_hole_bytes(run->io, high_place(run, start), bytes,
					    &bytes);
	*ret_bytes = bytes;
	return err;
}

/* Whether [start, start + len) of the run is nothing else. */
static int is_shared_hole(const struct shift_run *run, uint64_t start, uint64_t len,
			  bool *ret_is)
{
	uint64_t bytes = 0;
	const int err = shared_hole(run, start, len, &bytes);

	*ret_is = err == 0 && bytes == len;
	return err;
}

/* The store tells where data begins, not where it ended; so upwards along the file it is
 * one question, and downwards steps that double as long as they find nothing. */
static int skip_up_from_end(const struct shift_run *run, uint64_t *frontier)
{
	bool skips = true;
	int err = 0;

	while (err == 0 && *frontier > 0 && skips) {
		uint64_t start = window_start(false, *frontier, 1);

		err = is_shared_hole(run, start, *frontier - start, &skips);
		if (err < 0 || !skips)
			break;
		*frontier = start;
		for (uint64_t step = SHIFT_ALIGNMENT; err == 0 && step <= start;
		     step *= 2) {
			bool hole;

			err = is_shared_hole(run, start - step, step, &hole);
			if (err < 0 || !hole)
				break;
			start -= step;
			*frontier = start;
		}
	}
	return err;
}

/* Past the holes that begin at a frontier. The file is durable if it has moved. */
static int skip_holes(struct shift_run *run, bool down, uint64_t *frontier)
{
	const uint64_t from = *frontier;
	uint64_t bytes = 0;
	int err;

	if (down) {
		err = shared_hole(run, from, shift_count(shift_geometry_of(run)) - from,
				  &bytes);
		*frontier = from + bytes;
	} else {
		err = skip_up_from_end(run, frontier);
	}
	if (err < 0 || *frontier == from)
		return err;
	if (!run->is_synced) {
		err = run->io->fdatasync(run->fd);
		run->is_synced = err == 0;
	}
	STORE_CRASH_POINT(holes_skipped);
	return err;
}

/* --------------------------------------------------------------- staging, applying */

/* The sync keeps the record that will name these bytes from being durable first. */
static int stage(struct shift_run *run, struct shift_record *rec)
{
	const bool down = shift_brings_down(run, rec);
	int err;

	if (rec->bytes == 0)
		rec->staged = false; /* nothing but holes was left */
	if (!rec->staged)
		return 0;
	/* Not the area that the latest record relies on. */
	rec->area = run->journal->record.area ^ 1;
	err = keep(run,
		   down ? high_place(run, rec->start)
			: shift_low_place(run, rec->start),
		   area_place(run, rec->area), rec->bytes, &rec->stage_cloned,
		   &rec->stage_sum);
	if (err == 0)
		err = run->io->fdatasync(run->journal->fd);
	STORE_CRASH_POINT(window_staged);
	return err;
}

int shift_window_apply(struct shift_run *run)
{
	const struct shift_geometry *g = shift_geometry_of(run);
	const struct shift_record *rec = &run->journal->record;
	const bool down = shift_brings_down(run, rec);
	const struct store_place low = shift_low_place(run, rec->start);
	const struct store_place high = high_place(run, rec->start);
	struct store_place from = down ? high : low;
	int err = 0;

	if (rec->staged)
		from = area_place(run, rec->area);
	if (g->op == SHIFT_INSERT && !rec->undo) {
		err = run->io->ftruncate(run->fd, shift_new_size(g));
		STORE_CRASH_POINT(file_grown);
	}
	if (err == 0 && rec->bytes > 0)
		err = store_copy_range(&run->copy, from, down ? low : high, rec->bytes);
	STORE_CRASH_POINT(window_applied);
	if (err == 0)
		err = run->io->fdatasync(run->fd);
	if (err == 0)
		run->is_synced = true;
	STORE_CRASH_POINT(window_durable);
	return err;
}

int shift_window_next(struct shift_run *run, uint64_t frontier)
{
	struct shift_record rec = run->journal->record;
	int err = skip_holes(run, shift_brings_down(run, &rec), &frontier);

	if (err < 0)
		return err;
	rec.state = SHIFT_RUNNING;
	do {
		plan(run, frontier, &rec);
		err = stage(run, &rec);
	} while (err == -EAGAIN); /* once: without reflinks, windows are smaller */
	if (err == 0)
		err = shift_journal_record(run->journal, &rec);
	if (err < 0)
		return err;
	STORE_CRASH_POINT(window_recorded);
	return shift_window_apply(run);
}
