/* SPDX-License-Identifier: MIT */
/*
 * Remount: flags are the kernel's, so only it is told.
 */

#include "remount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "kernel_compat.h"
#include "log.h"

int remount(const struct options *options)
{
	const char *mountpoint = options->mountpoint;
	struct statfs fs;
	int error;

	if (statfs(mountpoint, &fs) < 0 || fs.f_type != FUSE_SUPER_MAGIC) {
		log_msg(LOG_ERR, "cannot remount %s: foldfs is not mounted there",
			mountpoint);
		return -EINVAL;
	}
	if (mount(options->source, mountpoint, NULL, options->mount_flags, NULL) == 0)
		return 0;
	error = errno;
	if (error == EPERM)
		log_msg(LOG_ERR,
			"cannot remount %s: only root may; users unmount and mount again",
			mountpoint);
	else if (error == EBUSY)
		log_msg(LOG_ERR, "cannot remount %s: busy: files are open for writing",
			mountpoint);
	else
		log_msg(LOG_ERR, "cannot remount %s: %s", mountpoint, strerror(error));
	return -error;
}
