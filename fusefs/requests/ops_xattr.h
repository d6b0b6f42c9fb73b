/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPS_XATTR_H
#define FUSEFS_OPS_XATTR_H

/*
 * The requests about extended attributes. Of struct fuse_lowlevel_ops; each answers
 * req.
 */

#include "daemon.h"

void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		 size_t size, int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
