/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_BACKGROUND_H
#define FUSEFS_BACKGROUND_H

/*
 * Going to the background, not before the mount stands: whoever started us gets our
 * messages and our exit status until then.
 */

#include <stdbool.h>

/**
 * Fork, unless in the foreground. The parent stays here, and exits with status 0 when
 * the child calls background_ready(), or with the child's status if it ends before.
 * Call while there is one thread and nothing to clean up.
 * @return 0 in the child or in the foreground; a negative errno
 */
int background_start(bool foreground);

/** The mount stands: let the parent go, leave the terminal, log to syslog at log_level.
 *  In the foreground only leaves the working directory. Called once. */
void background_ready(int log_level);

#endif
