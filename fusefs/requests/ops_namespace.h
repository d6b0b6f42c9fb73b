/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_OPS_NAMESPACE_H
#define FUSEFS_OPS_NAMESPACE_H

/*
 * The requests about names: finding, making, moving and removing them. Directories are
 * read in ops_dir.h. One file of code per idea: ops_namespace.c finds, ops_create.c
 * makes, ops_rename.c moves and removes.
 */

#include "watch.h"

/* Of struct fuse_lowlevel_ops; each answers req, now or later. */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent,
		const char *name);
/* CREATE, and what was TMPFILE (new_requests.h). */
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent,
	     const char *new_name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned int flags);

/**
 * Answer a LOOKUP, LINK and the like with the inode and its attributes as they are
 * now. Consumes req, and the caller's reference: it becomes the kernel's lookup, or is
 * dropped if the answer does not arrive. Any thread, no lock held.
 */
void entry_reply(fuse_req_t req, struct inode *inode);

/** Likewise with attributes that have just been fetched. */
void entry_reply_attr(fuse_req_t req, struct inode *inode, const struct stat *attr,
		      struct trust trust);

/** What the kernel is told of an inode. */
void entry_fill(const struct inode *inode, const struct stat *attr, struct trust trust,
		struct fuse_entry_param *ret_entry);

/**
 * Whether a name may be looked up in, or removed from, a directory.
 * @return 0; -EINVAL if it is empty, "." or "..", or contains a slash; -ENOENT if it is
 *         hidden
 */
int name_check(const struct inode *dir, const char *name);
/** Likewise whether it may be put there: -EPERM if it is hidden. */
int name_check_new(const struct inode *dir, const char *name);

/**
 * The inode behind a name that has passed name_check(), with a reference.
 * @param ret_attr   its attributes
 * @param ret_trust  for how long the kernel may keep both
 * @return 0 or a negative errno: -ENOENT, -ENFILE, -ELOOP if it is our own mount, …
 */
int child_get(struct inode *dir, const char *name, struct inode **ret_inode,
	      struct stat *ret_attr, struct trust *ret_trust);

#endif
