/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_REFRESH_H
#define FUSEFS_REFRESH_H

/*
 * Answers with attributes that belong to the bytes which a reader gets afterwards.
 */

#include "inode_table.h"

/** Whether somebody has changed the file behind the mount, and the caches have not taken
 *  that in yet. Any type of file. */
bool data_changed_behind(struct inode *inode);

/**
 * Answer with what is true of the file's bytes: dirty pages are written first (write-back
 * mode), since only that sets the modification time; a change behind the mount is taken
 * in. Out of memory the answer comes at once, and the next one who asks tries again. Any
 * type of file; takes over req, and passes on the reference that the answer may hand to
 * the kernel.
 * @param needs_adoption  a change behind the mount notifies, and the kernel does not take
 *                        attributes from an answer to what it had asked before that
 *                        (attr_version), but shows them to the caller: so it is to ask
 *                        once more. After a LOOKUP it does so by itself
 * @param answer          called once, now or later, on a thread that may wait for the
 *                        store, no lock held
 */
void refresh_then(fuse_req_t req, struct inode *inode, bool needs_adoption,
		  void (*answer)(fuse_req_t req, struct inode *inode));

#endif
