/* SPDX-License-Identifier: MIT */
/*
 * The file by its names: making, opening, renaming and removing it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "perform.h"

static const char *path_now(const struct worker *worker)
{
	return worker->board->paths[worker->board->name];
}

static int let_go(struct worker *worker)
{
	int err = 0;

	for (uint32_t i = 0; i < worker->limits.mappings; i++) {
		if (worker->mappings[i] &&
		    munmap(worker->mappings[i], worker->mapping_bytes) < 0)
			err = -errno;
		worker->mappings[i] = NULL;
	}
	if (worker->fd >= 0 && close(worker->fd) < 0)
		err = -errno;
	worker->fd = -1;
	return err;
}

/* Takes fd. */
static int take(struct worker *worker, int fd)
{
	worker->fd = fd;
	for (uint32_t i = 0; i < worker->limits.mappings; i++) {
		const bool shared = i % 2 == 0;
		void *at = mmap(NULL, worker->mapping_bytes,
				shared ? PROT_READ | PROT_WRITE : PROT_READ,
				shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);

		if (at == MAP_FAILED)
			return -errno;
		worker->mappings[i] = at;
	}
	return 0;
}

static int replace_by(struct worker *worker, const char *path, int flags)
{
	const int fd = open(path, flags | O_RDWR | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return -errno;
	err = let_go(worker);
	if (err < 0) {
		close(fd);
		return err;
	}
	return take(worker, fd);
}

static int remove_both(const struct worker *worker)
{
	for (int i = 0; i < 2; i++)
		if (unlink(worker->board->paths[i]) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}

int worker_create(struct worker *worker)
{
	const int err = remove_both(worker);

	return err < 0 ? err
		       : replace_by(worker, worker->board->paths[0], O_CREAT | O_EXCL);
}

int worker_open(struct worker *worker)
{
	return replace_by(worker, path_now(worker), 0);
}

int worker_remove(struct worker *worker)
{
	const int err = let_go(worker);

	return err < 0 ? err : remove_both(worker);
}

/* A file without a name is opened through the descriptor that still holds it. */
int worker_reopen(struct worker *worker)
{
	char path[64];

	if (!worker->board->unlinked)
		return worker_open(worker);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", worker->fd);
	return replace_by(worker, path, 0);
}

int worker_rename(struct worker *worker, bool replace)
{
	const char *to = worker->board->paths[!worker->board->name];
	int victim;

	if (replace) {
		victim = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (victim < 0 || close(victim) < 0)
			return -errno;
	}
	return rename(path_now(worker), to) < 0 ? -errno : 0;
}

int worker_unlink(struct worker *worker)
{
	return unlink(path_now(worker)) < 0 ? -errno : 0;
}
