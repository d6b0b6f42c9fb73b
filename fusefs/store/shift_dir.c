/* SPDX-License-Identifier: MIT */
/*
 * SOURCE/.foldfs and its like.
 */

#include "shift_dir.h"
#include "kernel_compat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* How often a directory may vanish (another foldfs unmounts) between making it and
 * opening it. */
#define MAX_TRIES 16
/* Others of our daemons may look whether a journal is there, and see nothing else. */
#define DIR_MODE  0711
/* In a trusted.* attribute, which takes CAP_SYS_ADMIN to set; no copy by cp(1) has it. */
#define MARK	  "trusted.foldfs.journals"

bool shift_dir_is_reserved(const char *name)
{
	const size_t len = strlen(SHIFT_DIR_NAME);

	return strncmp(name, SHIFT_DIR_NAME, len) == 0 &&
	       (name[len] == '\0' || name[len] == '-');
}

static void name_of(uid_t uid, char name[static SHIFT_DIR_NAME_MAX])
{
	snprintf(name, SHIFT_DIR_NAME_MAX, SHIFT_DIR_NAME "-%u", (unsigned)uid);
}

bool shift_dir_name_is_owners(int source_fd, const char *name)
{
	char owner_s[SHIFT_DIR_NAME_MAX];
	struct stat st;

	if (strcmp(name, SHIFT_DIR_NAME) == 0)
		return true;
	if (fstatat(source_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	name_of(st.st_uid, owner_s);
	return strcmp(name, owner_s) == 0;
}

/* ------------------------------------------------------------------ whose they are */

/* Whether anybody but root and us may rename what is ours in SOURCE. */
static bool names_are_safe(int source_fd)
{
	struct stat st;

	if (fstat(source_fd, &st) < 0)
		return false;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return false;
	return !(st.st_mode & (S_IWGRP | S_IWOTH)) || st.st_mode & S_ISVTX;
}

/* Only root can mark, and only where the store keeps such attributes. Users have to trust
 * whom they let write their SOURCE: see SECURITY.md. */
static bool needs_mark(int source_fd)
{
	return geteuid() == 0 && !names_are_safe(source_fd);
}

static enum shift_dir_trust trust_of(int source_fd, int fd, const struct stat *st)
{
	if (st->st_uid != geteuid() || st->st_mode & (S_IWGRP | S_IWOTH))
		return SHIFT_DIR_THEIRS;
	if (needs_mark(source_fd) && fgetxattr(fd, MARK, NULL, 0) < 0)
		return SHIFT_DIR_UNPROVEN;
	return SHIFT_DIR_OURS;
}

static int open_plainly(int dir_fd, const char *name, int flags)
{
	const struct open_how how = {
		.flags = (unsigned)(flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
		/* What is mounted there may answer as slowly as it likes. */
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	const long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int shift_dir_open(int source_fd, const char *name, struct shift_dir *ret_dir)
{
	struct shift_dir dir = {.fd = -1};
	struct stat st;
	int path_fd;
	int err = 0;

	if (strlen(name) >= sizeof(dir.name))
		return -ENOENT; /* none that we ever make */
	strcpy(dir.name, name);
	path_fd = open_plainly(source_fd, name, O_PATH);
	if (path_fd < 0)
		return path_fd;
	if (fstat(path_fd, &st) < 0)
		err = -errno;
	if (err == 0)
		dir.fd = open_plainly(path_fd, ".", O_RDONLY);
	close(path_fd);
	if (err == 0 && dir.fd < 0 && dir.fd != -EACCES)
		err = dir.fd;
	if (err < 0)
		return err;
	dir.owner = st.st_uid;
	err = dir.fd < 0 ? dir.fd : 0;
	dir.fd = err < 0 ? -1 : dir.fd;
	dir.trust = err < 0 ? SHIFT_DIR_THEIRS : trust_of(source_fd, dir.fd, &st);
	*ret_dir = dir;
	return err;
}

/* ---------------------------------------------------------------------- making one */

static bool is_empty(int fd)
{
	const int copy = open_plainly(fd, ".", O_RDONLY);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int found = 0;

	if (!dir) {
		if (copy >= 0)
			close(copy);
		return false;
	}
	while (found <= 2 && (errno = 0, entry = readdir(dir)))
		found++;
	closedir(dir);
	return errno == 0 && found <= 2; /* . and .. */
}

/* Ours from now on, if it is our user's. One that has just been made has no mark yet; one
 * with something in it may be anything. */
static int adopt(struct shift_dir *dir)
{
	struct stat st;

	if (dir->trust == SHIFT_DIR_UNPROVEN && is_empty(dir->fd) &&
	    fsetxattr(dir->fd, MARK, "1", 1, 0) == 0)
		dir->trust = SHIFT_DIR_OURS;
	if (dir->trust != SHIFT_DIR_OURS)
		return -EPERM;
	if (fstat(dir->fd, &st) == 0 && (st.st_mode & 07777) == DIR_MODE)
		return 0;
	return fchmod(dir->fd, DIR_MODE) < 0 ? -errno : 0;
}

/* 0; -EPERM: it is not ours; -ENOENT: it has just gone. */
static int open_or_make(int source_fd, const char *name, struct shift_dir *ret_dir)
{
	struct shift_dir dir;
	int err;

	if (mkdirat(source_fd, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	err = shift_dir_open(source_fd, name, &dir);
	if (err == -EACCES || err == -ENOTDIR || err == -ELOOP || err == -EXDEV)
		return -EPERM;
	if (err < 0)
		return err;
	err = adopt(&dir);
	if (err < 0)
		close(dir.fd);
	else
		*ret_dir = dir;
	return err;
}

/* Put one of ours in the place of what is there, at one stroke: who put that there would
 * be quicker with the next one otherwise. The kernel decides whether we may. */
static int displace(int source_fd, const char *name, struct shift_dir *ret_dir)
{
	struct shift_dir dir;
	char spare[SHIFT_DIR_NAME_MAX];
	uint64_t random;
	int err;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	snprintf(spare, sizeof(spare), SHIFT_DIR_NAME "-%016" PRIx64, random);
	err = open_or_make(source_fd, spare, &dir);
	if (err < 0)
		return err;
	if (renameat2(source_fd, spare, source_fd, name, RENAME_EXCHANGE) < 0) {
		close(dir.fd);
		(void)unlinkat(source_fd, spare, AT_REMOVEDIR);
		return -EPERM;
	}
	strcpy(dir.name, name);
	*ret_dir = dir;
	return 0;
}

int shift_dir_make(int source_fd, struct shift_dir *ret_dir)
{
	char own[SHIFT_DIR_NAME_MAX];
	int err = -ENOENT;

	name_of(geteuid(), own);
	for (int tries = 0; tries < MAX_TRIES && err == -ENOENT; tries++) {
		err = open_or_make(source_fd, SHIFT_DIR_NAME, ret_dir);
		if (err == -EPERM)
			err = open_or_make(source_fd, own, ret_dir);
		if (err == -EPERM)
			err = displace(source_fd, own, ret_dir);
	}
	return err;
}

/* ------------------------------------------------------------------------- rivals */

static int find_rival_in(int source_fd, const char *name, const char *journal_name,
			 uid_t file_owner)
{
	const int fd = open_plainly(source_fd, name, O_PATH);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return 0; /* not a directory, so nobody's journals */
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (st.st_uid != 0 && st.st_uid != geteuid() && st.st_uid != file_owner)
		err = 0; /* anybody's word: who plants names must not stop us */
	else if (fstatat(fd, journal_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		err = -EBUSY;
	else if (errno != ENOENT)
		err = -errno;
	close(fd);
	return err;
}

int shift_dir_find_rival(int source_fd, const struct shift_dir *dir,
			 const char *journal_name, uid_t file_owner)
{
	char names[4][SHIFT_DIR_NAME_MAX] = {SHIFT_DIR_NAME};
	int err = 0;

	name_of(0, names[1]);
	name_of(geteuid(), names[2]);
	name_of(file_owner, names[3]);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && err == 0; i++)
		if (strcmp(names[i], dir->name) != 0)
			err = find_rival_in(source_fd, names[i], journal_name,
					    file_owner);
	return err;
}

/* ------------------------------------------------------------------------ the rest */

int shift_dir_sync_parent(int source_fd, int (*fsync_dir)(int fd))
{
	const int fd = openat(source_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = fsync_dir(fd);
	close(fd);
	return err;
}

static void remove_one(int source_fd, const char *name)
{
	struct shift_dir dir;

	if (shift_dir_open(source_fd, name, &dir) < 0)
		return;
	close(dir.fd);
	if (dir.owner == geteuid())
		(void)unlinkat(source_fd, name, AT_REMOVEDIR);
}

void shift_dir_remove(int source_fd)
{
	char own[SHIFT_DIR_NAME_MAX];

	name_of(geteuid(), own);
	remove_one(source_fd, SHIFT_DIR_NAME);
	remove_one(source_fd, own);
}
