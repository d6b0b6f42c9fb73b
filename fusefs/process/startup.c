/* SPDX-License-Identifier: MIT */
/*
 * Start-up checks: the two directories and how they lie to each other.
 *
 * What a mount needs beside them is in startup_fuse.c.
 */

#include "startup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "kernel_compat.h"
#include "log.h"
#include "mount_option.h"
#include "source_claim.h"
#include "startup_fuse.h"
#include "store_doubt.h"
#include "store_stat.h"

/* ----------------------------------------------------------------- the source */

static int check_source(struct daemon *daemon)
{
	struct options *options = &daemon->options;
	char *path = realpath(options->source, NULL);
	struct stat attr;

	if (!path) {
		const int error = errno;

		log_msg(LOG_ERR, "SOURCE %s: %s%s", options->source, strerror(error),
			error == ENOENT ? "; create it first, with mkdir -p" : "");
		return -error;
	}
	free(options->source);
	options->source = path;
	daemon->source_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (daemon->source_fd < 0) {
		const int error = errno;

		log_msg(LOG_ERR, "SOURCE %s: %s", path,
			error == ENOTDIR
				? "not a directory; give the directory to serve"
				: strerror(error));
		return -error;
	}
	if (fstat(daemon->source_fd, &attr) < 0)
		return -errno;
	daemon->source_dev = attr.st_dev;
	if (faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) < 0) {
		log_msg(LOG_ERR,
			"SOURCE %s: we may not read it; run foldfs as a user who may, or "
			"change its mode",
			path);
		return -EACCES;
	}
	return 0;
}

static void name_doubts(const struct daemon *daemon)
{
	char why[512];

	if (store_doubt_identity(daemon->source_fd, why, sizeof(why)) == 0 && *why)
		log_msg(LOG_WARNING,
			"SOURCE %s: a file may be taken for another, or one for two: %s",
			daemon->options.source, why);
}

/* What may not be executed in SOURCE may not through us, -o exec or not: whoever mounted
 * it so meant everybody. We are nosuid and nodev by ourselves. */
static int take_over_noexec(struct daemon *daemon)
{
	struct statvfs fs;

	if (fstatvfs(daemon->source_fd, &fs) < 0 || !(fs.f_flag & ST_NOEXEC))
		return 0;
	return mount_option_set(&daemon->options, "noexec");
}

static int open_proc(struct daemon *daemon)
{
	struct statfs fs;

	daemon->proc_fd_dir = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (daemon->proc_fd_dir >= 0 && fstatfs(daemon->proc_fd_dir, &fs) == 0 &&
	    fs.f_type == PROC_SUPER_MAGIC)
		return 0;
	log_msg(LOG_ERR, "/proc is not mounted: foldfs needs it to reopen files; "
			 "mount -t proc proc /proc");
	return -ENOENT;
}

/* ------------------------------------------------------------ the mount point */

static int explain_mountpoint(const char *path, int error)
{
	switch (error) {
	case ENOENT:
		log_msg(LOG_ERR,
			"MOUNTPOINT %s: does not exist; create it first, with mkdir -p",
			path);
		break;
	case ENOTCONN:
		log_msg(LOG_ERR,
			"MOUNTPOINT %s: busy: a mount whose daemon has died is still there; "
			"remove it with 'fusermount3 -u %s'",
			path, path);
		break;
	default:
		log_msg(LOG_ERR, "MOUNTPOINT %s: %s", path, strerror(error));
	}
	return -error;
}

/* A FUSE mount that is alive: ours would hide it, and be hidden from its users. */
static int check_not_mounted(const char *path)
{
	struct statx stx;
	struct statfs fs;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_TYPE, &stx) < 0)
		return explain_mountpoint(path, errno);
	if (!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) || statfs(path, &fs) < 0 ||
	    fs.f_type != FUSE_SUPER_MAGIC)
		return 0;
	log_msg(LOG_ERR,
		"MOUNTPOINT %s: busy: something is mounted there already; remove it with "
		"'fusermount3 -u %s', or choose another directory",
		path, path);
	return -EBUSY;
}

static int check_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;

	if (!dir)
		return explain_mountpoint(path, errno);
	while (empty && (entry = readdir(dir)))
		empty = strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0;
	closedir(dir);
	if (empty)
		return 0;
	log_msg(LOG_ERR,
		"MOUNTPOINT %s: not empty; a mount would hide what is in it. Choose "
		"another directory, or give -o nonempty",
		path);
	return -ENOTEMPTY;
}

/* fusermount3 demands the same, in fewer words. */
static int check_may_mount(const char *path)
{
	struct stat attr;

	if (geteuid() == 0)
		return 0;
	if (stat(path, &attr) < 0)
		return explain_mountpoint(path, errno);
	if (attr.st_mode & S_ISVTX && attr.st_uid != geteuid()) {
		log_msg(LOG_ERR,
			"MOUNTPOINT %s: its sticky bit is set and it belongs to another "
			"user; mount on a directory of your own",
			path);
		return -EPERM;
	}
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0) {
		log_msg(LOG_ERR,
			"MOUNTPOINT %s: you may not write it, so you may not mount on it; "
			"choose a directory of your own",
			path);
		return -EACCES;
	}
	return 0;
}

static int check_mountpoint(struct options *options)
{
	char *path = realpath(options->mountpoint, NULL);
	struct stat attr;
	int status;

	if (!path)
		return explain_mountpoint(options->mountpoint, errno);
	free(options->mountpoint);
	options->mountpoint = path;
	status = check_not_mounted(path);
	if (status < 0)
		return status;
	if (stat(path, &attr) < 0)
		return explain_mountpoint(path, errno);
	if (!S_ISDIR(attr.st_mode)) {
		log_msg(LOG_ERR, "MOUNTPOINT %s: not a directory; give an empty one",
			path);
		return -ENOTDIR;
	}
	return check_may_mount(path);
}

/* ------------------------------------------------------------ one in the other */

/* Whether a directory is another one or below it, by identity: names can be bound to
 * several places. @return 1, 0 or a negative errno */
static int is_below(const char *path, const char *above)
{
	struct store_id wanted, id, last = {0};
	int status, fd, up;

	status = store_identify(AT_FDCWD, above, &wanted);
	if (status < 0)
		return status;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (fd >= 0) {
		status = store_identify(fd, "", &id);
		if (status < 0)
			break;
		if (store_same_number(&id, &wanted)) {
			status = 1;
			break;
		}
		if (store_same_place(&id, &last))
			break;
		last = id;
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = up;
	}
	if (fd < 0)
		return -errno;
	close(fd);
	return status;
}

static int check_apart(const struct options *options)
{
	int status;

	status = is_below(options->source, options->mountpoint);
	if (status > 0) {
		log_msg(LOG_ERR,
			"SOURCE %s is inside MOUNTPOINT %s, or the same: the mount would "
			"hide it; choose a mount point elsewhere",
			options->source, options->mountpoint);
		return -EINVAL;
	}
	if (status == 0)
		status = is_below(options->mountpoint, options->source);
	if (status > 0) {
		log_msg(LOG_ERR,
			"MOUNTPOINT %s is inside SOURCE %s: the mount would contain itself; "
			"choose a mount point elsewhere",
			options->mountpoint, options->source);
		return -EINVAL;
	}
	if (status < 0)
		log_msg(LOG_ERR, "cannot tell how SOURCE and MOUNTPOINT lie: %s",
			strerror(-status));
	return status;
}

int startup_check(struct daemon *daemon)
{
	int status;

	daemon->source_fd = daemon->proc_fd_dir = -1;
	status = open_proc(daemon);
	if (status == 0)
		status = check_source(daemon);
	if (status == 0)
		name_doubts(daemon);
	if (status == 0)
		status = take_over_noexec(daemon);
	if (status == 0)
		status = check_mountpoint(&daemon->options);
	if (status == 0)
		status = check_apart(&daemon->options);
	if (status == 0)
		source_claim(daemon->source_fd, daemon->options.source);
	if (status == 0 && !daemon->options.nonempty)
		status = check_empty(daemon->options.mountpoint);
	if (status == 0)
		status = startup_check_fuse(daemon);
	return status;
}

void startup_fini(struct daemon *daemon)
{
	if (daemon->proc_fd_dir >= 0)
		close(daemon->proc_fd_dir);
	if (daemon->source_fd >= 0)
		close(daemon->source_fd);
}
