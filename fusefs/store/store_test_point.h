/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_TEST_POINT_H
#define FUSEFS_STORE_TEST_POINT_H

/*
 * Named instants of a journalled range operation at which a test can end the process
 * (after PostgreSQL's injection points). They exist only in builds with
 * -DFOLDFS_TEST_POINTS (meson: -Dtest_points=true); elsewhere the macro is nothing.
 *
 * Any program of such a build dies by SIGKILL when it comes to the point that the
 * environment names: FOLDFS_CRASH_POINT=window_recorded, or window_recorded:3 for the
 * third time.
 */

/* In the order in which an operation passes them. */
#define STORE_TEST_POINTS(X)                                                           \
	X(directory_made)   /* SOURCE/.foldfs exists */                                \
	X(journal_named)    /* an empty journal, not locked yet */                     \
	X(journal_locked)   /* and locked */                                           \
	X(header_written)   /* what to do is in it; nothing of it durable */           \
	X(saved)	    /* the bytes that will be overwritten are in it */         \
	X(journal_durable)  /* all that, and its name, are on disk */                  \
	X(holes_skipped)    /* the frontier is past the holes; not on record */        \
	X(window_staged)    /* a window's bytes are in it */                           \
	X(record_written)   /* some record is written, not synced */                   \
	X(window_recorded)  /* a window's record is synced: now the file changes */    \
	X(file_grown)	    /* insert: the new size is set */                          \
	X(piece_copied)	    /* one buffer has been copied: saved, staged, or moved */  \
	X(window_applied)   /* the window's bytes are in the file, not synced */       \
	X(window_durable)   /* and synced */                                           \
	X(undo_recorded)    /* the operation failed and turned round */                \
	X(finish_recorded)  /* every byte is in place; that is on record */            \
	X(finish_applied)   /* truncated, punched, or restored; not synced */          \
	X(finish_durable)   /* and synced */                                           \
	X(done_recorded)    /* the journal says that it is over */                     \
	X(journal_unlinked) /* and is gone */

#ifdef FOLDFS_TEST_POINTS

enum store_test_point {
#define STORE_TEST_POINT_ENUM(name) STORE_POINT_##name,
	STORE_TEST_POINTS(STORE_TEST_POINT_ENUM)
#undef STORE_TEST_POINT_ENUM
		STORE_TEST_POINT_COUNT,
};

/** The names, by number. */
extern const char *const store_test_point_names[STORE_TEST_POINT_COUNT];

/** What a test wants to be called at each point; NULL for nothing. Set it before any
 *  other thread runs. */
extern void (*store_test_point_hook)(enum store_test_point point);

void store_test_point_reached(enum store_test_point point);

#define STORE_CRASH_POINT(name) store_test_point_reached(STORE_POINT_##name)

#else
#define STORE_CRASH_POINT(name) ((void)0)
#endif

#endif
