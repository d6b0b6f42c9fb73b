/* SPDX-License-Identifier: MIT */
/*
 * Fuzzing journals: any bytes in SOURCE/.foldfs, and never a crash, never a damaged
 * file.
 *
 * At the start, operations are interrupted at all their test points: what each leaves,
 * a file and its journal, is a starting point. Input:
 *
 *	byte 0   which starting point
 *	byte 1   0: patches in the journal; 1: the same, and then all checksums are made
 *	         right; 2: what follows is the journal, from its first byte on
 *	then     patches: a region, an offset (two bytes), a length, that many bytes;
 *	         the last region cuts the journal instead
 *
 * Afterwards the file is as it was, or as before the operation, or as after it; and if
 * it is still in between, that has been said. A journal with good checksums that lies
 * about its own file may ruin that: it belongs to the same owner. But it must not touch
 * another file.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "fuzz.h"
#include "shift_dir.h"
#include "shift_journal_format.h"
#include "shift_recover.h"
#include "store_range.h"
#include "store_test_point.h"

#define PAGES(n)      ((uint64_t)(n)*4096)
#define FILE_MAX      PAGES(64)
#define PIECE	      (64u << 10)
#define PIECES	      5u
#define STARTS_MAX    256u
#define CHECKSUM_SIZE sizeof(uint64_t)

/* Staged and not, saved and not, up and down; windows are of four pages. */
static const struct shift_geometry geometries[] = {
	{SHIFT_COLLAPSE, PAGES(1), PAGES(1), 0, PAGES(15) + 100},
	{SHIFT_COLLAPSE, PAGES(2), PAGES(12), 0, PAGES(20) + 7},
	{SHIFT_INSERT, PAGES(1), PAGES(1), 0, PAGES(15) + 100},
	{SHIFT_INSERT, PAGES(2), PAGES(30), 0, PAGES(20) + 7},
	{SHIFT_MOVE, PAGES(8), PAGES(6), PAGES(1), PAGES(20) + 9},
};
#define GEOMETRIES (sizeof(geometries) / sizeof(geometries[0]))

/* A file, or what there is of a journal: its start, and the start of each MiB. */
struct bytes {
	uint64_t size;
	uint8_t *bytes;
};

/* What a file may be. */
static struct bytes before[GEOMETRIES], after[GEOMETRIES];

struct start {
	size_t geometry;
	struct bytes file;
	struct bytes pieces[PIECES];
	uint64_t journal_size;
};

static char source[64];
static int source_fd;
static int file_fd; /* one inode for all: journals know it by number */
static char journal_path[128], aside_path[160]; /* in SOURCE */
static struct start starts[STARTS_MAX];
static size_t nstarts;
static bool told; /* that a journal is set aside */

/* --------------------------------------------------------------------------- files */

static void put(int fd, const struct bytes *content)
{
	fuzz_require(ftruncate(fd, 0) == 0);
	fuzz_require(pwrite(fd, content->bytes, content->size, 0) ==
		     (ssize_t)content->size);
}

static struct bytes get(int fd, uint64_t offset, uint64_t max)
{
	struct bytes content = {.bytes = malloc(max)};
	ssize_t n;

	fuzz_require(content.bytes);
	n = pread(fd, content.bytes, max, (off_t)offset);
	fuzz_require(n >= 0);
	content.size = (uint64_t)n;
	return content;
}

static bool is(int fd, const struct bytes *content)
{
	static uint8_t now[FILE_MAX + 1];
	const ssize_t n = pread(fd, now, sizeof(now), 0);

	return n == (ssize_t)content->size &&
	       memcmp(now, content->bytes, (size_t)n) == 0;
}

/* No two pages are alike, and none is a hole. */
static struct bytes original(const struct shift_geometry *g)
{
	struct bytes content = {.size = g->size, .bytes = malloc(FILE_MAX)};

	fuzz_require(content.bytes);
	for (uint64_t at = 0; at < g->size; at++)
		content.bytes[at] = (uint8_t)(1 + (at / 4096 * 7 + at % 4096) % 255);
	return content;
}

/* After the operation. */
static struct bytes shifted(const struct shift_geometry *g, const struct bytes *from)
{
	struct bytes to_be = {.size = shift_new_size(g), .bytes = malloc(FILE_MAX)};
	uint8_t *const to = to_be.bytes;

	fuzz_require(to);
	memcpy(to, from->bytes, g->size);
	if (g->op == SHIFT_COLLAPSE) {
		memcpy(to + g->offset, from->bytes + g->offset + g->len,
		       g->size - g->offset - g->len);
	} else if (g->op == SHIFT_INSERT) {
		memset(to + g->offset, 0, g->len);
		memcpy(to + g->offset + g->len, from->bytes + g->offset,
		       g->size - g->offset);
	} else {
		memcpy(to + g->destination, from->bytes + g->offset, g->len);
		memset(to + g->offset, 0, g->len);
	}
	return to_be;
}

/* ------------------------------------------------------------------ starting points */

static enum store_test_point die_at;
static unsigned die_after;

static void maybe_die(enum store_test_point point)
{
	if (point == die_at && die_after-- == 0)
		raise(SIGKILL);
}

static void operate(const struct shift_geometry *g)
{
	const struct store_range_ctx ctx = {
		.source_fd = source_fd,
		.probe = store_probe_new(),
		.window_bytes = PAGES(4),
		.stage_below_bytes = PAGES(3),
	};

	store_test_point_hook = maybe_die;
	if (g->op == SHIFT_COLLAPSE)
		store_collapse(&ctx, file_fd, g->offset, g->len);
	else if (g->op == SHIFT_INSERT)
		store_insert(&ctx, file_fd, g->offset, g->len);
	else
		store_move(&ctx, file_fd, g->offset, g->len, g->destination);
	_exit(0);
}

/* Take what has been left in SOURCE/.foldfs, if that is a journal. */
static bool take_start(size_t g, struct start *ret_start)
{
	struct start start = {.geometry = g};
	const int fd = openat(source_fd, journal_path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return false;
	fuzz_require(fstat(fd, &st) == 0);
	start.journal_size = (uint64_t)st.st_size;
	for (uint64_t i = 0; i < PIECES; i++)
		start.pieces[i] = get(fd, i << 20, PIECE);
	start.file = get(file_fd, 0, FILE_MAX);
	close(fd);
	*ret_start = start;
	return true;
}

static void forget_journal(void)
{
	unlinkat(source_fd, journal_path, 0);
	unlinkat(source_fd, aside_path, 0);
	unlinkat(source_fd, SHIFT_DIR_NAME, AT_REMOVEDIR);
}

static void interrupt(size_t g, enum store_test_point point, unsigned times)
{
	int status;
	pid_t pid;

	put(file_fd, &before[g]);
	pid = fork();
	fuzz_require(pid >= 0);
	if (pid == 0) {
		die_at = point;
		die_after = times;
		operate(&geometries[g]);
	}
	fuzz_require(waitpid(pid, &status, 0) == pid);
	if (nstarts < STARTS_MAX && take_start(g, &starts[nstarts]))
		nstarts++;
	forget_journal();
}

static void make_source(void)
{
	struct stat st;

	/* On a tmpfs, as a rule: the script that starts us sees to it. */
	snprintf(source, sizeof(source), "%s", getenv("FOLDFS_FUZZ_DIR") ?: "/dev/shm");
	strcat(source, "/fuzz-XXXXXX");
	fuzz_require(mkdtemp(source));
	source_fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	file_fd = openat(source_fd, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	fuzz_require(source_fd >= 0 && file_fd >= 0 && fstat(file_fd, &st) == 0);
	snprintf(journal_path, sizeof(journal_path),
		 SHIFT_DIR_NAME "/" SHIFT_JOURNAL_PREFIX "%llx-%llx",
		 (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	snprintf(aside_path, sizeof(aside_path), "%s" SHIFT_ASIDE_SUFFIX, journal_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	make_source();
	for (size_t g = 0; g < GEOMETRIES; g++) {
		before[g] = original(&geometries[g]);
		after[g] = shifted(&geometries[g], &before[g]);
		for (unsigned point = 0; point < STORE_TEST_POINT_COUNT; point++)
			for (unsigned times = 0; times < 3; times += 2)
				interrupt(g, (enum store_test_point)point, times);
	}
	fuzz_require(nstarts > 0);
	return 0;
}

/* ------------------------------------------------------------------------- an input */

/* Regions that a patch can be in. */
static const struct {
	unsigned piece;
	uint32_t offset;
} regions[] = {
	{0, 0},
	{0, (uint32_t)SHIFT_RECORD_AT(0)},
	{0, (uint32_t)SHIFT_RECORD_AT(1)},
	{1, 0},
	{2, 0},
	{3, 0},
	{4, 0},
};
#define REGIONS (sizeof(regions) / sizeof(regions[0]))

struct journal {
	struct bytes pieces[PIECES];
	uint64_t size;
};

static void patch(struct journal *journal, struct fuzz_input *input)
{
	while (input->at < input->end) {
		const unsigned region = fuzz_u8(input) % (REGIONS + 1);
		const uint32_t offset = fuzz_u16(input);
		unsigned len = fuzz_u8(input);

		if (region == REGIONS) {
			journal->size = (uint64_t)offset * 256;
			continue;
		}
		for (uint64_t at = regions[region].offset + offset; len-- > 0; at++) {
			const uint8_t byte = fuzz_u8(input);

			if (at < journal->pieces[regions[region].piece].size)
				journal->pieces[regions[region].piece].bytes[at] = byte;
		}
	}
}

/* Where shift_journal_format.c has them. */
#define HEADER_CHECKSUM_AT (96 + SHIFT_HANDLE_MAX + PATH_MAX)
#define RECORD_CHECKSUM_AT 64

static void sum(struct bytes *piece, uint64_t at, uint64_t len)
{
	uint64_t checksum;

	if (piece->size < at + len + CHECKSUM_SIZE)
		return;
	checksum = XXH3_64bits(piece->bytes + at, len);
	memcpy(piece->bytes + at + len, &checksum, CHECKSUM_SIZE);
}

static void make_sums_right(struct journal *journal)
{
	sum(&journal->pieces[0], 0, HEADER_CHECKSUM_AT);
	for (unsigned i = 0; i < 2; i++)
		sum(&journal->pieces[0], SHIFT_RECORD_AT(i), RECORD_CHECKSUM_AT);
}

static void put_journal(const struct journal *journal)
{
	int fd;

	fuzz_require(mkdirat(source_fd, SHIFT_DIR_NAME, 0700) == 0);
	fd = openat(source_fd, journal_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	fuzz_require(fd >= 0);
	for (uint64_t i = 0; i < PIECES; i++)
		fuzz_require(pwrite(fd, journal->pieces[i].bytes,
				    journal->pieces[i].size, (off_t)(i << 20)) >= 0);
	fuzz_require(ftruncate(fd, (off_t)journal->size) == 0);
	close(fd);
}

static struct journal journal_of(const struct start *start, uint8_t how,
				 struct fuzz_input *input)
{
	struct journal journal = {.size = start->journal_size};

	for (unsigned i = 0; i < PIECES; i++) {
		journal.pieces[i] = start->pieces[i];
		journal.pieces[i].bytes = malloc(PIECE);
		fuzz_require(journal.pieces[i].bytes);
		memcpy(journal.pieces[i].bytes, start->pieces[i].bytes,
		       start->pieces[i].size);
	}
	if (how == 2) {
		const size_t left = (size_t)(input->end - input->at);

		journal.size = journal.pieces[0].size = left < PIECE ? left : PIECE;
		memcpy(journal.pieces[0].bytes, input->at, journal.size);
		for (unsigned i = 1; i < PIECES; i++)
			journal.pieces[i].size = 0;
		return journal;
	}
	patch(&journal, input);
	if (how == 1)
		make_sums_right(&journal);
	return journal;
}

/* The second record has never been written, as far as anybody can see: then the file is
 * taken for untouched, and there is nothing to say. */
static bool has_not_begun(const struct journal *journal)
{
	const struct bytes *first = &journal->pieces[0];

	for (uint64_t at = SHIFT_RECORD_AT(1);
	     at < SHIFT_RECORD_AT(2) && at < first->size && at < journal->size; at++)
		if (first->bytes[at] != 0)
			return false;
	return true;
}

static void note(void *arg, const struct store_event *event)
{
	char text[1024];

	(void)arg;
	told |= event->kind == STORE_EVENT_DAMAGED ||
		event->kind == STORE_EVENT_ORPHAN || event->kind == STORE_EVENT_BLOCKED;
	fuzz_require(store_event_describe(event, text, sizeof(text)) > 0);
}

static void shut(void *arg, const struct shift_identity *file, uid_t owner)
{
	(void)arg;
	(void)file;
	(void)owner;
	told = true;
}

static void check_file(const struct start *start, const struct journal *journal,
		       int err)
{
	const bool whole = is(file_fd, &before[start->geometry]) ||
			   is(file_fd, &after[start->geometry]);

	fuzz_require(whole || is(file_fd, &start->file));
	fuzz_require(whole || told || err < 0 || has_not_begun(journal));
}

static const struct bytes other_content = {5, (uint8_t *)(uintptr_t) "other"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, data + size};
	const struct start *start = &starts[fuzz_u8(&input) % nstarts];
	const uint8_t how = fuzz_u8(&input) % 3;
	struct journal journal = journal_of(start, how, &input);
	const int other =
		openat(source_fd, "other", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int err;

	fuzz_require(other >= 0);
	put(other, &other_content);
	put(file_fd, &start->file);
	put_journal(&journal);
	told = false;
	err = shift_recover(source_fd,
			    &(struct shift_recover_calls){.event = note, .shut = shut});
	if (how != 1)
		check_file(start, &journal, err);
	fuzz_require(is(other, &other_content));
	close(other);
	forget_journal();
	for (unsigned i = 0; i < PIECES; i++)
		free(journal.pieces[i].bytes);
	return 0;
}
