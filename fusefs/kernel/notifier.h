/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_NOTIFIER_H
#define FUSEFS_NOTIFIER_H

/*
 * What we tell the kernel unasked, with no lock held (R2).
 */

#include "inode_table.h"

/** Make the kernel write dirty pages of a range and drop the range's pages. It may wait
 *  for the kernel's folio locks, and those for answers of ours: so it runs on threads
 * of daemon->notifications only, which no request waits for; asserted.
 *  @param range  bytes, at page bounds or CL_RANGE_EOF
 *  @return 0, also if the kernel does not know the inode; or a negative errno */
int notifier_invalidate(struct inode *inode, struct cl_range range);

/** Make the kernel ask for the attributes when they are next needed. Waits for no folio
 *  (fuse_reverse_inval_inode() with a negative offset): any thread, also one that has
 *  yet to answer a request for this inode. */
int notifier_forget_attributes(struct inode *inode);

/** Likewise, because it has changed behind the mount. Of a directory, the listing is
 *  name_teller.h's.
 *  @return 0; -ENOENT if the kernel does not know the inode, or not yet; … */
int notifier_tell_changed(struct inode *inode);

/**
 * Before a request is answered that may have cleared set-id bits in the store: the
 * answer has no room for the mode, and the kernel keeps a set-group-id bit without
 * group execution by itself (fuse_setattr()), while file systems drop it for strangers.
 * @param before  the mode before the change
 */
void notifier_tell_mode(struct inode *inode, mode_t before);

#endif
