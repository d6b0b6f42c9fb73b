/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPS_DATA_H
#define FUSEFS_OPS_DATA_H

/*
 * The requests that touch a file's bytes. One file of code per idea:
 * ops_open.c, ops_read.c, ops_write.c, long_write.c, ops_fallocate.c, ops_copy.c,
 * ops_sync.c, ops_seek.c. None of them keeps a thread waiting for the gate,
 * for a notification or for another request (R1): what must wait is a parked_request.
 */

#include "inode_table.h"

/* Of struct fuse_lowlevel_ops; each answers req, now or later. */
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi);
void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *bufv,
		  off_t offset, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		  struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in,
			struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t offset_out, struct fuse_file_info *fi_out, size_t len,
			int flags);

#endif
