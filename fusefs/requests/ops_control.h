/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPS_CONTROL_H
#define FUSEFS_OPS_CONTROL_H

/*
 * Control attributes: range operations and counters, as extended attributes that are
 * none. A SETXATTR is sent with the kernel's inode lock held, for anybody who may write
 * the file, from any program and from a shell; that is what a range operation needs.
 *
 *   set  user.foldfs.collapse_range, insert_range, punch_hole, zero_range, move_range
 *   get  user.foldfs.version   version of this protocol, "1"
 *        user.foldfs.stats     counters as JSON: of the file; at the root, of the mount
 */

#include "inode_table.h"

/** Whether this attribute is ours and not the store's. */
bool control_is_ours(const char *name);

/** Of SETXATTR, GETXATTR and REMOVEXATTR of a name that is ours; they answer req. */
void control_set(fuse_req_t req, struct inode *inode, const char *name,
		 const char *value, size_t size, int flags);
void control_get(fuse_req_t req, struct inode *inode, const char *name, size_t size);
void control_remove(fuse_req_t req, const char *name);

#endif
