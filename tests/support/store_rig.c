/* SPDX-License-Identifier: MIT */
/*
 * A SOURCE directory on a file system of a given kind.
 */

#include "store_rig.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shift_recover.h"

#define PAGE ((uint64_t)4096)

/* One for each way that a run of bytes can lie against windows of four pages: smaller,
 * equal, one page more, many; shifts staged (by a page or two) and not; ends on a page
 * and off it; overlapping places and places apart. */
const struct shift_geometry rig_geometries[RIG_GEOMETRIES + 1] = {
	{SHIFT_COLLAPSE, PAGES(0), PAGES(1), 0, PAGES(2)},
	{SHIFT_COLLAPSE, PAGES(3), PAGES(1), 0, PAGES(8)},
	{SHIFT_COLLAPSE, PAGES(3), PAGES(1), 0, PAGES(9)},
	{SHIFT_COLLAPSE, PAGES(1), PAGES(1), 0, PAGES(15) + 100},
	{SHIFT_COLLAPSE, PAGES(0), PAGES(2), 0, PAGES(21) + 4095},
	{SHIFT_COLLAPSE, PAGES(2), PAGES(5), 0, PAGES(25) + 1},
	{SHIFT_COLLAPSE, PAGES(2), PAGES(12), 0, PAGES(20) + 7},
	{SHIFT_COLLAPSE, PAGES(0), PAGES(10), 0, PAGES(10) + 1},
	{SHIFT_INSERT, PAGES(0), PAGES(1), 0, 1},
	{SHIFT_INSERT, PAGES(0), PAGES(1), 0, PAGES(4)},
	{SHIFT_INSERT, PAGES(3), PAGES(1), 0, PAGES(8)},
	{SHIFT_INSERT, PAGES(1), PAGES(1), 0, PAGES(15) + 100},
	{SHIFT_INSERT, PAGES(0), PAGES(2), 0, PAGES(21) + 4095},
	{SHIFT_INSERT, PAGES(2), PAGES(5), 0, PAGES(25) + 1},
	{SHIFT_INSERT, PAGES(2), PAGES(30), 0, PAGES(20) + 7},
	{SHIFT_INSERT, PAGES(9), PAGES(3), 0, PAGES(9) + 5},
	{SHIFT_MOVE, PAGES(0), PAGES(1), PAGES(1), PAGES(2)},
	{SHIFT_MOVE, PAGES(8), PAGES(6), PAGES(1), PAGES(20) + 9},
	{SHIFT_MOVE, PAGES(1), PAGES(9), PAGES(10), PAGES(19)},
	{0},
};

/* ------------------------------------------------------------------- file systems */

/* Check runs each test in a process of its own; directories are named after main()'s,
 * so that it can sweep up behind those that failed. */
static pid_t main_pid;

__attribute__((constructor)) static void note_main_pid(void)
{
	main_pid = getpid();
}

static bool run(const char *format, const char *a, const char *b)
{
	char command[512];

	snprintf(command, sizeof(command), format, a, b);
	return system(command) == 0;
}

/* mkfs.btrfs looks at all sources of mounts, and fails where it may not: for as long as a
 * test beside us has a mount whose source is in a mount of a user's. */
static bool make_file_system(const struct rig *rig, const char *image)
{
	const bool is_btrfs = strcmp(rig->store, "btrfs") == 0;

	for (int tries = 0; tries < (is_btrfs ? 50 : 1); tries++) {
		if (run(strcmp(rig->store, "ext4") == 0
				? "mkfs.ext4 -q -F %2$s 2>/dev/null"
				: "mkfs.%1$s -q -f %2$s >/dev/null",
			rig->store, image))
			return true;
		usleep(100000);
	}
	return false;
}

static bool mount_loop(struct rig *rig, uint64_t size_bytes)
{
	char image[128];
	int fd;

	snprintf(image, sizeof(image), "%s/image", rig->dir);
	fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 ||
	    ftruncate(fd, (off_t)(size_bytes ? size_bytes : (uint64_t)512 << 20)) < 0)
		return false;
	close(fd);
	return make_file_system(rig, image) &&
	       run("mount -o loop %1$s %2$s", image, rig->source);
}

static bool make_store(struct rig *rig, uint64_t size_bytes)
{
	char options[64];

	if (strcmp(rig->store, "tmpfs") != 0)
		return geteuid() == 0 && (rig->mounted = mount_loop(rig, size_bytes));
	if (size_bytes == 0)
		return true; /* the directory is on one */
	snprintf(options, sizeof(options), "size=%llu", (unsigned long long)size_bytes);
	rig->mounted = geteuid() == 0 &&
		       mount("foldfs-test", rig->source, "tmpfs", 0, options) == 0;
	return rig->mounted;
}

bool rig_open(struct rig *rig, const char *store, uint64_t size_bytes)
{
	*rig = (struct rig){.source_fd = -1};
	snprintf(rig->store, sizeof(rig->store), "%s", store);
	snprintf(rig->dir, sizeof(rig->dir), "/dev/shm/foldfs-rig-%d-XXXXXX",
		 (int)main_pid);
	ck_assert_ptr_nonnull(mkdtemp(rig->dir));
	snprintf(rig->source, sizeof(rig->source), "%s/source", rig->dir);
	ck_assert_int_eq(mkdir(rig->source, 0755), 0);
	if (!make_store(rig, size_bytes)) {
		const char *ci = getenv("CI");

		if (ci && strcmp(ci, "true") == 0 && geteuid() == 0)
			ck_abort_msg("no %s, and in CI nothing may be skipped", store);
		fprintf(stderr, "SKIP: no %s here (it takes root and a loop device)\n",
			store);
		rig_close(rig);
		return false;
	}
	rig->source_fd = open(rig->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(rig->source_fd, 0);
	rig->ctx = (struct store_range_ctx){
		.source_fd = rig->source_fd,
		.probe = store_probe_new(),
		.event = rig_note,
		.event_arg = rig,
	};
	ck_assert_ptr_nonnull(rig->ctx.probe);
	return true;
}

void rig_close(struct rig *rig)
{
	if (rig->source_fd >= 0)
		close(rig->source_fd);
	store_probe_free(rig->ctx.probe);
	if (rig->mounted && umount(rig->source) < 0)
		fprintf(stderr, "umount %s: %s\n", rig->source, strerror(errno));
	(void)run("rm -rf --one-file-system %s", rig->dir, "");
}

void rig_sweep(void)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "for d in /dev/shm/foldfs-rig-%1$d-*; do "
		 "[ -d $d ] || continue; umount -q $d/source; "
		 "rm -rf --one-file-system $d; done",
		 (int)main_pid);
	if (system(command) != 0)
		fprintf(stderr, "test directories may be left in /dev/shm\n");
}

void rig_small_windows(struct rig *rig)
{
	rig->ctx.window_bytes = RIG_WINDOW;
	rig->ctx.stage_below_bytes = RIG_STAGE_BELOW;
}

/* ------------------------------------------------------------------------- events */

void rig_note(void *arg, const struct store_event *event)
{
	struct rig *rig = arg;

	if (rig->nevents < RIG_EVENTS)
		rig->events[rig->nevents] = event->kind;
	rig->nevents++;
	store_event_describe(event, rig->text, sizeof(rig->text));
}

void rig_forget(struct rig *rig)
{
	rig->nevents = 0;
	rig->text[0] = '\0';
}

bool rig_was_told(const struct rig *rig, enum store_event_kind kind)
{
	for (size_t i = 0; i < rig->nevents && i < RIG_EVENTS; i++)
		if (rig->events[i] == kind)
			return true;
	return false;
}

static void note_shut(void *arg, const struct shift_identity *file, uid_t owner)
{
	struct rig *rig = arg;

	if (rig->nshut < RIG_EVENTS) {
		rig->shut[rig->nshut].file = *file;
		rig->shut[rig->nshut].owner = owner;
	}
	rig->nshut++;
}

int rig_recover(struct rig *rig)
{
	return rig_recover_on(rig, NULL);
}

int rig_recover_on(struct rig *rig, const struct store_io *io)
{
	rig->nshut = 0;
	return shift_recover(rig->source_fd, &(struct shift_recover_calls){
						     .event = rig_note,
						     .shut = note_shut,
						     .stop = rig->stop,
						     .arg = rig,
						     .io = io,
					     });
}

bool rig_is_shut(const struct rig *rig, const char *name)
{
	const int fd = openat(rig->source_fd, name, O_PATH | O_CLOEXEC);
	bool shut = false;
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	for (size_t i = 0; i < rig->nshut && i < RIG_EVENTS; i++)
		shut = shut || ((rig->shut[i].owner == SHIFT_ANY_OWNER ||
				 rig->shut[i].owner == st.st_uid) &&
				shift_identity_is(&rig->shut[i].file, fd) == 1);
	close(fd);
	return shut;
}

bool rig_has_dir(const struct rig *rig)
{
	return faccessat(rig->source_fd, ".foldfs", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void rig_journal_path(const struct rig *rig, char path[static 256])
{
	const struct dirent *entry;
	int found = 0;
	DIR *dir;

	snprintf(path, 256, "%s/.foldfs", rig->source);
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			snprintf(path, 256, "%s/.foldfs/%.100s", rig->source,
				 entry->d_name);
			found++;
		}
	closedir(dir);
	ck_assert_int_eq(found, 1);
}

/* ------------------------------------------------------------------------ content */

static bool is_hole(uint64_t page, unsigned seed, bool sparse)
{
	return sparse && (page * 2654435761u + seed) % 7 < 3;
}

struct content content_make(uint64_t size, unsigned seed, bool sparse)
{
	struct content content = {calloc(size + 1, 1), size};

	ck_assert_ptr_nonnull(content.bytes);
	for (uint64_t i = 0; i < size; i++)
		if (!is_hole(i / PAGE, seed, sparse))
			content.bytes[i] =
				(uint8_t)(((i + seed) * 0x9e3779b97f4a7c15ull >> 32) |
					  1);
	return content;
}

struct content content_copy(const struct content *from)
{
	struct content content = {malloc(from->size + 1), from->size};

	ck_assert_ptr_nonnull(content.bytes);
	memcpy(content.bytes, from->bytes, from->size);
	return content;
}

void content_free(struct content *content)
{
	free(content->bytes);
	*content = (struct content){0};
}

void content_apply(struct content *content, const struct shift_geometry *g)
{
	const uint64_t size = shift_new_size(g);
	struct content next = {calloc(size + 1, 1), size};

	ck_assert_ptr_nonnull(next.bytes);
	ck_assert_uint_eq(content->size, g->size);
	memcpy(next.bytes, content->bytes, size < g->size ? size : g->size);
	switch (g->op) {
	case SHIFT_COLLAPSE:
		memcpy(next.bytes + g->offset, content->bytes + g->offset + g->len,
		       g->size - g->offset - g->len);
		break;
	case SHIFT_INSERT:
		memset(next.bytes + g->offset, 0, g->len);
		memcpy(next.bytes + g->offset + g->len, content->bytes + g->offset,
		       g->size - g->offset);
		break;
	case SHIFT_MOVE:
		memcpy(next.bytes + g->destination, content->bytes + g->offset, g->len);
		memset(next.bytes + g->offset, 0, g->len);
		break;
	}
	content_free(content);
	*content = next;
}

bool content_equal(const struct content *a, const struct content *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

int rig_write(const struct rig *rig, const char *name, const struct content *content)
{
	int fd;

	(void)unlinkat(rig->source_fd, name, 0);
	fd = openat(rig->source_fd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	ck_assert_int_ge(fd, 0);
	for (uint64_t at = 0; at < content->size; at += PAGE) {
		const uint64_t n =
			content->size - at < PAGE ? content->size - at : PAGE;

		if (content->bytes[at] == 0)
			continue; /* a hole: see content_make() */
		/* Check would tell its parent of each page that went well. */
		if (pwrite(fd, content->bytes + at, n, (off_t)at) != (ssize_t)n)
			ck_abort_msg("pwrite: %s", strerror(errno));
	}
	ck_assert_int_eq(ftruncate(fd, (off_t)content->size), 0);
	return fd;
}

struct content fd_read(int fd)
{
	struct content content;
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	content =
		(struct content){malloc((size_t)st.st_size + 1), (uint64_t)st.st_size};
	ck_assert_ptr_nonnull(content.bytes);
	for (uint64_t at = 0; at < content.size;) {
		const ssize_t n =
			pread(fd, content.bytes + at, content.size - at, (off_t)at);

		ck_assert_int_gt(n, 0);
		at += (uint64_t)n;
	}
	return content;
}

struct content rig_read(const struct rig *rig, const char *name)
{
	const int fd = openat(rig->source_fd, name, O_RDONLY | O_CLOEXEC);
	struct content content;

	ck_assert_int_ge(fd, 0);
	content = fd_read(fd);
	close(fd);
	return content;
}

bool rig_holds(const struct rig *rig, const char *name, const struct content *content)
{
	const int fd = openat(rig->source_fd, name, O_RDONLY | O_CLOEXEC);
	static uint8_t piece[64 << 10];
	bool equal = true;
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	equal = (uint64_t)st.st_size == content->size;
	for (uint64_t at = 0; equal && at < content->size;) {
		const ssize_t n = pread(fd, piece, sizeof(piece), (off_t)at);

		if (n <= 0)
			ck_abort_msg("pread: %s",
				     n < 0 ? strerror(errno) : "too short");
		equal = memcmp(piece, content->bytes + at, (size_t)n) == 0;
		at += (uint64_t)n;
	}
	close(fd);
	return equal;
}

uint64_t fd_hole_bytes(int fd)
{
	const off_t size = lseek(fd, 0, SEEK_END);
	uint64_t holes = 0;

	for (off_t at = 0; at < size;) {
		const off_t hole = lseek(fd, at, SEEK_HOLE);
		off_t data = lseek(fd, hole, SEEK_DATA);

		if (data < 0)
			data = size;
		holes += (uint64_t)(data - hole);
		at = data;
	}
	return holes;
}

int rig_apply(struct rig *rig, int fd, const struct shift_geometry *g)
{
	if (g->op == SHIFT_COLLAPSE)
		return store_collapse(&rig->ctx, fd, g->offset, g->len);
	if (g->op == SHIFT_INSERT)
		return store_insert(&rig->ctx, fd, g->offset, g->len);
	return store_move(&rig->ctx, fd, g->offset, g->len, g->destination);
}
