/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_FORGOTTEN_H
#define FUSEFS_FORGOTTEN_H

/*
 * Inodes that the kernel has forgotten, and how to open them again.
 *
 * A file handle that somebody got from name_to_handle_at(2) on the mount, an NFS client
 * say, names a nodeid and must stay good. So a forgotten nodeid stays its file's, and
 * the store's own file handle is kept, for as many inodes as there is room for. Only
 * for a daemon with CAP_DAC_READ_SEARCH: nobody else can open the store's handles.
 *
 * A handle opens a file wherever it is by now. That is no more than an inode in use
 * gives: whoever holds one reached it through the source directory.
 */

#include "inode_table.h"

struct forgotten;
struct forgotten_handle;

/** @return 0; -EPERM if the store or our rights do not allow it; -ENOMEM */
int forgotten_create(struct daemon *daemon, struct forgotten **ret_forgotten);
void forgotten_free(struct forgotten *forgotten);

/** Get the store's file handle of an inode that is about to be forgotten. NULL if there
 *  is none. Needs no lock: it is not in the cache yet. */
struct forgotten_handle *forgotten_prepare(struct forgotten *forgotten,
					   const struct inode *inode);
/** Free one that was not added. NULL is fine. */
void forgotten_discard(struct forgotten_handle *handle);

/* The rest is guarded by the inode table's lock. */

/** Remember an inode. The handle is consumed.
 *  @return the nodeid that had to be given up for it, or 0 */
fuse_ino_t forgotten_add(struct forgotten *forgotten, struct forgotten_handle *handle);

/** A file is known again, by an inode that is not in the table yet: take it out.
 *  @return its old nodeid, or 0 */
fuse_ino_t forgotten_take(struct forgotten *forgotten, const struct inode *inode);

/** A copy of the handle of a nodeid, for forgotten_open() without the lock; or NULL. */
struct forgotten_handle *forgotten_copy(struct forgotten *forgotten, fuse_ino_t nodeid);

/** Open it: O_PATH. Consumes the handle. Needs no lock.
 *  @return a descriptor, or a negative errno: -ESTALE if the file is gone */
int forgotten_open(struct forgotten *forgotten, struct forgotten_handle *handle);

#endif
