/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_PLATFORM_H
#define FUSEFS_PLATFORM_H

/*
 * What this machine lets us do, before anything is mounted: what start-up checks refuse
 * to go without (startup_fuse.c) and `foldfs --check` tells (self_check.c).
 *
 * Any thread; nothing is logged.
 */

#include <stdbool.h>
#include <stddef.h>

/** @return 0 if /dev/fuse can be opened, or a negative errno */
int platform_fuse_device(void);

/** What users cannot mount without. */
#define PLATFORM_HELPER "fusermount3"

/** @param ret_path  where fusermount3 is; untouched if it is nowhere
 *  @param size      room for it, bytes, with the NUL */
bool platform_find_helper(char *ret_path, size_t size);

/** Whether the administrator lets users have allow_other, in PLATFORM_FUSE_CONF. */
bool platform_users_allow_other(void);
#define PLATFORM_FUSE_CONF "/etc/fuse.conf"

/** A number that the kernel has in a file of /proc or /sys.
 *  @return 0 if it cannot be read, too */
unsigned long platform_number(const char *path);

#endif
