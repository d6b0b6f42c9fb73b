/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SELF_CHECK_H
#define FUSEFS_SELF_CHECK_H

/*
 * foldfs --check: what this machine and SOURCE are like, whether what README promises
 * holds here, and what it rests on.
 */

#include "daemon.h"

/**
 * Print it to stdout, one line for each fact. Nothing stays mounted.
 * @param options  source may be NULL: the kernel and libfuse alone; mountpoint
 * likewise: the trial mount is somewhere else then
 * @return whether every promise holds
 */
bool self_check(const struct options *options);

/** Log the short form of it, at LOG_INFO: on INIT, with what it has told. */
void self_check_log(const struct daemon *daemon, const struct fuse_conn_info *conn);

#endif
