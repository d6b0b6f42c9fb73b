/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_SEARCH_H
#define FUSEFS_SHIFT_SEARCH_H

/*
 * Looking for a file below SOURCE by its inode number.
 */

#include <stdint.h>

/**
 * Open a path below SOURCE, not leaving it and following no link. Takes what openat2(2)
 * takes; O_NOFOLLOW and O_CLOEXEC are added, and without O_PATH O_NONBLOCK and
 * O_NOCTTY.
 * @return a descriptor, the caller's, or a negative errno
 */
int shift_open_beneath(int source_fd, const char *path, int flags);

/**
 * Walk all of SOURCE, .foldfs left out, until `found` is content.
 * @param found  called with each path (relative to SOURCE) of that inode number;
 *               -ENOENT: go on; anything else ends the search
 * @return what `found` ended it with; -ENOENT if nothing did: directories that cannot
 *         be read are passed over; -ENOMEM
 */
int shift_search(int source_fd, uint64_t ino, int (*found)(void *arg, const char *path),
		 void *arg);

#endif
