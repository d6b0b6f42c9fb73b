/* SPDX-License-Identifier: MIT */
/*
 * Looking for a file below SOURCE by its inode number.
 *
 * Breadth first with a queue of paths, so that the depth of the tree costs neither
 * stack nor descriptors. Inode numbers in directories are enough to choose candidates;
 * the one that a mount point shows there is that of the covered directory, which does
 * not matter, because a mount point is not the file.
 */

#include "shift_search.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shift_dir.h"

struct pending {
	STAILQ_ENTRY(pending) link;
	char path[]; /* "" is SOURCE */
};

STAILQ_HEAD(queue, pending);

static int enqueue(struct queue *queue, const char *path)
{
	const size_t bytes = strlen(path) + 1;
	struct pending *dir = malloc(sizeof(*dir) + bytes);

	if (!dir)
		return -ENOMEM;
	memcpy(dir->path, path, bytes);
	STAILQ_INSERT_TAIL(queue, dir, link);
	return 0;
}

static bool is_directory(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(st.st_mode);
}

struct walk {
	struct queue queue;
	uint64_t ino;
	int (*found)(void *arg, const char *path);
	void *arg;
};

static int visit(struct walk *walk, DIR *dir, const char *parent,
		 const struct dirent *entry)
{
	const char *name = entry->d_name;
	char path[PATH_MAX];
	int n;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -ENOENT;
	if (!parent[0] && strcmp(name, SHIFT_DIR_NAME) == 0)
		return -ENOENT;
	n = snprintf(path, sizeof(path), "%s%s%s", parent, parent[0] ? "/" : "", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENOENT;
	if (is_directory(dir, entry)) {
		const int err = enqueue(&walk->queue, path);

		return err < 0 ? err : -ENOENT;
	}
	return entry->d_ino == walk->ino ? walk->found(walk->arg, path) : -ENOENT;
}

static int visit_all(struct walk *walk, int source_fd, const char *path)
{
	const int fd = shift_open_beneath(source_fd, path[0] ? path : ".",
					  O_RDONLY | O_DIRECTORY);
	const struct dirent *entry;
	int result = -ENOENT;
	DIR *dir;

	if (fd < 0)
		return -ENOENT;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while (result == -ENOENT && (entry = readdir(dir)))
		result = visit(walk, dir, path, entry);
	closedir(dir);
	return result;
}

int shift_search(int source_fd, uint64_t ino, int (*found)(void *arg, const char *path),
		 void *arg)
{
	struct walk walk = {.ino = ino, .found = found, .arg = arg};
	struct pending *dir;
	int result;

	STAILQ_INIT(&walk.queue);
	result = enqueue(&walk.queue, "");
	if (result == 0)
		result = -ENOENT;
	while ((dir = STAILQ_FIRST(&walk.queue))) {
		STAILQ_REMOVE_HEAD(&walk.queue, link);
		if (result == -ENOENT)
			result = visit_all(&walk, source_fd, dir->path);
		free(dir);
	}
	return result;
}
