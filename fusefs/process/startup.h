/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STARTUP_H
#define FUSEFS_STARTUP_H

/*
 * What must be right before a mount is tried, and what to do if it is not: libfuse and
 * fusermount3 know less of what the user wants, and say less.
 */

#include "daemon.h"

/**
 * Check source and mount point, the rights and the tools that a mount needs; open the
 * source and /proc/self/fd; make the paths in the options absolute. What is wrong is
 * logged, with the remedy.
 * @return 0; -EINVAL or another negative errno when something has been logged
 */
int startup_check(struct daemon *daemon);

/** Close what startup_check() opened. */
void startup_fini(struct daemon *daemon);

#endif
