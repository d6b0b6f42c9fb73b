/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_JOURNAL_H
#define FUSEFS_SHIFT_JOURNAL_H

/*
 * The journal of one range operation that the store cannot do in one step: a file in
 * SOURCE/.foldfs (shift_dir.h) that says how far the operation is, and holds the bytes that a crash
 * would otherwise lose.
 *
 *	0       header    what is done to which file; written once
 *	8 KiB   record    \ how far it is; written in turn, so that one of them is
 *	12 KiB  record    / whole whenever the machine stops
 *	1 MiB   saved     bytes that the operation overwrites for good, for undoing it
 *	...     area 0    \ windows of bytes under way, in turn: the one that the latest
 *	...     area 1    / record names stays as it is until a later record is durable
 *
 * The name holds the file's device and inode number, so there is at most one journal
 * for a file. Whoever works on it holds flock(2) on it: a journal that is locked is
 * live, whoever sees it.
 */

#include <stdbool.h>

#include "shift_dir.h"
#include "shift_geometry.h"
#include "shift_target.h"
#include "store_calls.h"
#include "store_event.h"

enum shift_state {
	SHIFT_PREPARED = 1, /* nothing of the file has been touched */
	SHIFT_RUNNING = 2, /* the window [start, start + bytes) is being brought over */
	SHIFT_FINISHING = 3, /* all windows are durable: cut, punch or restore */
	SHIFT_DONE = 4,	     /* nothing left to do but to remove the journal */
};

/**
 * How far an operation is. The window counts in bytes of the run (shift_geometry.h):
 * everything below it is at its low place, everything above it at its high place, both
 * durably. The window itself is on its way to one of them, and complete at the other,
 * or, if staged, in the journal.
 */
struct shift_record {
	enum shift_state state;
	bool undo;	   /* back to how it was */
	bool staged;	   /* the window's bytes are in area `area` */
	bool stage_cloned; /* as reflinks: no sum was taken */
	bool saved_cloned;
	uint8_t area;	    /* 0 or 1 */
	uint64_t start;	    /* bytes */
	uint64_t bytes;	    /* may be 0 */
	uint64_t stage_sum; /* store_copy_sum() of the staged bytes, */
	uint64_t saved_sum; /* of the saved ones */
};

#define SHIFT_JOURNAL_NAME_MAX	64
#define SHIFT_JOURNAL_SHOWN_MAX (SHIFT_DIR_NAME_MAX + SHIFT_JOURNAL_NAME_MAX)

struct shift_journal {
	const struct store_io *io;
	int source_fd;	      /* not owned */
	struct shift_dir dir; /* its descriptor is the journal's */
	int fd;
	char name[SHIFT_JOURNAL_NAME_MAX];
	char shown[SHIFT_JOURNAL_SHOWN_MAX]; /* below SOURCE */
	uint64_t id;			     /* random; ties records to their header */
	struct shift_geometry geometry;
	struct shift_target target;
	uint64_t area_bytes;	    /* room in each area, logical */
	uint64_t sequence;	    /* of the latest record */
	struct shift_record record; /* the latest */
};

/**
 * Make, name and lock the journal of an operation, and write its header and a first
 * record, SHIFT_PREPARED; none of it durable yet.
 * @param target_fd   the file
 * @param area_bytes  largest window
 * @param ret         filled in; shift_journal_close() is owed on success
 * @return 0; -EBUSY: the file has a journal that is locked, or one of somebody else whose
 *         word counts, or has not the geometry's size any more; -EEXIST: it has one of ours that waits for recovery; -EFBIG: too
 *         much for one journal; what shift_dir_make(), open(2) and pwrite(2) say
 */
int shift_journal_create(const struct store_io *io, int source_fd, int target_fd,
			 const struct shift_geometry *geometry, uint64_t area_bytes,
			 struct shift_journal *ret);

/**
 * Open and lock a journal that was left in a directory of ours.
 * @param dir   that one; its descriptor is duplicated
 * @param name  in it
 * @return 0; -EBUSY: it is live; -EPERM: it is not ours: another owner, or no regular
 *         file; -EBADMSG: it is damaged; -ENODATA: an operation that had not begun: the
 *         file is untouched; both keep it open and locked, so shift_journal_close() is
 *         owed as for 0; -ENOENT: it has just gone; other failures of open(2) and pread(2)
 */
int shift_journal_open(const struct store_io *io, int source_fd,
		       const struct shift_dir *dir, const char *name,
		       struct shift_journal *ret);

/**
 * What a journal of somebody else's says, without a lock and without trust: only which
 * file it is about, and whether that may be half way. Reads no more than its first 16 KiB,
 * and only what is a regular file of the directory's owner.
 * @return 0; -ENODATA, -EBADMSG, -EPERM as above; other failures of open(2) and pread(2)
 */
int shift_journal_peek(const struct store_io *io, const struct shift_dir *dir,
		       const char *name, struct shift_journal *ret);

/** Unlock and close; the file stays. */
void shift_journal_close(struct shift_journal *journal);

/** Make what was written so far, and the names of the journal and its directory,
 *  durable. @return 0 or a negative errno */
int shift_journal_sync_all(struct shift_journal *journal);

/**
 * Write the next record and make it durable, with everything in the journal.
 * @return 0; or a negative errno: the record before it may still be the latest, and
 *         journal->record says so
 */
int shift_journal_record(struct shift_journal *journal,
			 const struct shift_record *record);

/**
 * Remove a journal that is not needed any more, so that it cannot come back.
 * @return 0; a negative errno if it may still be there after a crash
 */
int shift_journal_remove(struct shift_journal *journal);

/** Rename a journal to NAME.aside: recovery will only report it. */
void shift_journal_set_aside(struct shift_journal *journal);

/** Where the saved bytes and the two areas are in the journal, bytes. */
uint64_t shift_journal_saved_at(const struct shift_journal *journal);
uint64_t shift_journal_area_at(const struct shift_journal *journal, unsigned area);

/** An event about this operation; the journal's strings, error and progress 0. */
struct store_event shift_journal_event(const struct shift_journal *journal,
				       enum store_event_kind kind);

#endif
