/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_IDENTITY_H
#define FUSEFS_IDENTITY_H

/*
 * Which of the inodes that we know is this file?
 *
 * An inode is the store's inode as long as we hold it: with a descriptor of it open, the
 * store cannot give its number to another file. So the number (device and inode) is who
 * it is, and the birth time only a hint: overlayfs answers it from the layer that a file
 * is in, and changes it when the file is copied up. Four things go beyond the number:
 *
 * - *The mount.* A directory reached by two mounts (mount --bind) is two inodes: what may
 *   be done below, and what is mounted there, is each mount's own. A file is one, so that
 *   all share its cache, unless one of the mounts is read-only, or shows another owner.
 * - *A birth time that differs* (no file has two): asked again, of the descriptor.
 * - *A number that has changed*: a file with several names in a lower layer of overlayfs
 *   gets a new one when it is copied up (without index=on). It is found by its last name.
 * - *Names that part*: the same files have one number for all their names before, and
 *   are files of their own. Whether two are one only the kernel knows: to inotify they
 *   are the same watch, or two.
 *
 * Network and FUSE stores may not know of our descriptor, and use a number again:
 * store_doubt.h names them.
 */

#include "inode_table.h"

/** Whether an inode with this number is the file for certain, without asking the store.
 *  Required: the table's lock. */
bool identity_is_plain(const struct inode *inode, const struct store_id *id);

/**
 * The inode of a file that has been opened, if it is known.
 * @param fd           O_PATH; the caller's
 * @param id           what the store said of fd
 * @param parent,name  where it was found, which is noted; or 0 and NULL
 * @param ret_version  of the table when it was searched, if nothing is found
 * @return it, with a reference; or NULL
 * Locks taken: the table's. Asks the store, and does not wait for anything else.
 */
struct inode *identity_find(struct daemon *daemon, int fd, const struct store_id *id,
			    fuse_ino_t parent, const char *name, uint64_t *ret_version);

#endif
