/* SPDX-License-Identifier: MIT */
/*
 * Creation: what is new belongs to the caller.
 *
 * Everything is made by the store in one system call that runs with the caller's
 * rights and umask (credentials.h), so that owner, set-group-id directories, default
 * ACLs and quotas are the store's own business and come out as they do without us; and
 * whether he may make it there, is.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "account.h"
#include "credentials.h"
#include "fd_pressure.h"
#include "fd_share.h"
#include "freed_room.h"
#include "new_requests.h"
#include "open_file.h"
#include "ops_namespace.h"
#include "reply.h"
#include "size_adoption.h"
#include "standing_open.h"
#include "store_readahead.h"
#include "store_stat.h"

/* What is to be made. */
struct creation {
	int dirfd;
	const char *name;
	mode_t mode; /* with the type */
	dev_t rdev;
	const char *target; /* of a symbolic link */
};

static int create_in_store(void *arg)
{
	const struct creation *creation = arg;
	int result;

	if (S_ISDIR(creation->mode))
		result = mkdirat(creation->dirfd, creation->name,
				 creation->mode & ~(mode_t)S_IFMT);
	else if (S_ISLNK(creation->mode))
		result = symlinkat(creation->target, creation->dirfd, creation->name);
	else
		result = mknodat(creation->dirfd, creation->name, creation->mode,
				 creation->rdev);
	return result < 0 ? -errno : 0;
}

static void create_and_reply(fuse_req_t req, fuse_ino_t parent, const char *name,
			     struct creation *creation)
{
	const uint64_t gone = freed_room_count();
	struct inode *dir = inode_of(daemon_of(req), parent), *inode;
	struct trust trust;
	struct stat attr;
	int status;

	status = name_check_new(dir, name);
	creation->dirfd = dir->fd;
	creation->name = name;
	if (status == 0)
		status = credentials_create(req, creation->mode, create_in_store,
					    creation);
	if (freed_room_came(dir->dev, gone, status))
		status = credentials_create(req, creation->mode, create_in_store,
					    creation);
	if (status == 0)
		status = child_get(dir, name, &inode, &attr, &trust);
	if (status < 0)
		reply_status(req, status);
	else
		entry_reply_attr(req, inode, &attr, trust);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	      dev_t rdev)
{
	create_and_reply(req, parent, name,
			 &(struct creation){.mode = mode, .rdev = rdev});
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	create_and_reply(
		req, parent, name,
		&(struct creation){.mode = S_IFDIR | (mode & ~(mode_t)S_IFMT)});
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	create_and_reply(req, parent, name,
			 &(struct creation){.mode = S_IFLNK, .target = target});
}

/* ------------------------------------------------------------- create and open */

/*
 * The inode of a file just created. Its descriptor, which may do what the file's mode
 * does not allow (a read-only file is written through it, as git does), becomes the
 * inode's. Consumes fd.
 * @param parent  0 and name NULL for a file without a name
 */
static int inode_of_created(struct daemon *daemon, int fd, fuse_ino_t parent,
			    const char *name, struct inode **ret_inode,
			    struct stat *ret_attr)
{
	int status, path_fd;

	path_fd = openat(daemon->proc_fd_dir, fd_name(fd).text, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		status = fd_pressure_error(daemon, -errno);
	else
		status = inode_table_find_or_add(daemon, path_fd, parent, name,
						 ret_inode, ret_attr);
	if (status < 0) {
		close(fd);
		return status;
	}
	if (daemon->readahead_races)
		store_readahead_stop(fd);
	store_adopt(*ret_inode, fd);
	return status;
}

static void open_and_reply(fuse_req_t req, struct inode *inode, const struct stat *attr,
			   struct fuse_file_info *fi)
{
	struct fuse_entry_param entry;
	int status;

	if (inode->daemon->options.no_open)
		status = standing_open_created(inode, attr->st_mode, fi);
	else
		status = open_file_get(inode, fi->flags, account_of(req, inode), fi);
	if (status < 0) {
		inode_put(inode, 1);
		reply_status(req, status);
		return;
	}
	entry_fill(inode, attr, (struct trust){0}, &entry);
	adoption_answered(inode, attr);
	if (fuse_reply_create(req, &entry, fi) < 0) {
		if (fi->fh != 0)
			open_file_put(open_file_of(fi));
		inode_put(inode, 1);
	}
}

/* Likewise, and open it. */
struct open_creation {
	int dirfd;
	const char
		*path; /* relative to dirfd; of the directory itself with O_TMPFILE */
	int flags;
	mode_t mode;
};

static int create_open_in_store(void *arg)
{
	const struct open_creation *creation = arg;
	const int fd = openat(creation->dirfd, creation->path,
			      creation->flags | O_RDWR | O_CLOEXEC,
			      creation->mode & ~(mode_t)S_IFMT);

	return fd < 0 ? -errno : fd;
}

/* Readable and writable whatever the mode.
 * @return a descriptor or a negative errno */
static int create_open(fuse_req_t req, struct inode *dir, struct open_creation creation)
{
	const uint64_t gone = freed_room_count();
	struct daemon *daemon = daemon_of(req);
	int fd;

	/* First: what cannot be opened afterwards should not be there. */
	if (!fd_share_left(daemon, account_of(req, dir)))
		return -ENFILE;
	fd = credentials_create(req, creation.mode, create_open_in_store, &creation);
	if (freed_room_came(dir->dev, gone, fd))
		fd = credentials_create(req, creation.mode, create_open_in_store,
					&creation);
	if (fd < 0)
		return fd_pressure_error(daemon, fd);
	/* Not with open(2): where it is refused, the file would have been made all the
	 * same. */
	if (daemon->options.noatime)
		fcntl(fd, F_SETFL, O_NOATIME);
	return fd;
}

static void create_nameless(fuse_req_t req, fuse_ino_t parent, mode_t mode,
			    struct fuse_file_info *fi)
{
	struct daemon *daemon = daemon_of(req);
	struct inode *dir = inode_of(daemon, parent), *inode;
	struct stat attr;
	int status;

	status = create_open(req, dir,
			     (struct open_creation){
				     .dirfd = daemon->proc_fd_dir,
				     .path = fd_name(dir->fd).text,
				     .flags = O_TMPFILE | (fi->flags & O_EXCL),
				     .mode = mode,
			     });
	if (status >= 0)
		status = inode_of_created(daemon, status, 0, NULL, &inode, &attr);
	if (status < 0) {
		reply_status(req, status);
		return;
	}
	atomic_store(&inode->unlinked, true);
	open_and_reply(req, inode, &attr, fi);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi)
{
	struct daemon *daemon = daemon_of(req);
	struct inode *dir = inode_of(daemon, parent), *inode;
	struct stat attr;
	int status;

	if (new_requests_was() == NEW_REQUEST_TMPFILE) {
		create_nameless(req, parent, mode, fi);
		return;
	}
	status = name_check_new(dir, name);
	if (status == 0)
		status = create_open(req, dir,
				     (struct open_creation){
					     .dirfd = dir->fd,
					     .path = name,
					     .flags = O_CREAT | O_EXCL | O_NOFOLLOW,
					     .mode = mode,
				     });
	/*
	 * Somebody was faster, behind the mount. Whether the caller may open that file
	 * has not been checked: ESTALE makes the kernel resolve the path again and then
	 * OPEN what is there.
	 */
	if (status == -EEXIST && !(fi->flags & O_EXCL))
		status = -ESTALE;
	if (status >= 0)
		status = inode_of_created(daemon, status, parent, name, &inode, &attr);
	if (status < 0)
		reply_status(req, status);
	else
		open_and_reply(req, inode, &attr, fi);
}
