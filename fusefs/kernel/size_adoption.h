/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SIZE_ADOPTION_H
#define FUSEFS_SIZE_ADOPTION_H

/*
 * Making the kernel take a size that it did not set itself.
 *
 * A kernel that learns of a smaller size from a short READ keeps the pages past the
 * end mapped. So from the moment a file has shrunk without the kernel knowing until it
 * has heard of it properly (an answer with attributes), READs are not answered short
 * but padded with zeros.
 */

#include "inode_table.h"

/** The file has got a size that the kernel did not ask for: until adoption_run() has
 *  succeeded since, it is due. Locks taken: sample_lock. */
void adoption_is_owed(struct inode *inode);

/** The same, and it has just shrunk from old_size. Gate: EXCLUSIVE over what went.
 *  Locks taken: sample_lock. */
void adoption_begin(struct inode *inode, uint64_t old_size);

/** Whether the kernel may have another size than the file. Locks taken: sample_lock. */
bool adoption_is_due(struct inode *inode);

/** An answer with these attributes of the inode has been sent: GETATTR, LOOKUP, SETATTR
 *  and the like call this. Any type of file; the caller still holds a reference. */
void adoption_answered(struct inode *inode, const struct stat *attr);

/** How many bytes of a READ must be answered although the file has only `have`.
 *  @param offset,len    of the READ; have <= len
 *  @param maybe_direct  its descriptor was opened with O_DIRECT: the bytes may go
 * straight to a program, which must see the end once the kernel has been told of it */
size_t adoption_padded_len(struct inode *inode, uint64_t offset, size_t len,
			   size_t have, bool maybe_direct);

/**
 * Make the kernel adopt the size now, and wait for it, 1 s at most. On a thread of
 * daemon->notifications, no lock held.
 * @param pid  of a process that has the file open, if it may have no name; or 0
 * @return 0; -ENOENT if neither leads to the file; -ETIMEDOUT; what statx(2) says. Then
 *         the next fstat(2) of anybody does it
 */
int adoption_run(struct inode *inode, pid_t pid);

#endif
