/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STARTUP_FUSE_H
#define FUSEFS_STARTUP_FUSE_H

#include "daemon.h"

/**
 * Check that FUSE can be used at all, and by us: /dev/fuse, fusermount3, allow_other.
 * What is wrong is logged, with the remedy. Sets daemon->privileged.
 * @return 0 or a negative errno
 */
int startup_check_fuse(struct daemon *daemon);

#endif
