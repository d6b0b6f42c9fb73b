/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_PROBE_H
#define FUSEFS_STORE_PROBE_H

/*
 * What the file systems below SOURCE can do, found out once for each of them by trying
 * it on a file without a name.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "store_calls.h"

struct store_abilities {
	bool collapse; /* FALLOC_FL_COLLAPSE_RANGE, and so on */
	bool insert;
	bool punch;
	bool zero;
	bool reflink; /* FICLONERANGE within a file */
};

struct store_probe;

/** @return NULL if out of memory */
struct store_probe *store_probe_new(void);
/** NULL is fine. */
void store_probe_free(struct store_probe *probe);

/**
 * The abilities of the file system that an open file is on. A single file may have
 * less, so a call can be refused all the same. Where no file can be made to try it
 * (a directory that may not be written, a full disk), or a trial shows nothing (no
 * room, no memory), everything counts as possible, and this is asked anew the next
 * time.
 * @param io         for the calls that are tried
 * @param source_fd  SOURCE; O_PATH is enough
 * @param fd         the file
 * Any thread. The first call for a file system blocks for a few system calls; others
 * do not wait for it.
 */
struct store_abilities store_probe_ask(struct store_probe *probe,
				       const struct store_io *io, int source_fd,
				       int fd);

/** A file to try things on, in SOURCE, without a name.
 *  @return a descriptor, or a negative errno */
int store_probe_open(int source_fd);
/** Try everything, on such a file.
 *  @return 0, or a negative errno: the store is full, say, and nothing is known */
int store_probe_try(const struct store_io *io, int fd,
		    struct store_abilities *ret_abilities);

#endif
