/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_NOTIFIER_H
#define FUSEFS_NOTIFIER_H

/*
 * What we tell the kernel unasked. It may wait for the kernel's folio locks, and those
 * for answers of ours: so these run on threads of daemon->notifications only, which no
 * request waits for, with no lock held (R2); both are asserted.
 */

#include "inode_table.h"

/** Make the kernel write dirty pages of a range and drop the range's pages.
 *  @param range  bytes, at page bounds or CL_RANGE_EOF
 *  @return 0, also if the kernel does not know the inode; or a negative errno */
int notifier_invalidate(struct inode *inode, struct cl_range range);

/** Make the kernel ask for the attributes when they are next needed. */
int notifier_forget_attributes(struct inode *inode);

#endif
