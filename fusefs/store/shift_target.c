/* SPDX-License-Identifier: MIT */
/*
 * Which file a journal is about.
 */

#include "shift_target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "shift_search.h"

/* ----------------------------------------------------------------------- describe */

static int describe_inode(int fd, struct shift_identity *identity, uint64_t *ret_dev,
			  bool *ret_unlinked)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &stx) < 0)
		return -errno;
	if (!S_ISREG(stx.stx_mode))
		return -ENODEV;
	identity->ino = stx.stx_ino;
	*ret_unlinked = stx.stx_nlink == 0;
	if (stx.stx_mask & STATX_BTIME) {
		identity->birth_s = stx.stx_btime.tv_sec;
		identity->birth_ns = stx.stx_btime.tv_nsec;
	}
	*ret_dev = (uint64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
	return 0;
}

/* Room for a handle of the largest size. */
union handle {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + SHIFT_HANDLE_MAX];
};

/* A store without handles is no failure: the other marks have to do. */
static void describe_handle(int fd, struct shift_identity *identity)
{
	union handle h = {.handle = {.handle_bytes = SHIFT_HANDLE_MAX}};
	int mount_id;

	if (name_to_handle_at(fd, "", &h.handle, &mount_id, AT_EMPTY_PATH) < 0 ||
	    h.handle.handle_bytes > SHIFT_HANDLE_MAX)
		return;
	identity->handle_type = h.handle.handle_type;
	identity->handle_len = h.handle.handle_bytes;
	memcpy(identity->handle, h.handle.f_handle, h.handle.handle_bytes);
}

/* The path of a descriptor as /proc tells it; false if it has none. */
static bool path_of(int fd, char path[static PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_MAX);
	if (n <= 0 || n >= PATH_MAX || path[0] != '/')
		return false;
	path[n] = '\0';
	return true;
}

/* The part of the path below SOURCE. If it cannot be told, searching has to do. */
static void describe_path(int source_fd, int fd, struct shift_target *target)
{
	char source[PATH_MAX];
	char path[PATH_MAX];

	if (!path_of(source_fd, source) || !path_of(fd, path))
		return;

	size_t len = strlen(source);

	if (source[len - 1] == '/')
		len--; /* SOURCE is the root directory */
	if (strncmp(path, source, len) != 0 || path[len] != '/')
		return;
	memcpy(target->path, path + len + 1, strlen(path + len + 1) + 1);
}

int shift_target_describe(int source_fd, int fd, struct shift_target *ret_target)
{
	struct shift_target target;
	struct stat source;
	uint64_t dev = 0;
	int err;

	memset(&target, 0, sizeof(target));
	err = describe_inode(fd, &target.identity, &dev, &target.unlinked);
	if (err < 0)
		return err;
	if (fstat(source_fd, &source) < 0)
		return -errno;
	target.on_source_device =
		dev == ((uint64_t)major(source.st_dev) << 32 | minor(source.st_dev));
	describe_handle(fd, &target.identity);
	describe_path(source_fd, fd, &target);
	*ret_target = target;
	return 0;
}

/* --------------------------------------------------------------------------- open */

int shift_identity_is(const struct shift_identity *want, int fd)
{
	struct shift_identity found;
	bool ignored;
	uint64_t dev;
	int err;

	memset(&found, 0, sizeof(found));
	err = describe_inode(fd, &found, &dev, &ignored);
	if (err < 0)
		return err == -ENODEV ? 0 : err;
	if (found.ino != want->ino || found.birth_s != want->birth_s ||
	    found.birth_ns != want->birth_ns)
		return 0;
	describe_handle(fd, &found);
	return found.handle_type == want->handle_type &&
	       found.handle_len == want->handle_len &&
	       memcmp(found.handle, want->handle, want->handle_len) == 0;
}

/* O_PATH first: opening what is not the file could have effects (a FIFO, a device), and
 * "not the file" must not look like "may not open it".
 * ret_found: whether the file is there, opened or not. */
static int open_if_target(int source_fd, const char *path,
			  const struct shift_target *target, bool *ret_found)
{
	int fd = shift_open_beneath(source_fd, path, O_PATH);
	int same;

	*ret_found = false;
	if (fd < 0)
		return shift_means_absent(fd) ? -ENOENT : fd;
	same = shift_identity_is(&target->identity, fd);
	close(fd);
	if (same <= 0)
		return same < 0 ? same : -ENOENT;
	*ret_found = true;
	fd = shift_open_beneath(source_fd, path, O_RDWR);
	if (fd >= 0 && shift_identity_is(&target->identity, fd) != 1) {
		close(fd);
		*ret_found = false;
		return -ENOENT; /* replaced just now */
	}
	return fd;
}

/* Whether the store says that the inode is no more. Only root may ask, and only about
 * SOURCE's own file system. */
static bool is_deleted(int source_fd, const struct shift_target *target)
{
	const struct shift_identity *identity = &target->identity;
	union handle h = {.handle = {.handle_bytes = identity->handle_len,
				     .handle_type = identity->handle_type}};
	int mount_fd;
	int fd;
	int saved_errno;

	if (identity->handle_len == 0 || !target->on_source_device)
		return false;
	mount_fd = openat(source_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount_fd < 0)
		return false;
	memcpy(h.handle.f_handle, identity->handle, identity->handle_len);
	fd = open_by_handle_at(mount_fd, &h.handle, O_PATH | O_CLOEXEC);
	saved_errno = errno;
	close(mount_fd);
	if (fd >= 0) {
		close(fd);
		return false;
	}
	return saved_errno == ESTALE;
}

struct search {
	int source_fd;
	const struct shift_target *target;
};

static int try_candidate(const void *arg, const char *path)
{
	const struct search *search = arg;
	bool ignored;

	return open_if_target(search->source_fd, path, search->target, &ignored);
}

int shift_target_open(int source_fd, const struct shift_target *target,
		      bool (*stop)(void *arg), void *stop_arg)
{
	const struct search search = {source_fd, target};
	bool found = false;
	int fd = -ENOENT;

	if (target->unlinked)
		return -ESTALE;
	if (target->path[0])
		fd = open_if_target(source_fd, target->path, target, &found);
	if (fd >= 0 || found)
		return fd;
	if (is_deleted(source_fd, target))
		return -ESTALE;
	/* What keeps us from its path (-EACCES) may be that somebody has moved it. */
	return shift_search(source_fd,
			    &(struct shift_search){
				    .ino = target->identity.ino,
				    .found = try_candidate,
				    .found_arg = &search,
				    .stop = stop,
				    .stop_arg = stop_arg,
			    },
			    fd == -ENOENT ? 0 : fd);
}
