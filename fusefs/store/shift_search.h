/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_SEARCH_H
#define FUSEFS_SHIFT_SEARCH_H

/*
 * Looking for a file below SOURCE by its inode number, and opening what is there.
 */

#include <stdbool.h>
#include <stdint.h>

/**
 * Open a path below SOURCE, not leaving it and following no link. Takes what openat2(2)
 * takes, and paths of any length; O_NOFOLLOW and O_CLOEXEC are added, and without O_PATH
 * O_NONBLOCK and O_NOCTTY.
 * @return a descriptor, the caller's, or a negative errno
 */
int shift_open_beneath(int source_fd, const char *path, int flags);

/** Whether an error of shift_open_beneath() says that there is no such file below
 *  SOURCE, and not that it could not be looked for. */
bool shift_means_absent(int err);

struct shift_search {
	uint64_t ino;
	/* Called with each path (relative to SOURCE) of that inode number; a descriptor
	 * ends the search; -ENOENT: not it; other errors: it may be it. */
	int (*found)(const void *arg, const char *path);
	const void *found_arg;
	bool (*stop)(void *arg); /* asked for each directory; may be NULL */
	void *stop_arg;
};

/**
 * Walk all of SOURCE, our own directories left out.
 * @param failure  of looking elsewhere before, or 0
 * @return what `found` ended it with; -ENOENT: every directory has been read, and
 *         nothing did; -EINTR: stopped; otherwise the first failure, of reading a
 *         directory (-EACCES, -EIO, -EMFILE, -ENOMEM, …), of `found`, or the one
 *         given: the file may be where nobody could look
 */
int shift_search(int source_fd, const struct shift_search *search, int failure);

#endif
