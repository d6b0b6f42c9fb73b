/* SPDX-License-Identifier: MIT */
/*
 * Automounts: our descriptor is of the directory below, and opened with O_PATH, which
 * mounts nothing. To open its name with O_DIRECTORY does.
 */

#include "automount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "fd_pressure.h"
#include "serving.h"
#include "store_stat.h"

bool automount_is(const struct daemon *daemon, int fd, const struct store_id *id)
{
	struct statfs fs;

	if (!S_ISDIR(id->mode))
		return false;
	/* autofs does not set the attribute; and is never the source's file system. */
	return id->automount ||
	       (id->dev != daemon->source_dev && fstatfs(fd, &fs) == 0 &&
		fs.f_type == AUTOFS_SUPER_MAGIC);
}

/* @return 0: it leads to the directory still */
static int open_name(const struct inode *dir, const struct inode *parent,
		     const char *name)
{
	struct store_id id;
	int status, fd;

	serving_will_wait();
	fd = openat(parent->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fd_pressure_error(dir->daemon, -errno);
	status = store_identify(fd, "", &id);
	close(fd);
	if (status < 0)
		return status;
	return id.dev == dir->dev && id.ino == dir->ino && id.mount == dir->mount
		       ? 0
		       : -ESTALE;
}

int automount_enter(struct inode *dir)
{
	struct inode *parent;
	fuse_ino_t nodeid;
	int status = 0;
	char *name;

	if (!dir->automount || !inode_table_name_of(dir, &nodeid, &name))
		return 0;
	parent = inode_table_find_nodeid(dir->daemon->inodes, nodeid);
	if (parent) {
		status = open_name(dir, parent, name);
		inode_put(parent, 1);
	}
	free(name);
	return status;
}
