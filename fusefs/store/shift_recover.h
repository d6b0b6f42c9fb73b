/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_RECOVER_H
#define FUSEFS_SHIFT_RECOVER_H

/*
 * After a crash: every range operation that was interrupted below SOURCE is finished or
 * undone, or its file is not to be served.
 *
 * What a journal says is believed only as far as it can be checked: whose directory it is
 * in (shift_dir.h), its checksums, its numbers against each other and against the file's
 * size, and that the file is the one it was made for. A journal that fails a check touches
 * nothing.
 *
 * What somebody else's journals say is not acted upon at all: they are looked at only far
 * enough to know which files of his own may be half way. So nothing that he plants makes
 * us write, copy, wait for a lock, or stay away; his own files are what he can shut.
 */

#include "shift_target.h"
#include "store_calls.h"
#include "store_event.h"

/* Of a file whose owner does not matter. */
#define SHIFT_ANY_OWNER ((uid_t)-1)

struct shift_recover_calls {
	/* Told of each journal, in words with store_event_describe(); may be NULL. */
	store_event_fn *event;
	/* A file that may be half way: it must not be served, if it is that owner's (or
	 * SHIFT_ANY_OWNER). */
	void (*shut)(void *arg, const struct shift_identity *file, uid_t owner);
	/* Asked now and then whether to end; may be NULL. */
	bool (*stop)(void *arg);
	void *arg;
	const struct store_io *io; /* NULL: the system's */
};

/**
 * Finish or undo every operation that was interrupted below SOURCE, and remove our
 * directories if they are empty then. To be called before anything of SOURCE is served.
 * Journals that another foldfs holds are left alone.
 * @param source_fd  SOURCE; O_PATH is enough
 * @return 0: every file is whole but those that calls->shut was told of (some journals may
 *         have been set aside: see the events); -EINTR: stopped, what is left is for the
 *         next time; another negative errno: a directory or journal of ours could not be
 *         read, so some file may be half way and nobody knows which
 */
int shift_recover(int source_fd, const struct shift_recover_calls *calls);

/** Remove our directories if they are empty: for a clean unmount. */
void shift_recover_cleanup(int source_fd);

#endif
