/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_DIR_H
#define FUSEFS_SHIFT_DIR_H

/*
 * SOURCE/.foldfs, where the journals of running operations are: made when the first one
 * needs it, removed when it is empty again.
 *
 * A journal makes us write into files. So the directory counts only if nobody else
 * could have put one there: it belongs to us (or we are root) and only its owner may
 * write it. In a SOURCE that others may write, somebody may have made a .foldfs of
 * theirs first; that is refused, not trusted.
 */

#define SHIFT_DIR_NAME ".foldfs"

/* What names in it begin with. */
#define SHIFT_JOURNAL_PREFIX "shift-"
#define SHIFT_PROBE_PREFIX   "probe-" /* store_probe.c: removed when found */
#define SHIFT_ASIDE_SUFFIX   ".aside" /* a journal that only a person can judge */

/**
 * Open the directory.
 * @param source_fd  SOURCE; O_PATH is enough
 * @return a descriptor, the caller's; -ENOENT if there is none; -EPERM if it is not
 *         ours or others may write it; -ENOTDIR, -ELOOP if it is no directory
 */
int shift_dir_open(int source_fd);

/** Likewise, and make it if need be, with mode 0700. Not durable yet.
 *  @return also -EACCES, -EROFS, -ENOSPC and whatever else mkdir(2) says; only a
 *          directory of our own user will do, for root, too: else -EPERM */
int shift_dir_make(int source_fd);

/** Make the name .foldfs itself durable. @return 0 or a negative errno */
int shift_dir_sync_parent(int source_fd, int (*fsync_dir)(int fd));

/** Remove it if it is empty and ours. That it is not there, or not empty, is fine. */
void shift_dir_remove(int source_fd);

#endif
