/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_REMOUNT_H
#define FUSEFS_REMOUNT_H

#include "daemon.h"

/**
 * Give a mount new flags: what `mount -o remount,ro MOUNTPOINT` asks us for by way of
 * mount.fuse. The daemon that serves the mount is not involved. What is wrong is
 * logged.
 * @return 0 or a negative errno
 */
int remount(const struct options *options);

#endif
