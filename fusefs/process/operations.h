/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPERATIONS_H
#define FUSEFS_OPERATIONS_H

#include "daemon.h"

/** The requests we answer; what is not there, the kernel does by itself or refuses. */
extern const struct fuse_lowlevel_ops operations;

#endif
