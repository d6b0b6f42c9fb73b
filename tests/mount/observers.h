/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MOUNT_OBSERVERS_H
#define TESTS_MOUNT_OBSERVERS_H

/*
 * Everybody who can look at a file, and what they must see.
 *
 * An image is the content that a file should have; operations are applied to it as
 * well. A view is one process's set of ways to look: descriptors, and mappings that
 * have been touched, so that whatever the kernel holds on to is held.
 */

#include "files.h"

/** The file before any operation: the last page has 100 bytes. */
#define FILE_PAGES 16
#define FILE_SIZE  (15 * PAGE + 100)
/** Room for an insert. Every mapping is so long. */
#define ROOM_PAGES 24
#define ROOM	   (ROOM_PAGES * PAGE)

struct image {
	size_t size;
	bool may_drop_copies;	   /* private ones, in or after the range */
	unsigned char bytes[ROOM]; /* zeros after size */
};

struct view {
	unsigned number; /* below MARKS */
	int fd;
	int direct_fd;
	char *shared;
	char *readonly;	 /* shared as well, mapped for reading */
	char *untouched; /* private, never stored to */
	char *copied;	 /* private, some of its pages stored to */
	bool is_copied[ROOM_PAGES];
	unsigned char copy[ROOM_PAGES][PAGE]; /* what those pages must keep */
};

/** How many views there can be at once. */
#define MARKS 8

/** The image of the file before any operation. */
struct image *image_of_file(void);
/** Likewise, and make that file, `f`. */
struct image *image_of_new_file(void);
/** Put the mark of a view into each page of the image; see view_mark(). */
void image_mark(struct image *image, unsigned number);
/** Make the bytes past the size zeros, after the size has changed. */
void image_resize(struct image *image, size_t size);

/**
 * Open and map a file and touch every page, copying some.
 * @param number  of the view: its mark
 * @param flags   for open(2), beside O_RDWR: O_DIRECT or 0
 */
struct view *view_open(const char *path, unsigned number, int flags);
/** Store the view's mark into each page through its shared mapping: a byte at a place
 *  of its own. The file is then dirty in the kernel's page cache. */
void view_mark(struct view *view, size_t size);

/**
 * Check every way to look. Mappings first: looking at the size, or opening the file,
 * may mend what is wrong.
 */
void view_shows(struct view *view, const struct image *image);
/** Likewise stat(2) and a new open by this name. */
void name_shows(const char *path, const struct image *image);
/** Likewise the file in the store, after an fsync of fd. */
void store_shows(int fd, const char *name, const struct image *image);

#endif
