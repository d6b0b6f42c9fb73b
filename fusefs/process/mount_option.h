/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_MOUNT_OPTION_H
#define FUSEFS_MOUNT_OPTION_H

/*
 * The -o options that every mount takes, as mount(8), fstab and mount.fuse hand them
 * on. Those of our own are in options.c.
 */

#include "daemon.h"

/**
 * Take one option.
 * @param option  "name" or "name=value", unescaped
 * @return 0; -EINVAL if there is no such option, -ENOMEM
 */
int mount_option_set(struct options *options, const char *option);

#endif
