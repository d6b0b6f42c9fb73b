/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_RANGE_REQUEST_H
#define FUSEFS_RANGE_REQUEST_H

/*
 * A range operation that a request has asked for: on a thread that nothing waits for.
 */

#include "cachelayer/range_op.h"
#include "inode_table.h"

/**
 * Take over a request: run the operation on the inode's file, then answer with its
 * status. Returns at once (R1).
 * @param fallocate_mode  of fallocate(2), for a CL_PUNCH or CL_ZERO that came that way
 *                        and is done with that very call; 0: by store_range.h
 * Answers, besides what cl_range_op_run() and store_range.h say: -EISDIR, -ENODEV: no
 * regular file; -ETXTBSY: it is being executed; -EIO: an earlier operation has left the
 * file half way, see store_range.h; -ENOMEM.
 */
void range_request_start(fuse_req_t req, struct inode *inode,
			 const struct cl_range_op *op, int fallocate_mode);

#endif
