/* SPDX-License-Identifier: MIT */
/*
 * Looking for a file below SOURCE by its inode number.
 *
 * Breadth first with a queue of paths, so that the depth of the tree costs neither
 * stack nor descriptors. Inode numbers in directories are enough to choose candidates;
 * the one that a mount point shows there is that of the covered directory, which does
 * not matter, because a mount point is not the file.
 *
 * "It is not there" may be said only when every directory could be read: a journal whose
 * file is not there is set aside, and the file would be served half way.
 */

#include "shift_search.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel_compat.h"
#include "shift_dir.h"

/* ----------------------------------------------------------------- opening a path */

static int open_piece(int dir_fd, const char *path, int flags)
{
	/* With O_PATH nothing is opened that could block, and openat2(2) is strict. */
	const int harmless = flags & O_PATH ? 0 : O_NONBLOCK | O_NOCTTY;
	const struct open_how how = {
		.flags = (unsigned)(flags | harmless | O_NOFOLLOW | O_CLOEXEC),
		.resolve =
			RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	const long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* The longest start of a path that ends before a slash and fits into one call. */
static size_t first_piece(const char *path)
{
	size_t len = PATH_MAX - 1;

	while (len > 0 && path[len] != '/')
		len--;
	return len;
}

int shift_open_beneath(int source_fd, const char *path, int flags)
{
	char piece[PATH_MAX];
	int dir_fd = source_fd;
	int fd;

	while (strlen(path) >= PATH_MAX) {
		const size_t len = first_piece(path);

		if (len == 0)
			fd = -ENAMETOOLONG;
		else {
			memcpy(piece, path, len);
			piece[len] = '\0';
			fd = open_piece(dir_fd, piece, O_PATH | O_DIRECTORY);
		}
		if (dir_fd != source_fd)
			close(dir_fd);
		if (fd < 0)
			return fd;
		dir_fd = fd;
		path += len + 1;
	}
	fd = open_piece(dir_fd, path, flags);
	if (dir_fd != source_fd)
		close(dir_fd);
	return fd;
}

bool shift_means_absent(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -ELOOP || err == -EXDEV ||
	       err == -ENAMETOOLONG;
}

/* -------------------------------------------------------------------- the whole tree */

struct pending {
	STAILQ_ENTRY(pending) link;
	char path[]; /* "" is SOURCE */
};

STAILQ_HEAD(queue, pending);

struct walk {
	const struct shift_search *search;
	struct queue queue;
	int failure; /* the first, 0 so far */
};

static void note(struct walk *walk, int err)
{
	if (walk->failure == 0)
		walk->failure = err;
}

static struct pending *pending_new(const char *parent, const char *name)
{
	const size_t bytes = strlen(parent) + 1 + strlen(name) + 1;
	struct pending *pending = malloc(sizeof(*pending) + bytes);

	if (pending)
		snprintf(pending->path, bytes, "%s%s%s", parent, parent[0] ? "/" : "",
			 name);
	return pending;
}

/* 1, 0, or a negative errno. */
static int is_directory(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	return S_ISDIR(st.st_mode);
}

static bool is_skipped(const char *parent, const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	       (!parent[0] && shift_dir_is_reserved(name));
}

/* A descriptor, if it is what was looked for, or -ENOENT. */
static int visit(struct walk *walk, DIR *dir, const char *parent,
		 const struct dirent *entry)
{
	const int directory = is_directory(dir, entry);
	struct pending *pending;
	int result = -ENOENT;

	if (directory < 0)
		note(walk, directory);
	if (directory <= 0 && entry->d_ino != walk->search->ino)
		return -ENOENT;
	pending = pending_new(parent, entry->d_name);
	if (!pending) {
		note(walk, -ENOMEM);
		return -ENOENT;
	}
	if (directory > 0) {
		STAILQ_INSERT_TAIL(&walk->queue, pending, link);
		return -ENOENT;
	}
	result = walk->search->found(walk->search->found_arg, pending->path);
	free(pending);
	if (result < 0 && result != -ENOENT)
		note(walk, result);
	return result >= 0 ? result : -ENOENT;
}

static int read_directory(struct walk *walk, DIR *dir, const char *path)
{
	const struct dirent *entry;
	int result = -ENOENT;

	while (result == -ENOENT && (errno = 0, entry = readdir(dir)))
		if (!is_skipped(path, entry->d_name))
			result = visit(walk, dir, path, entry);
	if (result == -ENOENT && errno != 0)
		note(walk, -errno);
	return result;
}

static int visit_all(struct walk *walk, int source_fd, const char *path)
{
	const int fd = shift_open_beneath(source_fd, path[0] ? path : ".",
					  O_RDONLY | O_DIRECTORY);
	int result;
	DIR *dir;

	if (fd < 0) {
		if (!shift_means_absent(fd))
			note(walk, fd);
		return -ENOENT;
	}
	dir = fdopendir(fd);
	if (!dir) {
		note(walk, -errno);
		close(fd);
		return -ENOENT;
	}
	result = read_directory(walk, dir, path);
	closedir(dir);
	return result;
}

int shift_search(int source_fd, const struct shift_search *search, int failure)
{
	struct walk walk = {.search = search, .failure = failure};
	struct pending *dir = pending_new("", "");
	int result = -ENOENT;

	if (!dir)
		return -ENOMEM;
	STAILQ_INIT(&walk.queue);
	STAILQ_INSERT_TAIL(&walk.queue, dir, link);
	while ((dir = STAILQ_FIRST(&walk.queue))) {
		STAILQ_REMOVE_HEAD(&walk.queue, link);
		if (result == -ENOENT && search->stop && search->stop(search->stop_arg))
			result = -EINTR;
		if (result == -ENOENT)
			result = visit_all(&walk, source_fd, dir->path);
		free(dir);
	}
	return result == -ENOENT && walk.failure ? walk.failure : result;
}
