/* SPDX-License-Identifier: MIT */
/*
 * Attributes: all but the size, which belongs to the data side.
 *
 * The kernel has checked who may change what (default_permissions), and asks for
 * set-id bits to be cleared where that is due; the store does what it is told, through
 * the inode's own descriptor, and clears more if it knows better.
 */

#include "ops_attr.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "change_guard.h"
#include "credentials.h"
#include "ops_data.h"
#include "reply.h"
#include "size_adoption.h"
#include "standing_open.h"
#include "store_stat.h"
#include "watch.h"

#define TIMES_TO_SET                                                                   \
	(FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |         \
	 FUSE_SET_ATTR_MTIME_NOW)
void attr_reply(fuse_req_t req, struct inode *inode)
{
	/* Before it is looked at. */
	const struct trust trust = {.attributes = watch_inode(inode)};
	struct stat attr;
	const int status = inode_stat(inode, &attr);

	if (status < 0) {
		reply_status(req, status);
		return;
	}
	/* Before the answer: after it the kernel may forget the inode. */
	adoption_answered(inode, &attr);
	fuse_reply_attr(req, &attr, watch_attr_timeout(inode->daemon, trust));
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)fi;
	getattr_answer(req, inode_of(daemon_of(req), ino));
}

static int set_owner(struct inode *inode, const struct stat *attr, int to_set)
{
	const uid_t uid = to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
	const gid_t gid = to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;

	return fchownat(inode->fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) <
			       0
		       ? -errno
		       : 0;
}

static int set_mode(struct inode *inode, mode_t mode)
{
	/* Nothing can change a symbolic link's mode; chmod of the name in /proc would
	 * not say so on every kernel. */
	if (S_ISLNK(inode->type))
		return -EOPNOTSUPP;
	return fchmodat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text,
			mode & ~(mode_t)S_IFMT, 0) < 0
		       ? -errno
		       : 0;
}

static struct timespec time_to_set(int set, int set_now, struct timespec time)
{
	if (set_now)
		return (struct timespec){.tv_nsec = UTIME_NOW};
	return set ? time : (struct timespec){.tv_nsec = UTIME_OMIT};
}

static int set_times(struct inode *inode, const struct stat *attr, int to_set)
{
	const struct timespec times[2] = {
		time_to_set(to_set & FUSE_SET_ATTR_ATIME,
			    to_set & FUSE_SET_ATTR_ATIME_NOW, attr->st_atim),
		time_to_set(to_set & FUSE_SET_ATTR_MTIME,
			    to_set & FUSE_SET_ATTR_MTIME_NOW, attr->st_mtim),
	};

	return utimensat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text, times,
			 0) < 0
		       ? -errno
		       : 0;
}

/*
 * Nothing to set: so the kernel asks, before a change of the file's bytes, for what is
 * due to be cleared for it (killpriv.h). A change of owner to the same one does that,
 * by the store's own rules. Should the store refuse, it clears them at the change.
 */
static void clear_setid(struct inode *inode, fuse_req_t req)
{
	bool restore;

	if (!S_ISREG(inode->type) || fuse_req_ctx(req)->uid == 0)
		return;
	restore = credentials_fsetid_drop(req, inode->fd);
	(void)!fchownat(inode->fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH);
	if (restore)
		credentials_fsetid_restore();
}

void setattr_rest(fuse_req_t req, struct inode *inode, const struct stat *attr,
		  int to_set, struct fuse_file_info *fi)
{
	const bool sets_mode = to_set & FUSE_SET_ATTR_MODE;
	int status = 0;

	(void)fi;
	if (sets_mode && standing_open_is_loss(attr->st_mode))
		standing_open_before_loss(inode);
	change_begin(inode);
	if (to_set == 0)
		clear_setid(inode, req);
	/* The owner first: it clears set-id bits, which the mode may set again. */
	if (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		status = set_owner(inode, attr, to_set);
	if (status == 0 && sets_mode)
		status = set_mode(inode, attr->st_mode);
	if (status == 0 && to_set & TIMES_TO_SET)
		status = set_times(inode, attr, to_set);
	change_end(inode);
	if (sets_mode)
		standing_open_after_loss(inode);
	if (status < 0)
		reply_status(req, status);
	else
		attr_reply(req, inode);
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi)
{
	data_setattr(req, inode_of(daemon_of(req), ino), attr, to_set, fi);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	const struct daemon *daemon = daemon_of(req);
	struct statvfs statfs;
	int fd = daemon->source_fd;

	/* The kernel asks on behalf of a file, or of none. */
	if (ino != 0)
		fd = inode_of(daemon_of(req), ino)->fd;
	if (fstatvfs(fd, &statfs) < 0)
		reply_status(req, -errno);
	else
		fuse_reply_statfs(req, &statfs);
}

void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	const struct inode *inode = inode_of(daemon_of(req), ino);

	/* With default_permissions the kernel decides by itself, and only asks whether
	 * the store is read-only or the file gone bad. */
	if (faccessat(inode->daemon->proc_fd_dir, fd_name(inode->fd).text, mask,
		      AT_EACCESS) < 0)
		reply_status(req, -errno);
	else
		reply_status(req, 0);
}
