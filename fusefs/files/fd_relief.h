/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_FD_RELIEF_H
#define FUSEFS_FD_RELIEF_H

#include "fd_pressure.h"

/** Where descriptors are to be had when they run short: of files that nobody has open, and
 *  of names that the kernel forgets. */
extern const struct fd_relief fd_relief;

#endif
