/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_KERNEL_QUESTION_H
#define FUSEFS_KERNEL_QUESTION_H

/*
 * Asking the kernel what it has cached of a file (FUSE_NOTIFY_RETRIEVE).
 *
 * The question needs no path, no descriptor on the mount and no lock of the inode or of
 * a folio: it can be asked whatever becomes of the mount point. The answer comes as a
 * request, at the tail of the queue that requests are taken from (Linux fs/fuse/dev.c,
 * fuse_retrieve(), fuse_simple_notify_reply(); so since 2.6.36).
 */

#include "inode_table.h"

/**
 * @param offset    bytes; from where on
 * @param len       bytes; 0 asks for nothing, and is answered like any other question
 * @param until_ns  when to give up, CLOCK_MONOTONIC
 * @return bytes that the kernel has from there on without a gap; -ENOENT if it does not
 *         know the inode; -ETIMEDOUT; -ENOMEM; another negative errno of /dev/fuse
 * On threads of daemon->notifications, no lock held.
 */
ssize_t kernel_ask(struct inode *inode, uint64_t offset, size_t len, uint64_t until_ns);

/** Of struct fuse_lowlevel_ops. */
void op_retrieve_reply(fuse_req_t req, void *cookie, fuse_ino_t ino, off_t offset,
		       struct fuse_bufvec *bufv);

#endif
