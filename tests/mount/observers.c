/* SPDX-License-Identifier: MIT */

#include "observers.h"

static size_t pages_of(size_t size)
{
	return (size + PAGE - 1) / PAGE;
}

static void *zeroed(size_t size)
{
	void *memory = calloc(1, size);

	ck_assert_ptr_nonnull(memory);
	return memory;
}

struct image *image_of_file(void)
{
	struct image *image = zeroed(sizeof(*image));

	image->size = FILE_SIZE;
	for (size_t i = 0; i < FILE_SIZE; i++)
		image->bytes[i] = byte_at(1, (off_t)i);
	return image;
}

struct image *image_of_new_file(void)
{
	ok(close(make_file("f", FILE_SIZE, 1)));
	return image_of_file();
}

/* Within the 100 bytes of the last page. */
static size_t mark_offset(size_t page, unsigned number)
{
	return page * PAGE + 10 * (number + 1);
}

static char mark_byte(size_t page, unsigned number)
{
	return (char)(1 + number * 32 + page);
}

void image_mark(struct image *image, unsigned number)
{
	for (size_t page = 0; page < pages_of(image->size); page++)
		image->bytes[mark_offset(page, number)] =
			(unsigned char)mark_byte(page, number);
}

void view_mark(struct view *view, size_t size)
{
	for (size_t page = 0; page < pages_of(size); page++)
		view->shared[mark_offset(page, view->number)] =
			mark_byte(page, view->number);
}

void image_resize(struct image *image, size_t size)
{
	ck_assert_uint_le(size, ROOM);
	image->size = size;
	memset(image->bytes + size, 0, ROOM - size);
}

/* Some pages before, in and after the range of every operation, and the last ones. */
static bool to_be_copied(size_t page)
{
	return page % 2 == 1 || page >= FILE_PAGES - 2;
}

static void copy_pages(struct view *view)
{
	for (size_t page = 0; page < FILE_PAGES; page++) {
		if (!to_be_copied(page))
			continue;
		view->copied[page * PAGE + 5] = 'P';
		view->is_copied[page] = true;
		memcpy(view->copy[page], view->copied + page * PAGE, PAGE);
	}
}

struct view *view_open(const char *path, unsigned number, int flags)
{
	struct view *view = zeroed(sizeof(*view));

	view->number = number;
	view->fd = ok(open(path, O_RDWR | flags));
	view->direct_fd = ok(open(path, O_RDONLY | O_DIRECT));
	view->shared = map_shared(view->fd, ROOM);
	view->readonly = map_readonly(view->fd, ROOM);
	view->untouched = map_private(view->fd, ROOM);
	view->copied = map_private(view->fd, ROOM);
	for (size_t page = 0; page < FILE_PAGES; page++) {
		ck_assert(!load_faults(view->shared + page * PAGE));
		ck_assert(!load_faults(view->readonly + page * PAGE));
		ck_assert(!load_faults(view->untouched + page * PAGE));
		ck_assert(!load_faults(view->copied + page * PAGE));
	}
	copy_pages(view);
	return view;
}

/* ------------------------------------------------------------------- checking */

static void same_bytes(const char *who, const void *found, const struct image *image,
		       size_t offset, size_t len)
{
	const unsigned char *bytes = found;

	if (memcmp(bytes, image->bytes + offset, len) == 0)
		return;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] != image->bytes[offset + i])
			ck_abort_msg("%s: page %zu, byte %zu is %#x, expected %#x", who,
				     (offset + i) / PAGE, (offset + i) % PAGE, bytes[i],
				     image->bytes[offset + i]);
}

static void ends_in_sigbus(const char *who, const char *mapping, size_t size)
{
	for (size_t page = pages_of(size); page < ROOM_PAGES; page++)
		ck_assert_msg(load_faults(mapping + page * PAGE),
			      "%s: page %zu is past the end and can be loaded", who,
			      page);
}

static void stores_end_in_sigbus(const char *who, char *mapping, size_t size)
{
	for (size_t page = pages_of(size); page < ROOM_PAGES; page++)
		ck_assert_msg(store_faults(mapping + page * PAGE),
			      "%s: page %zu is past the end and can be stored to", who,
			      page);
}

/* Page by page, so that a SIGBUS inside the file is a failure in words. */
static void mapping_shows(const char *who, const char *mapping,
			  const struct image *image)
{
	for (size_t page = 0; page < pages_of(image->size); page++) {
		ck_assert_msg(!load_faults(mapping + page * PAGE),
			      "%s: SIGBUS in page %zu", who, page);
		same_bytes(who, mapping + page * PAGE, image, page * PAGE, PAGE);
	}
}

static void copies_are_kept(const struct view *view, const struct image *image)
{
	for (size_t page = 0; page < pages_of(image->size); page++) {
		const char *at = view->copied + page * PAGE;

		ck_assert_msg(!load_faults(at), "private: SIGBUS in page %zu", page);
		if (!view->is_copied[page] || (image->may_drop_copies && at[5] != 'P'))
			same_bytes("private, not copied", at, image, page * PAGE, PAGE);
		else if (memcmp(at, view->copy[page], PAGE) != 0)
			ck_abort_msg("private: page %zu has lost its own copy", page);
	}
}

static void descriptor_shows(const char *who, int fd, const struct image *image)
{
	char *buf = aligned_alloc(PAGE, ROOM);

	ck_assert_ptr_nonnull(buf);
	ck_assert_msg(fstat_of(fd).st_size == (off_t)image->size,
		      "%s: size %lld, expected %zu", who,
		      (long long)fstat_of(fd).st_size, image->size);
	ck_assert_int_eq(ok(lseek(fd, 0, SEEK_END)), (off_t)image->size);
	ck_assert_msg(ok(pread(fd, buf, ROOM, 0)) == (ssize_t)image->size,
		      "%s: not %zu bytes read", who, image->size);
	same_bytes(who, buf, image, 0, image->size);
	for (size_t page = 0; page < ROOM_PAGES; page++) {
		const ssize_t n = ok(pread(fd, buf, PAGE, (off_t)(page * PAGE)));

		if (page * PAGE >= image->size)
			ck_assert_msg(n == 0, "%s: %zd bytes past the end", who, n);
		else
			same_bytes(who, buf, image, page * PAGE, (size_t)n);
	}
	free(buf);
}

void view_shows(struct view *view, const struct image *image)
{
	ends_in_sigbus("shared mapping", view->shared, image->size);
	ends_in_sigbus("read-only mapping", view->readonly, image->size);
	ends_in_sigbus("private, untouched", view->untouched, image->size);
	ends_in_sigbus("private, copied", view->copied, image->size);
	stores_end_in_sigbus("shared mapping", view->shared, image->size);
	stores_end_in_sigbus("private, copied", view->copied, image->size);
	mapping_shows("shared mapping", view->shared, image);
	mapping_shows("read-only mapping", view->readonly, image);
	mapping_shows("private, untouched", view->untouched, image);
	copies_are_kept(view, image);
	descriptor_shows("O_DIRECT", view->direct_fd, image);
	if (!(ok(fcntl(view->fd, F_GETFL)) & O_DIRECT))
		descriptor_shows("read(2)", view->fd, image);
}

void name_shows(const char *path, const struct image *image)
{
	const off_t size = size_of(path);
	int fd;

	ck_assert_msg(size == (off_t)image->size, "stat(2): size %lld, expected %zu",
		      (long long)size, image->size);
	fd = ok(open(path, O_RDONLY));
	descriptor_shows("new open", fd, image);
	ok(close(fd));
}

void store_shows(int fd, const char *name, const struct image *image)
{
	int store_fd;

	ok(fsync(fd));
	store_fd = ok(open(behind(name), O_RDONLY));
	descriptor_shows("the store's file", store_fd, image);
	ok(close(store_fd));
}
