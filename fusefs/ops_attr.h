/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPS_ATTR_H
#define FUSEFS_OPS_ATTR_H

/*
 * The requests about an inode's attributes, its size excepted: ops_data.h has that.
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

/**
 * Set every attribute but the size, then answer with attributes. Consumes req.
 * @param attr    what to set; only read before this returns
 * @param to_set  FUSE_SET_ATTR_… without FUSE_SET_ATTR_SIZE; may be 0
 * @param fi      NULL or the open file; not used beyond this call
 * Any thread that may wait for the store, no lock held.
 */
void setattr_rest(fuse_req_t req, struct inode *inode, const struct stat *attr,
		  int to_set, struct fuse_file_info *fi);

#endif
