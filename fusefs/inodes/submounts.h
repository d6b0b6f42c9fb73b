/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SUBMOUNTS_H
#define FUSEFS_SUBMOUNTS_H

/*
 * What is mounted inside our mount: the kernel would unmount it if it were asked to
 * forget the name it is mounted on, or one above it.
 */

#include "daemon.h"

/** The inodes not to be forgotten, as far as our mount namespace tells. */
struct submounts {
	fuse_ino_t *nodeids;
	size_t count, capacity;
};

/** @return 0; -ENOMEM or what kept us from reading the list of mounts: then nothing is
 *  known, and nothing should be forgotten */
int submounts_find(struct daemon *daemon, struct submounts *ret_submounts);
void submounts_fini(struct submounts *submounts);

bool submounts_include(const struct submounts *submounts, fuse_ino_t nodeid);

#endif
