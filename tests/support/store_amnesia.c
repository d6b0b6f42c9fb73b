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
#define CHUNK	  4096u /* of a file: bytes, or a hole */
#define MAX_FILES 8

/* Check tells its parent of each assertion that holds, in a call; here are some hundred
 * between any two instants. */
static void must(bool holds, const char *what)
{
	if (!holds)
		ck_abort_msg("store_amnesia: %s: %s", what, strerror(errno));
}

/* Journals are holes for the most part, and are read after each call. */
struct image {
	uint8_t **chunk; /* NULL: zeros */
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

static uint64_t chunks_of(const struct image *image)
{
	return (image->size + CHUNK - 1) / CHUNK;
}

static struct image new_image(uint64_t size)
{
	const struct image image = {
		.chunk = calloc(size / CHUNK + 1, sizeof(*image.chunk)),
		.size = size,
	};

	must(image.chunk, "calloc");
	return image;
}

static void free_image(struct image *image)
{
	for (uint64_t i = 0; i < chunks_of(image); i++)
		free(image->chunk[i]);
	free(image->chunk);
	*image = (struct image){0};
}

/* The chunk to be written to; zeros, if it was a hole. */
static uint8_t *chunk_of(struct image *image, uint64_t i)
{
	if (!image->chunk[i])
		image->chunk[i] = calloc(1, CHUNK);
	must(image->chunk[i], "calloc");
	return image->chunk[i];
}

static struct image read_image(int fd)
{
	struct image image;
	struct stat st;
	off_t hole = 0;

	must(fstat(fd, &st) == 0, "fstat");
	image = new_image((uint64_t)st.st_size);
	while ((uint64_t)hole < image.size) {
		const off_t data = lseek(fd, hole, SEEK_DATA);

		must(data >= 0 || errno == ENXIO, "SEEK_DATA");
		if (data < 0)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		must(hole > data, "SEEK_HOLE");
		for (uint64_t i = (uint64_t)data / CHUNK; i * CHUNK < (uint64_t)hole;
		     i++)
			must(pread(fd, chunk_of(&image, i), CHUNK, (off_t)(i * CHUNK)) >
				     0,
			     "pread");
	}
	return image;
}

static void write_image(int fd, const struct image *image)
{
	must(ftruncate(fd, 0) == 0, "ftruncate");
	for (uint64_t i = 0; i < chunks_of(image); i++)
		if (image->chunk[i])
			must(pwrite(fd, image->chunk[i], CHUNK, (off_t)(i * CHUNK)) ==
				     CHUNK,
			     "pwrite");
	must(ftruncate(fd, (off_t)image->size) == 0, "ftruncate");
}

/* A file that exists when it is first seen is durable as it is, with its name; an empty
 * one has just been made. */
static struct file *file_of(int fd)
{
	char link[64];
	struct stat st;
	struct file *file;
	ssize_t n;

	must(fstat(fd, &st) == 0, "fstat");
	for (unsigned i = 0; i < count; i++)
		if (files[i].ino == st.st_ino)
			return &files[i];
	must(count < MAX_FILES, "too many files");
	file = &files[count++];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, file->path, sizeof(file->path) - 1);
	must(n > 0, "readlink");
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
		free_image(&files[i].durable);
	}
	memset(files, 0, sizeof(files));
	count = 0;
}

/* ------------------------------------------------------------------------ the cut */

/* Of a file that ended before the sector does, there are zeros in the last chunk. */
static const uint8_t *sector_of(const struct image *image, uint64_t at)
{
	const uint8_t *chunk = at < image->size ? image->chunk[at / CHUNK] : NULL;

	return chunk ? chunk + at % CHUNK : NULL;
}

static void cut_file(struct file *file, unsigned *seed, unsigned keep_256)
{
	struct image now = read_image(file->fd);
	const struct image *then = &file->durable;
	const bool new_size = (unsigned)rand_r(seed) % 256 < keep_256;
	struct image disk = new_image(new_size ? now.size : then->size);

	for (uint64_t at = 0; at < disk.size; at += SECTOR) {
		const uint8_t *new = sector_of(&now, at), *old = sector_of(then, at);

		if (!new && !old)
			continue;
		if ((unsigned)rand_r(seed) % 256 >= keep_256)
			new = old;
		if (new)
			memcpy(chunk_of(&disk, at / CHUNK) + at % CHUNK, new, SECTOR);
	}
	write_image(file->fd, &disk);
	free_image(&disk);
	free_image(&now);
}

/* A removed file that comes back, as it is, with its directory. */
static void bring_back(const struct file *file)
{
	struct image image = read_image(file->fd);
	char dir[PATH_MAX];
	int fd;

	snprintf(dir, sizeof(dir), "%s", file->path);
	*strrchr(dir, '/') = '\0';
	(void)mkdir(dir, 0700);
	fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(fd >= 0, "open");
	write_image(fd, &image);
	free_image(&image);
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

	free_image(&file->durable);
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
