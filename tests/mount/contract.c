/* SPDX-License-Identifier: MIT */
/* clang-format off: a table
 *
 * What each observer sees once an operation has returned: the table of DESIGN.md, line
 * by line, in each of these worlds.
 *
 *                  | shared   | private,  | private,    | private,    | read, stat,
 *                  | mapping  | untouched | copied in   | copied past | new open,
 *                  |          |           | the range   | the new end | O_DIRECT
 *   truncate down  | SIGBUS past the end's page                       | smaller
 *   punch, zero    | zeros    | zeros     | keeps copy  | -           | zeros, same size
 *   collapse       | shifted, SIGBUS past | keeps copy  | SIGBUS      | shifted, smaller
 *   insert         | a gap, then shifted  | keeps copy  | -           | shifted, larger
 *   move           | new bytes in both    | keeps copy  | -           | new bytes
 *
 * Every page has been touched through every mapping, and has a byte stored through a
 * shared mapping that nobody has written back, when the operation begins.
 */
/* clang-format on */

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
	const char *lacking[5]; /* ends with NULL */
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

/* The kernel's ext4 drops private copies from the start of the range on, as if the file
 * had been cut off there. XFS keeps them, as POSIX would have it; so do we. */
static bool copies_may_be_dropped(void)
{
	return !on_foldfs() && store_is("ext4");
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
	image->may_drop_copies = copies_may_be_dropped();
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
	image->may_drop_copies = copies_may_be_dropped();
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

static void mark_all(struct image *image, unsigned nviews)
{
	for (unsigned number = 0; number < nviews; number++)
		image_mark(image, number);
}

/* The last look; and stores made from now on must end up where they are made. */
static void conclude(struct view *view, struct image *image, const char *name)
{
	view_shows(view, image);
	view_mark(view, image->size);
	image_mark(image, view->number);
	view_shows(view, image);
	if (!name)
		return;
	name_shows(name, image);
	store_shows(view->fd, name, image);
}

static void in_one_process(const struct operation *op)
{
	struct image *image = begin(op);
	struct view *a = view_open("f", 0, 0), *b = view_open("f", 1, 0);

	view_mark(a, image->size);
	view_mark(b, image->size);
	mark_all(image, 2);
	ok(op->perform(a->fd));
	op->apply(image);
	view_shows(b, image);
	conclude(a, image, "f");
}

static void through_hard_links(const struct operation *op)
{
	struct image *image = begin(op);
	struct view *a, *b;

	ok(link("f", "g"));
	a = view_open("f", 0, 0);
	b = view_open("g", 1, 0);
	view_mark(a, image->size);
	view_mark(b, image->size);
	mark_all(image, 2);
	ok(op->perform(b->fd));
	op->apply(image);
	view_shows(a, image);
	name_shows("f", image);
	conclude(b, image, "g");
	view_shows(a, image);
}

static void once_unlinked(const struct operation *op)
{
	struct image *image = begin(op);
	struct view *a = view_open("f", 0, 0), *b = view_open("f", 1, 0);

	ok(unlink("f"));
	view_mark(a, image->size);
	view_mark(b, image->size);
	mark_all(image, 2);
	ok(op->perform(a->fd));
	op->apply(image);
	view_shows(b, image);
	conclude(a, image, NULL);
}

/* The mappings are of descriptors opened with O_DIRECT, so that a fault and a direct
 * read come from the same one. */
static void opened_for_direct_access(const struct operation *op)
{
	struct image *image = begin(op);
	struct view *a = view_open("f", 0, O_DIRECT), *b = view_open("f", 1, O_DIRECT);

	view_mark(a, image->size);
	view_mark(b, image->size);
	mark_all(image, 2);
	ok(op->perform(a->fd));
	op->apply(image);
	view_shows(b, image);
	conclude(a, image, "f");
}

/* As `setfattr` or `truncate` in a shell: nobody who has the file open does anything
 * that would mend what the operation had left to do. */
static void perform_bare(void *arg)
{
	const struct operation *op = arg;

	ok(op->perform_bare("f"));
}

static void by_a_bare_system_call(const struct operation *op)
{
	struct image *image = begin(op);
	struct view *view = view_open("f", 0, 0);
	struct operation copy = *op;

	view_mark(view, image->size);
	mark_all(image, 1);
	elsewhere(perform_bare, &copy);
	op->apply(image);
	conclude(view, image, "f");
}

/* ----------------------------------------------------------- several processes */

#define CHILDREN 2

struct child {
	const struct operation *op;
	unsigned number; /* of its view; the parent's is 0 */
	bool performs;
	struct signal_box ready, perform, performed, look;
};

static void be_a_child(void *arg)
{
	struct child *child = arg;
	struct view *view = view_open("f", child->number, 0);
	struct image *image;

	view_mark(view, FILE_SIZE);
	tell(&child->ready);
	if (child->performs) {
		await(&child->perform);
		ok(child->op->perform(view->fd));
		tell(&child->performed);
	}
	await(&child->look);
	image = image_of_file();
	mark_all(image, 1 + CHILDREN);
	child->op->apply(image);
	view_shows(view, image);
	name_shows("f", image);
}

/* The performer's number: 0 is the parent. */
static void in_several_processes(const struct operation *op, unsigned performer)
{
	struct image *image = begin(op);
	struct child children[CHILDREN];
	pid_t pids[CHILDREN];
	struct view *view;

	for (unsigned i = 0; i < CHILDREN; i++) {
		children[i] = (struct child){
			op,
			i + 1,
			i + 1 == performer,
			make_signal_box(),
			make_signal_box(),
			make_signal_box(),
			make_signal_box(),
		};
		pids[i] = start(be_a_child, &children[i]);
		await(&children[i].ready);
	}
	view = view_open("f", 0, 0);
	view_mark(view, image->size);
	mark_all(image, 1 + CHILDREN);
	if (performer == 0) {
		ok(op->perform(view->fd));
	} else {
		tell(&children[performer - 1].perform);
		await(&children[performer - 1].performed);
	}
	op->apply(image);
	view_shows(view, image);
	for (unsigned i = 0; i < CHILDREN; i++)
		tell(&children[i].look);
	for (unsigned i = 0; i < CHILDREN; i++)
		finish(pids[i]);
	conclude(view, image, "f");
}

static void before_other_processes(const struct operation *op)
{
	in_several_processes(op, 0);
}

static void by_another_process(const struct operation *op)
{
	in_several_processes(op, 1);
}

/* ------------------------------------------------------------------- the table */

#define CONTRACT(name, world, op)                                                      \
	START_TEST(name)                                                               \
	{                                                                              \
		world(&op);                                                            \
	}                                                                              \
	END_TEST

CONTRACT(a_truncation_is_seen_by_every_observer_in_a_process, in_one_process,
	 truncate_down)
CONTRACT(a_hole_is_seen_by_every_observer_in_a_process, in_one_process, punch)
CONTRACT(a_zeroed_range_is_seen_by_every_observer_in_a_process, in_one_process, zero)
CONTRACT(a_collapse_is_seen_by_every_observer_in_a_process, in_one_process, collapse)
CONTRACT(an_insert_is_seen_by_every_observer_in_a_process, in_one_process, insert)
CONTRACT(a_move_is_seen_by_every_observer_in_a_process, in_one_process, move)

CONTRACT(a_truncation_is_seen_by_other_processes, before_other_processes, truncate_down)
CONTRACT(a_hole_is_seen_by_other_processes, before_other_processes, punch)
CONTRACT(a_zeroed_range_is_seen_by_other_processes, before_other_processes, zero)
CONTRACT(a_collapse_is_seen_by_other_processes, before_other_processes, collapse)
CONTRACT(an_insert_is_seen_by_other_processes, before_other_processes, insert)
CONTRACT(a_move_is_seen_by_other_processes, before_other_processes, move)

CONTRACT(a_truncation_by_another_process_is_seen, by_another_process, truncate_down)
CONTRACT(a_hole_by_another_process_is_seen, by_another_process, punch)
CONTRACT(a_zeroed_range_by_another_process_is_seen, by_another_process, zero)
CONTRACT(a_collapse_by_another_process_is_seen, by_another_process, collapse)
CONTRACT(an_insert_by_another_process_is_seen, by_another_process, insert)
CONTRACT(a_move_by_another_process_is_seen, by_another_process, move)

CONTRACT(a_truncation_is_seen_through_hard_links, through_hard_links, truncate_down)
CONTRACT(a_hole_is_seen_through_hard_links, through_hard_links, punch)
CONTRACT(a_zeroed_range_is_seen_through_hard_links, through_hard_links, zero)
CONTRACT(a_collapse_is_seen_through_hard_links, through_hard_links, collapse)
CONTRACT(an_insert_is_seen_through_hard_links, through_hard_links, insert)
CONTRACT(a_move_is_seen_through_hard_links, through_hard_links, move)

CONTRACT(a_truncation_of_an_unlinked_file_is_seen, once_unlinked, truncate_down)
CONTRACT(a_hole_of_an_unlinked_file_is_seen, once_unlinked, punch)
CONTRACT(a_zeroed_range_of_an_unlinked_file_is_seen, once_unlinked, zero)
CONTRACT(a_collapse_of_an_unlinked_file_is_seen, once_unlinked, collapse)
CONTRACT(an_insert_of_an_unlinked_file_is_seen, once_unlinked, insert)
CONTRACT(a_move_of_an_unlinked_file_is_seen, once_unlinked, move)

CONTRACT(a_truncation_is_seen_where_direct_access_is_mapped, opened_for_direct_access,
	 truncate_down)
CONTRACT(a_hole_is_seen_where_direct_access_is_mapped, opened_for_direct_access, punch)
CONTRACT(a_zeroed_range_is_seen_where_direct_access_is_mapped, opened_for_direct_access,
	 zero)
CONTRACT(a_collapse_is_seen_where_direct_access_is_mapped, opened_for_direct_access,
	 collapse)
CONTRACT(an_insert_is_seen_where_direct_access_is_mapped, opened_for_direct_access,
	 insert)
CONTRACT(a_move_is_seen_where_direct_access_is_mapped, opened_for_direct_access, move)

CONTRACT(a_truncation_by_a_bare_system_call_is_seen, by_a_bare_system_call,
	 truncate_down)
CONTRACT(a_hole_by_a_bare_system_call_is_seen, by_a_bare_system_call, punch)
CONTRACT(a_zeroed_range_by_a_bare_system_call_is_seen, by_a_bare_system_call, zero)
CONTRACT(a_collapse_by_a_bare_system_call_is_seen, by_a_bare_system_call, collapse)
CONTRACT(an_insert_by_a_bare_system_call_is_seen, by_a_bare_system_call, insert)
CONTRACT(a_move_by_a_bare_system_call_is_seen, by_a_bare_system_call, move)

/* ---------------------------------------------------- how the pages came to be there
 */

/* The kernel has never asked for them. */
START_TEST(pages_that_only_a_write_has_brought_move_with_a_collapse)
{
	const int fd = make_file("f", PAGE, 1);
	char *map;

	reference_lacks("tmpfs", "has no such operation");
	put_bytes(fd, 0, 512 * KIB, 2);
	put_bytes(fd, 512 * KIB, 512 * KIB, 2);
	map = map_shared(fd, MIB);
	ok(foldfs_collapse_range(fd, 0, 64 * KIB));
	memory_has_bytes(map, 64 * KIB, MIB - 64 * KIB, 2);
	ck_assert(load_faults(map + MIB - 64 * KIB));
}
END_TEST

void describe(void)
{
	everyone(a_truncation_is_seen_by_every_observer_in_a_process);
	everyone(a_hole_is_seen_by_every_observer_in_a_process);
	everyone(a_zeroed_range_is_seen_by_every_observer_in_a_process);
	everyone(a_collapse_is_seen_by_every_observer_in_a_process);
	everyone(an_insert_is_seen_by_every_observer_in_a_process);
	everyone(a_move_is_seen_by_every_observer_in_a_process);
	everyone(a_truncation_is_seen_by_other_processes);
	everyone(a_hole_is_seen_by_other_processes);
	everyone(a_zeroed_range_is_seen_by_other_processes);
	everyone(a_collapse_is_seen_by_other_processes);
	everyone(an_insert_is_seen_by_other_processes);
	everyone(a_move_is_seen_by_other_processes);
	everyone(a_truncation_by_another_process_is_seen);
	everyone(a_hole_by_another_process_is_seen);
	everyone(a_zeroed_range_by_another_process_is_seen);
	everyone(a_collapse_by_another_process_is_seen);
	everyone(an_insert_by_another_process_is_seen);
	everyone(a_move_by_another_process_is_seen);
	everyone(a_truncation_is_seen_through_hard_links);
	everyone(a_hole_is_seen_through_hard_links);
	everyone(a_zeroed_range_is_seen_through_hard_links);
	everyone(a_collapse_is_seen_through_hard_links);
	everyone(an_insert_is_seen_through_hard_links);
	everyone(a_move_is_seen_through_hard_links);
	everyone(a_truncation_of_an_unlinked_file_is_seen);
	everyone(a_hole_of_an_unlinked_file_is_seen);
	everyone(a_zeroed_range_of_an_unlinked_file_is_seen);
	everyone(a_collapse_of_an_unlinked_file_is_seen);
	everyone(an_insert_of_an_unlinked_file_is_seen);
	everyone(a_move_of_an_unlinked_file_is_seen);
	everyone(a_truncation_is_seen_where_direct_access_is_mapped);
	everyone(a_hole_is_seen_where_direct_access_is_mapped);
	everyone(a_zeroed_range_is_seen_where_direct_access_is_mapped);
	everyone(a_collapse_is_seen_where_direct_access_is_mapped);
	everyone(an_insert_is_seen_where_direct_access_is_mapped);
	everyone(a_move_is_seen_where_direct_access_is_mapped);
	everyone(a_truncation_by_a_bare_system_call_is_seen);
	everyone(a_hole_by_a_bare_system_call_is_seen);
	everyone(a_zeroed_range_by_a_bare_system_call_is_seen);
	everyone(a_collapse_by_a_bare_system_call_is_seen);
	everyone(an_insert_by_a_bare_system_call_is_seen);
	everyone(a_move_by_a_bare_system_call_is_seen);

	everyone(pages_that_only_a_write_has_brought_move_with_a_collapse);
}
