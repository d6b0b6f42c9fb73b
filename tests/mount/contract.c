/* SPDX-License-Identifier: MIT */
/*
 * What each observer sees once an operation has returned: the table of DESIGN.md, line by
 * line, in each of these worlds.
 *
 *                    | shared   | private,  | private,    | private,   | read, stat,
 *                    | mapping  | untouched | copied in   | copied past| new open,
 *                    |          |           | the range   | the new end| O_DIRECT
 *   truncate down    | SIGBUS past the end's page                      | smaller
 *   punch, zero      | zeros    | zeros     | keeps copy  | -          | zeros, same size
 *   collapse         | shifted, SIGBUS past | keeps copy  | SIGBUS     | shifted, smaller
 *   insert           | a gap, then shifted  | keeps copy  | -          | shifted, larger
 *   move             | new bytes in both    | keeps copy  | -          | new bytes
 *
 * Every page has been touched through every mapping, and has a byte stored through a
 * shared mapping that nobody has written back, when the operation begins.
 */

#include <sys/xattr.h>

#include <foldfs.h>

#include "observers.h"

/* The range that all operations work on, in pages. */
#define AT	4
#define LEN	3
#define MOVE_TO 9
#define CUT	(9 * PAGE + 50) /* the size after truncation */

struct operation {
	/* By descriptor, as a program would. */
	int (*perform)(int fd);
	/* The bare system call, by name: no fstat after it helps. */
	int (*perform_bare)(const char *path);
	void (*apply)(struct image *image);
	/* What a reference lacks it for: skipped there. */
	const char *lacking[4];
};

/* ------------------------------------------------------------- the operations */

static int bare(const char *path, const char *attribute, const char *value, int mode)
{
	int fd, status;

	if (on_foldfs())
		return setxattr(path, attribute, value, strlen(value), 0);
	fd = ok(open(path, O_WRONLY));
	status = fallocate(fd, mode, AT * PAGE, LEN * PAGE);
	ok(close(fd));
	return status;
}

static int truncate_perform(int fd)
{
	return ftruncate(fd, CUT);
}

static int truncate_bare(const char *path)
{
	return truncate(path, CUT);
}

static void truncate_apply(struct image *image)
{
	image_resize(image, CUT);
}

static int punch_perform(int fd)
{
	return foldfs_punch_hole(fd, AT * PAGE, LEN * PAGE);
}

static int punch_bare(const char *path)
{
	return bare(path, FOLDFS_XATTR_PUNCH, "16384+12288",
		    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static int zero_perform(int fd)
{
	return foldfs_zero_range(fd, AT * PAGE, LEN * PAGE);
}

static int zero_bare(const char *path)
{
	return bare(path, FOLDFS_XATTR_ZERO, "16384+12288",
		    FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
}

static void clear_apply(struct image *image)
{
	memset(image->bytes + AT * PAGE, 0, LEN * PAGE);
}

static int collapse_perform(int fd)
{
	return foldfs_collapse_range(fd, AT * PAGE, LEN * PAGE);
}

static int collapse_bare(const char *path)
{
	return bare(path, FOLDFS_XATTR_COLLAPSE, "16384+12288",
		    FALLOC_FL_COLLAPSE_RANGE);
}

static void collapse_apply(struct image *image)
{
	memmove(image->bytes + AT * PAGE, image->bytes + (AT + LEN) * PAGE,
		image->size - (AT + LEN) * PAGE);
	image_resize(image, image->size - LEN * PAGE);
}

static int insert_perform(int fd)
{
	return foldfs_insert_range(fd, AT * PAGE, LEN * PAGE);
}

static int insert_bare(const char *path)
{
	return bare(path, FOLDFS_XATTR_INSERT, "16384+12288", FALLOC_FL_INSERT_RANGE);
}

static void insert_apply(struct image *image)
{
	memmove(image->bytes + (AT + LEN) * PAGE, image->bytes + AT * PAGE,
		image->size - AT * PAGE);
	memset(image->bytes + AT * PAGE, 0, LEN * PAGE);
	image_resize(image, image->size + LEN * PAGE);
}

static int move_perform(int fd)
{
	return foldfs_move_range(fd, AT * PAGE, LEN * PAGE, MOVE_TO * PAGE);
}

static int move_bare(const char *path)
{
	return bare(path, FOLDFS_XATTR_MOVE, "16384+12288>36864", 0);
}

static void move_apply(struct image *image)
{
	memcpy(image->bytes + MOVE_TO * PAGE, image->bytes + AT * PAGE, LEN * PAGE);
	memset(image->bytes + AT * PAGE, 0, LEN * PAGE);
}

static const struct operation truncate_down = {
	truncate_perform, truncate_bare, truncate_apply, {NULL}};
static const struct operation punch = {punch_perform, punch_bare, clear_apply, {NULL}};
static const struct operation zero = {zero_perform, zero_bare, clear_apply, {"tmpfs"}};
static const struct operation collapse = {
	collapse_perform, collapse_bare, collapse_apply, {"tmpfs", "btrfs"}};
static const struct operation insert = {
	insert_perform, insert_bare, insert_apply, {"tmpfs", "btrfs"}};
static const struct operation move = {
	move_perform, move_bare, move_apply, {"tmpfs", "btrfs", "ext4", "xfs"}};

/* ------------------------------------------------------------------ the worlds */

static struct image *begin(const struct operation *op)
{
	for (size_t i = 0; op->lacking[i]; i++)
		reference_lacks(op->lacking[i], "has no such operation");
	return image_of_new_file();
}

/* Stores made afterwards must end up where they were made. */
static void stores_still_arrive(struct view *view, struct image *image)
{
	view_mark(view, image->size);
	image_mark(image, view->number);
	descriptor_matches(view->fd, image);
}

static void in_one_process(const struct operation *op)
{
	struct image *image = begin(op);
	struct view *a = view_open("f", 0, 0), *b = view_open("f", 1, 0);

	view_mark(a, image->size);
	view_mark(b, image->size);
	image_mark(image, 0);
	image_mark(image, 1);
	ok(op->perform(a->fd));
	op->apply(image);
	view_shows(b, image);
	view_shows(a, image);
	name_shows("f", image);
	store_shows(a->fd, "f", image);
}
