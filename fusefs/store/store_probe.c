/* SPDX-License-Identifier: MIT */
/*
 * What the file systems below SOURCE can do.
 *
 * Every call is tried on a file without a name (O_TMPFILE), so nothing can be left
 * behind, whenever we are killed. Where the store has no such files, one with a name in
 * SOURCE/.foldfs takes its place for the moment between its creation and its removal;
 * recovery does not look at names other than journals', so it removes it as well.
 */

#include "store_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shift_dir.h"

/* Large enough for a collapse in the middle with blocks of 64 KiB, the largest. */
#define UNIT_BYTES  ((uint64_t)64 << 10)
#define PROBE_UNITS 4
/* More file systems than anybody mounts below one directory: those past it are asked
 * anew each time, which costs time and nothing else. */
#define MAX_KNOWN   64

struct known {
	dev_t dev;
	struct store_abilities abilities;
};

struct store_probe {
	pthread_mutex_t mutex;
	/* Guarded by mutex. */
	size_t count;
	struct known known[MAX_KNOWN];
};

struct store_probe *store_probe_new(void)
{
	struct store_probe *probe = calloc(1, sizeof(*probe));

	if (probe)
		pthread_mutex_init(&probe->mutex, NULL);
	return probe;
}

void store_probe_free(struct store_probe *probe)
{
	if (!probe)
		return;
	pthread_mutex_destroy(&probe->mutex);
	free(probe);
}

/* A file in .foldfs that loses its name at once; the directory goes, too, if it was
 * made for this. */
static int open_named(int source_fd)
{
	char name[64];
	struct shift_dir dir;
	int fd = shift_dir_make(source_fd, &dir);

	if (fd < 0)
		return fd;
	snprintf(name, sizeof(name), SHIFT_PROBE_PREFIX "%ld", (long)getpid());
	fd = openat(dir.fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		fd = -errno;
	else
		(void)unlinkat(dir.fd, name, 0);
	close(dir.fd);
	shift_dir_remove(source_fd);
	return fd;
}

/* The directory that an open file is in; it may have been moved, which does not
 * matter as long as the file system is the same. */
static int open_tmpfile_beside(int fd)
{
	char link[64];
	char path[PATH_MAX];
	char *slash;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return -ENOENT;
	path[n] = '\0';
	slash = strrchr(path, '/');
	if (!slash)
		return -ENOENT;
	slash[1] = '\0';

	const int result = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return result < 0 ? -errno : result;
}

static bool is_on(int fd, dev_t dev)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == dev;
}

/* A file to try things on, on the file system `dev`. */
static int open_probe_file(int source_fd, int fd, dev_t dev)
{
	int probe_fd = openat(source_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (probe_fd >= 0 && is_on(probe_fd, dev))
		return probe_fd;
	if (probe_fd >= 0)
		close(probe_fd);
	probe_fd = open_tmpfile_beside(fd);
	if (probe_fd < 0)
		probe_fd = open_named(source_fd);
	if (probe_fd >= 0 && !is_on(probe_fd, dev)) {
		close(probe_fd);
		return -EXDEV;
	}
	return probe_fd;
}

static int fill(const struct store_io *io, int fd)
{
	char buf[UNIT_BYTES];

	memset(buf, 'p', sizeof(buf));
	for (uint64_t i = 0; i < PROBE_UNITS; i++) {
		const ssize_t n = io->pwrite(fd, buf, sizeof(buf), i * UNIT_BYTES);

		if (n != sizeof(buf))
			return n < 0 ? (int)n : -ENOSPC;
	}
	return 0;
}

/* The arguments are right, so four errors are about the store. All others are about this
 * moment, or about the caller whose rights the thread has: no room for him, no leave. */
static bool is_for_now(int err)
{
	return err < 0 && err != -EOPNOTSUPP && err != -ENOSYS && err != -ENOTTY &&
	       err != -EINVAL;
}

/* @return 0, or the negative errno of a call that has shown nothing */
static int shows(int status, bool *ret_can)
{
	*ret_can = status == 0;
	return is_for_now(status) ? status : 0;
}

static int try_everything(const struct store_io *io, int fd,
			  struct store_abilities *ret_abilities)
{
	struct store_abilities can = {0};
	const struct {
		int mode;
		bool *can;
	} modes[] = {
		{FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, &can.punch},
		{FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, &can.zero},
		{FALLOC_FL_INSERT_RANGE, &can.insert},
		{FALLOC_FL_COLLAPSE_RANGE, &can.collapse},
	};
	int err = shows(io->clone(fd, 2 * UNIT_BYTES, fd, 0, UNIT_BYTES), &can.reflink);

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]) && err == 0; i++)
		err = shows(io->fallocate(fd, modes[i].mode, UNIT_BYTES, UNIT_BYTES),
			    modes[i].can);
	if (err == 0)
		*ret_abilities = can;
	return err;
}

int store_probe_open(int source_fd)
{
	const int fd = openat(source_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : open_named(source_fd);
}

int store_probe_try(const struct store_io *io, int fd,
		    struct store_abilities *ret_abilities)
{
	const int status = fill(io, fd);

	return status < 0 ? status : try_everything(io, fd, ret_abilities);
}

static bool look_up(struct store_probe *probe, dev_t dev, struct store_abilities *ret)
{
	bool found = false;

	pthread_mutex_lock(&probe->mutex);
	for (size_t i = 0; i < probe->count && !found; i++) {
		found = probe->known[i].dev == dev;
		if (found)
			*ret = probe->known[i].abilities;
	}
	pthread_mutex_unlock(&probe->mutex);
	return found;
}

static void remember(struct store_probe *probe, dev_t dev, struct store_abilities can)
{
	pthread_mutex_lock(&probe->mutex);
	if (probe->count < MAX_KNOWN)
		probe->known[probe->count++] = (struct known){dev, can};
	pthread_mutex_unlock(&probe->mutex);
}

struct store_abilities store_probe_ask(struct store_probe *probe,
				       const struct store_io *io, int source_fd, int fd)
{
	struct store_abilities can = {true, true, true, true, true};
	struct stat st;
	int probe_fd;

	if (fstat(fd, &st) < 0 || look_up(probe, st.st_dev, &can))
		return can;
	probe_fd = open_probe_file(source_fd, fd, st.st_dev);
	if (probe_fd < 0)
		return can;
	if (store_probe_try(io, probe_fd, &can) == 0)
		remember(probe, st.st_dev, can);
	close(probe_fd);
	return can;
}
