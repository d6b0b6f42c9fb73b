/* SPDX-License-Identifier: MIT */
/*
 * The engine of journalled range operations.
 *
 * A run of bytes has two places, low and high (shift_geometry.h). A frontier goes
 * through it: below it every byte is at its low place, above it at its high place.
 * A collapse or a move takes the frontier up from 0, an insert takes it down from the
 * end; undoing either is the other direction. Between two frontiers there is one
 * window, and of each window this much happens, in this order:
 *
 *	stage	its bytes go into the journal, unless its two places are apart
 *	record	"this window is on its way", durable, and the staged bytes with it
 *	apply	its bytes go to the place they are for
 *	sync	the file is durable: that is the new frontier
 *
 * A crash before the record is durable leaves the window where it was. A crash after
 * it is repaired by applying the window again: its bytes are in the journal, or still
 * in the file, at a place that the window does not write to. Windows before it are
 * durable; windows after it have not begun. So whatever was lost of the writes in
 * flight, and in whatever order they got to the disk, recovery knows where every byte
 * is. The two areas of the journal take turns, because a window is staged while the
 * latest record still relies on the one before.
 *
 * If anything fails, the frontier goes back to where it came from. What an operation
 * overwrites for good (the range that a collapse removes, the destination of a move)
 * was saved in the journal before it began, and is put back.
 *
 * By reflink a window costs no space and hardly any time, so the whole run is one.
 */

#include "shift_run.h"

#include <errno.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "shift_window.h"
#include "store_test_point.h"

/* On a disk a window costs three syncs, so it is long; and what is not staged costs two
 * for each `len` bytes, so it has to be long, too. In memory a sync is nothing, and a
 * window that stays in the processor's cache from the first copy to the last is the
 * faster: the file's pages, ours, and the journal's. (Measured on tmpfs: 1 GiB in 560 ms
 * with 1 MiB, 440 with 256 KiB, 405 with 128 KiB.) */
#define DISK_WINDOW_BYTES	 ((uint64_t)64 << 20)
#define DISK_STAGE_BELOW_BYTES	 ((uint64_t)16 << 20)
#define MEMORY_WINDOW_BYTES	 ((uint64_t)128 << 10)
#define MEMORY_STAGE_BELOW_BYTES ((uint64_t)64 << 10)
/* Between two tellings of how far it is: in time, since bytes may be holes. */
#define PROGRESS_MS		 10000u

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Whether somebody wants it to end, as far as it can be listened to: a way back cannot
 * be turned round, and at its end the way on is the shorter one. */
static bool is_unwanted(void *arg)
{
	const struct shift_run *run = arg;
	const struct shift_record *rec = &run->journal->record;
	const enum shift_wish wish = run->wish ? run->wish(run->wish_arg) : SHIFT_GO_ON;

	return wish == SHIFT_STOP ||
	       (wish == SHIFT_GO_BACK && !rec->undo && rec->state != SHIFT_FINISHING);
}

static bool must_stop(const struct shift_run *run)
{
	return run->wish && run->wish(run->wish_arg) == SHIFT_STOP;
}

static void tell_progress(struct shift_run *run, uint64_t frontier)
{
	const struct shift_record *rec = &run->journal->record;
	const uint64_t count = shift_count(shift_geometry_of(run));
	struct store_event event =
		shift_journal_event(run->journal, STORE_EVENT_PROGRESS);

	if (!run->event)
		return;
	event.total = count;
	event.done = shift_brings_down(run, rec) ? frontier : count - frontier;
	if (run->clock_ms() - run->told_ms < PROGRESS_MS &&
	    !(run->has_told && event.done == event.total))
		return;
	run->told_ms = run->clock_ms();
	run->has_told = true;
	run->event(run->event_arg, &event);
}

/* ---------------------------------------------------------------------- the whole */

/* What a collapse or a move had overwritten for good. */
static int restore(struct shift_run *run)
{
	const struct shift_record *rec = &run->journal->record;
	const uint64_t saved = shift_saved(shift_geometry_of(run));
	uint64_t sum;
	int err = 0;

	if (!rec->saved_cloned)
		err = store_copy_sum(&run->copy, shift_saved_place(run), saved, &sum);
	if (err == 0 && !rec->saved_cloned && sum != rec->saved_sum)
		err = -EBADMSG;
	return err < 0 ? err
		       : store_copy_range(&run->copy, shift_saved_place(run),
					  shift_low_place(run, 0), saved);
}

/* The last step, which can be repeated, too. */
static int finish_file(struct shift_run *run)
{
	const struct shift_geometry *g = shift_geometry_of(run);

	if (run->journal->record.undo && g->op == SHIFT_INSERT)
		return run->io->ftruncate(run->fd, g->size);
	if (run->journal->record.undo)
		return restore(run);
	if (g->op == SHIFT_COLLAPSE)
		return run->io->ftruncate(run->fd, shift_new_size(g));
	return store_copy_punch(&run->copy, (struct store_place){run->fd, g->offset},
				g->len);
}

static int finish_once(struct shift_run *run)
{
	int err = finish_file(run);

	STORE_CRASH_POINT(finish_applied);
	if (err == 0)
		err = run->io->fdatasync(run->fd);
	STORE_CRASH_POINT(finish_durable);
	return err;
}

static int finish(struct shift_run *run)
{
	struct shift_record rec = run->journal->record;
	int err = 0;

	if (rec.state != SHIFT_FINISHING) {
		rec.state = SHIFT_FINISHING;
		rec.staged = false;
		rec.start = 0;
		rec.bytes = 0;
		err = shift_journal_record(run->journal, &rec);
		STORE_CRASH_POINT(finish_recorded);
	}
	/* All of it can be repeated, and one failure of a disk need not be the next. */
	if (err == 0 && finish_once(run) < 0)
		err = finish_once(run);
	if (err < 0)
		return err;
	/* The file is whole. Should this fail, removing the journal has to be durable
	 * instead, and shift_journal_remove() sees to that. */
	rec.state = SHIFT_DONE;
	(void)shift_journal_record(run->journal, &rec);
	STORE_CRASH_POINT(done_recorded);
	return 0;
}

/* The frontier before and after the window of the latest record. */
static uint64_t frontier_before(const struct shift_run *run)
{
	const struct shift_record *rec = &run->journal->record;

	return shift_brings_down(run, rec) ? rec->start : rec->start + rec->bytes;
}

static uint64_t frontier_after(const struct shift_run *run)
{
	const struct shift_record *rec = &run->journal->record;

	return shift_brings_down(run, rec) ? rec->start + rec->bytes : rec->start;
}

/* Where the frontier goes to. */
static uint64_t goal(const struct shift_run *run)
{
	return shift_brings_down(run, &run->journal->record)
		       ? shift_count(shift_geometry_of(run))
		       : 0;
}

/*
 * From the latest record to the end that it goes to.
 * ret_in_flight: on failure, whether the latest record's window may be there in part.
 */
static int run_on(struct shift_run *run, bool *ret_in_flight)
{
	const struct shift_record *rec = &run->journal->record;
	int err = 0;

	*ret_in_flight = true;
	if (rec->state == SHIFT_FINISHING)
		return finish(run);
	if (rec->state == SHIFT_RUNNING)
		err = shift_window_apply(run);
	while (err == 0 && frontier_after(run) != goal(run)) {
		const uint64_t sequence = run->journal->sequence;

		*ret_in_flight = false;
		if (is_unwanted(run))
			return -EINTR;
		err = shift_window_next(run, frontier_after(run));
		*ret_in_flight = run->journal->sequence != sequence;
		if (err == 0)
			tell_progress(run, frontier_after(run));
	}
	if (err < 0)
		return err;
	*ret_in_flight = false;
	return finish(run);
}

/*
 * After a failure: the frontier goes back. A staged window that may be there in part is
 * whole in the journal, and goes back from there. One that was not staged is still
 * whole where it came from.
 */
static int turn_round(struct shift_run *run, bool in_flight)
{
	struct shift_record rec = run->journal->record;
	bool ignored;
	int err;

	if (rec.state == SHIFT_FINISHING)
		rec.start = goal(run);
	else if (!in_flight)
		rec.start = frontier_after(run);
	else if (!rec.staged)
		rec.start = frontier_before(run);
	if (rec.state == SHIFT_FINISHING || !in_flight || !rec.staged) {
		rec.bytes = 0;
		rec.staged = false;
	}
	rec.state = SHIFT_RUNNING;
	rec.undo = true;
	err = shift_journal_record(run->journal, &rec);
	STORE_CRASH_POINT(undo_recorded);
	if (err < 0)
		return err;
	/* The way back may need the room that made us fail. Not sooner: the record that
	 * we failed to write may be there all the same, and name that area. */
	(void)run->io->fallocate(run->journal->fd,
				 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				 shift_journal_area_at(run->journal, rec.area ^ 1),
				 run->journal->area_bytes);
	return run_on(run, &ignored);
}

/* Once a collapse has cut the file, the end of the range that it removed is lost, if
 * that was longer than what came after: too late to go back. */
static bool is_cut(const struct shift_run *run)
{
	const struct shift_geometry *g = shift_geometry_of(run);
	struct stat st;

	if (g->op != SHIFT_COLLAPSE || run->journal->record.state != SHIFT_FINISHING)
		return false;
	return fstat(run->fd, &st) < 0 || (uint64_t)st.st_size != g->size;
}

static bool is_in_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 &&
	       (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
}

static void set_defaults(struct shift_run *run)
{
	const bool memory = is_in_memory(run->fd) && is_in_memory(run->journal->fd);

	if (!run->clock_ms)
		run->clock_ms = monotonic_ms;
	run->told_ms = run->clock_ms();
	run->has_told = false;
	run->is_synced = false;
	run->copy.stop = is_unwanted;
	run->copy.stop_arg = run;
	run->window_bytes &= ~(uint64_t)(SHIFT_ALIGNMENT - 1);
	if (run->window_bytes == 0)
		run->window_bytes = memory ? MEMORY_WINDOW_BYTES : DISK_WINDOW_BYTES;
	if (run->stage_below_bytes == 0)
		run->stage_below_bytes =
			memory ? MEMORY_STAGE_BELOW_BYTES : DISK_STAGE_BELOW_BYTES;
}

enum shift_outcome shift_run(struct shift_run *run, int *ret_error)
{
	const bool was_undo = run->journal->record.undo;
	bool in_flight;
	int err = 0;

	set_defaults(run);
	if (run->journal->record.state == SHIFT_PREPARED)
		err = shift_window_prepare(run);
	if (err == 0)
		err = run_on(run, &in_flight);
	*ret_error = err;
	if (err == 0)
		return was_undo ? SHIFT_IS_BEFORE : SHIFT_IS_AFTER;
	if (run->journal->record.state == SHIFT_PREPARED)
		return SHIFT_IS_BEFORE;
	if (!must_stop(run) && !was_undo && !is_cut(run) &&
	    turn_round(run, in_flight) == 0)
		return SHIFT_IS_BEFORE;
	return SHIFT_IS_BETWEEN;
}
