/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_REMOVED_BEHIND_H
#define FUSEFS_REMOVED_BEHIND_H

/*
 * Files removed behind the mount, and the space that they take.
 *
 * Each inode that the kernel knows holds a descriptor, so the store keeps a file that
 * nobody can name any more until the kernel asks for that very name again, which it may
 * never do. So the inodes that nobody uses are looked at in turn, a bounded number every
 * few seconds, and the kernel is told of names that are gone.
 */

#include "daemon.h"

/** Start the rounds. @return 0 or a negative errno */
int removed_behind_start(struct daemon *daemon);
/** No look is taken any more. Harmless if not started. */
void removed_behind_stop(void);

#endif
