/* SPDX-License-Identifier: MIT */
/*
 * A disk that loses what was not synced.
 */

#include "store_amnesia.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR	  512u
#define MAX_FILES 8

struct image {
	uint8_t *bytes;
	uint64_t size;
};

struct file {
	ino_t ino;
	int fd; /* ours */
	char path[PATH_MAX];
	struct image durable;
	bool name_is_durable; /* as it was at the last sync of its directory */
	bool named_then;
};

static struct file files[MAX_FILES];
static unsigned count;

static struct image read_image(int fd)
{
	struct image image = {NULL, 0};
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	image.size = (uint64_t)st.st_size;
	image.bytes = calloc(image.size + SECTOR, 1);
	ck_assert_ptr_nonnull(image.bytes);
	for (uint64_t at = 0; at < image.size;) {
		const ssize_t n =
			pread(fd, image.bytes + at, image.size - at, (off_t)at);

		ck_assert_int_gt(n, 0);
		at += (uint64_t)n;
	}
	return image;
}

/* A file that exists when it is first seen is durable as it is, with its name; an empty
 * one has just been made. */
static struct file *file_of(int fd)
{
	char link[64];
	struct stat st;
	struct file *file;
	ssize_t n;

	ck_assert_int_eq(fstat(fd, &st), 0);
	for (unsigned i = 0; i < count; i++)
		if (files[i].ino == st.st_ino)
			return &files[i];
	ck_assert_uint_lt(count, MAX_FILES);
	file = &files[count++];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, file->path, sizeof(file->path) - 1);
	ck_assert_int_gt(n, 0);
	file->path[n] = '\0';
	file->ino = st.st_ino;
	file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	file->durable = read_image(fd);
	file->name_is_durable = st.st_size > 0;
	file->named_then = st.st_size > 0;
	return file;
}

void store_amnesia_reset(void)
{
	for (unsigned i = 0; i < count; i++) {
		close(files[i].fd);
		free(files[i].durable.bytes);
	}
	memset(files, 0, sizeof(files));
	count = 0;
}

/* ------------------------------------------------------------------------ the cut */

static void cut_file(struct file *file, unsigned *seed, unsigned keep_256)
{
	struct image now = read_image(file->fd);
	const struct image *then = &file->durable;
	const bool new_size = (unsigned)rand_r(seed) % 256 < keep_256;
	const uint64_t size = new_size ? now.size : then->size;
	uint8_t *disk = calloc(size + SECTOR, 1);

	ck_assert_ptr_nonnull(disk);
	for (uint64_t at = 0; at < size; at += SECTOR) {
		const bool survives = (unsigned)rand_r(seed) % 256 < keep_256;
		const struct image *from = survives ? &now : then;
		const uint64_t end = from->size < size ? from->size : size;

		if (at < end)
			memcpy(disk + at, from->bytes + at,
			       end - at < SECTOR ? end - at : SECTOR);
	}
	ck_assert_int_eq(ftruncate(file->fd, (off_t)size), 0);
	for (uint64_t at = 0; at < size;) {
		const ssize_t n = pwrite(file->fd, disk + at, size - at, (off_t)at);

		ck_assert_int_gt(n, 0);
		at += (uint64_t)n;
	}
	free(disk);
	free(now.bytes);
}

/* A removed file that comes back, as it is, with its directory. */
static void bring_back(const struct file *file)
{
	const struct image image = read_image(file->fd);
	char dir[PATH_MAX];
	int fd;

	snprintf(dir, sizeof(dir), "%s", file->path);
	*strrchr(dir, '/') = '\0';
	(void)mkdir(dir, 0700);
	fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, image.bytes, image.size, 0), (ssize_t)image.size);
	free(image.bytes);
	close(fd);
}

static void cut_name(const struct file *file, unsigned *seed, unsigned keep_256)
{
	const bool exists = access(file->path, F_OK) == 0;
	const bool survives = (unsigned)rand_r(seed) % 256 < keep_256;

	if (survives || (file->name_is_durable && exists == file->named_then))
		return;
	if (exists && !file->named_then)
		(void)unlink(file->path);
	if (!exists && file->named_then)
		bring_back(file);
}

void store_amnesia_cut(unsigned seed, unsigned keep_256)
{
	for (unsigned i = 0; i < count; i++) {
		cut_file(&files[i], &seed, keep_256);
		cut_name(&files[i], &seed, keep_256);
	}
}

/* ---------------------------------------------------------------------- the calls */

static ssize_t amnesia_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	file_of(fd);
	return store_io_system.pwrite(fd, buf, len, offset);
}

static int amnesia_fallocate(int fd, int mode, uint64_t offset, uint64_t len)
{
	file_of(fd);
	return store_io_system.fallocate(fd, mode, offset, len);
}

static int amnesia_ftruncate(int fd, uint64_t size)
{
	file_of(fd);
	return store_io_system.ftruncate(fd, size);
}

static int amnesia_clone(int to_fd, uint64_t to, int from_fd, uint64_t from,
			 uint64_t len)
{
	file_of(to_fd);
	return store_io_system.clone(to_fd, to, from_fd, from, len);
}

static int amnesia_fdatasync(int fd)
{
	struct file *file = file_of(fd);

	free(file->durable.bytes);
	file->durable = read_image(fd);
	return 0;
}

/* Which directory does not matter: there is one with files that come and go. */
static int amnesia_fsync_dir(int fd)
{
	(void)fd;
	for (unsigned i = 0; i < count; i++) {
		files[i].name_is_durable = true;
		files[i].named_then = access(files[i].path, F_OK) == 0;
	}
	return 0;
}

static ssize_t amnesia_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	return store_io_system.pread(fd, buf, len, offset);
}

static int64_t amnesia_seek(int fd, uint64_t offset, int whence)
{
	return store_io_system.seek(fd, offset, whence);
}

const struct store_io store_amnesia_io = {
	.pread = amnesia_pread,
	.pwrite = amnesia_pwrite,
	.fdatasync = amnesia_fdatasync,
	.fsync_dir = amnesia_fsync_dir,
	.fallocate = amnesia_fallocate,
	.ftruncate = amnesia_ftruncate,
	.clone = amnesia_clone,
	.seek = amnesia_seek,
};
