/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPS_DATA_H
#define FUSEFS_OPS_DATA_H

/*
 * The requests that touch a file's bytes or its size. One file of code per idea:
 * ops_open.c, ops_read.c, ops_write.c, long_write.c, ops_resize.c, ops_fallocate.c,
 * ops_copy.c, ops_sync.c, ops_seek.c. None of them keeps a thread waiting for the gate,
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

/**
 * What comes before the other attributes of a SETATTR: dirty pages are written, and the
 * size is set if to_set has FUSE_SET_ATTR_SIZE. Then calls setattr_rest() with what is
 * left of to_set, or answers the error. Takes over req. May return before all that has
 * happened: then attr and fi have been copied. Any type of file.
 * @param attr    what to set
 * @param to_set  FUSE_SET_ATTR_…
 * @param fi      NULL, or the open file
 */
void data_setattr(fuse_req_t req, struct inode *inode, const struct stat *attr,
		  int to_set, struct fuse_file_info *fi);

/**
 * Answer a GETATTR with what is true of the file's bytes: dirty pages are written
 * first (write-back mode), since only that sets the modification time; a change behind
 * the mount is taken in. Any type of file; takes over req.
 * @param answer  called then: attr_reply() or statx_reply()
 */
void getattr_answer(fuse_req_t req, struct inode *inode,
		    void (*answer)(fuse_req_t req, struct inode *inode));

/** Whether an answer with attributes must wait for lookup_answer_after_revalidate():
 *  the file is cached and somebody changed it behind the mount. Any type of file. */
bool data_changed_behind(struct inode *inode);

/**
 * Take in a change behind the mount, then call entry_reply(). Takes over req, and the
 * reference that the answer of a lookup hands to the kernel, to pass it on.
 */
void lookup_answer_after_revalidate(fuse_req_t req, struct inode *inode);

#endif
