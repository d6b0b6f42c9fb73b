/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_RECOVERY_H
#define FUSEFS_RECOVERY_H

/*
 * Before anything is served: range operations that a crash has interrupted are finished
 * or undone (shift_journal.h).
 */

#include "daemon.h"

/** @return 0, daemon->store_probe is set; or a negative errno: nothing may be served.
 *  What was found is in the log. */
int recovery_run(struct daemon *daemon);

/** Leave nothing behind in SOURCE. */
void recovery_fini(struct daemon *daemon);

#endif
