/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPS_ATTR_H
#define FUSEFS_OPS_ATTR_H

/*
 * The requests about an inode's attributes. One file of code per idea: ops_attr.c asks,
 * ops_setattr.c sets, ops_statx.c answers STATX.
 */

#include "inode_table.h"

/* Of struct fuse_lowlevel_ops; each answers req, now or later. */
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t ino);
void op_access(fuse_req_t req, fuse_ino_t ino, int mask);

/** Answer a GETATTR or SETATTR with the inode's attributes as they are now. Consumes
 *  req; needs no reference beyond the kernel's. Any thread, no lock held. */
void attr_reply(fuse_req_t req, struct inode *inode);

/** Likewise a STATX (ops_statx.c). */
void statx_reply(fuse_req_t req, struct inode *inode);

#endif
