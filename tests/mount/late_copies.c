/* SPDX-License-Identifier: MIT */
/*
 * One thread stores through a mapping, does a range operation, and loads: nobody races
 * with it, and each byte is where it must be.
 *
 * That alone goes wrong where the kernel writes a mapped page back from a copy, and
 * forgets the page at once: the copy may come when the operation is over, and lands
 * where its page was before (Linux before 6.16; DESIGN.md, the fence). So a few pages
 * are stored to, many times, and each time every page is looked at, through the mapping
 * and by read(2), at once and when all that was on its way must have come.
 */

#include <foldfs.h>

#include "files.h"

#define PAGES  48
#define ROUNDS 30
#define WORDS  (PAGE / sizeof(uint32_t))

/* A file, and in each page of it, everywhere, the same number. */
struct numbered {
	int fd;
	uint32_t *map;
	uint32_t page[PAGES];
	uint32_t last;
};

static struct numbered make_numbered(void)
{
	struct numbered file = {.fd = make_file("f", PAGES * PAGE, 1)};

	file.map = (uint32_t *)map_shared(file.fd, PAGES * PAGE);
	return file;
}

static void store_everywhere(struct numbered *file)
{
	for (unsigned index = 0; index < PAGES; index++) {
		file->page[index] = ++file->last;
		for (size_t word = 0; word < WORDS; word++)
			file->map[index * WORDS + word] = file->last;
	}
}

/* Check tells its parent of each assertion: one for a page, not for a word. */
static void page_is(const uint32_t *words, uint32_t number, unsigned index,
		    const char *how)
{
	size_t word = 0;

	while (word < WORDS && words[word] == number)
		word++;
	ck_assert_msg(word == WORDS, "page %u, word %zu, %s: %u, and not %u", index,
		      word, how, words[word % WORDS], number);
}

static void all_is_where_it_belongs(struct numbered *file)
{
	static uint32_t words[WORDS];

	for (unsigned index = 0; index < PAGES; index++) {
		page_is(file->map + index * WORDS, file->page[index], index, "mapped");
		read_all(file->fd, words, PAGE, (off_t)(index * PAGE));
		page_is(words, file->page[index], index, "read");
	}
}

/* What an operation does to the numbers of the pages. */
static void take_out(struct numbered *file, unsigned from, unsigned count)
{
	memmove(file->page + from, file->page + from + count,
		(PAGES - from - count) * sizeof(file->page[0]));
}

static void open_gap(struct numbered *file, unsigned from, unsigned count)
{
	memmove(file->page + from + count, file->page + from,
		(PAGES - from - count) * sizeof(file->page[0]));
	memset(file->page + from, 0, count * sizeof(file->page[0]));
}

static void make_zero(struct numbered *file, unsigned from, unsigned count)
{
	memset(file->page + from, 0, count * sizeof(file->page[0]));
}

typedef void one_operation(struct numbered *file, unsigned from);

/* The file is as long as before: what has left at one place is a gap at the end. */
static void collapse(struct numbered *file, unsigned from)
{
	ok(foldfs_collapse_range(file->fd, (off_t)(from * PAGE), PAGE));
	take_out(file, from, 1);
	ok(ftruncate(file->fd, PAGES * PAGE));
	file->page[PAGES - 1] = 0;
}

static void insert(struct numbered *file, unsigned from)
{
	ok(foldfs_insert_range(file->fd, (off_t)(from * PAGE), PAGE));
	open_gap(file, from, 1);
	ok(ftruncate(file->fd, PAGES * PAGE));
}

static void punch(struct numbered *file, unsigned from)
{
	ok(foldfs_punch_hole(file->fd, (off_t)(from * PAGE), 4 * PAGE));
	make_zero(file, from, 4);
}

static void zero(struct numbered *file, unsigned from)
{
	ok(foldfs_zero_range(file->fd, (off_t)(from * PAGE), 4 * PAGE));
	make_zero(file, from, 4);
}

static void move(struct numbered *file, unsigned from)
{
	const unsigned to = from + 20;

	ok(foldfs_move_range(file->fd, (off_t)(from * PAGE), 4 * PAGE,
			     (off_t)(to * PAGE)));
	memcpy(file->page + to, file->page + from, 4 * sizeof(file->page[0]));
	make_zero(file, from, 4);
}

static void store_then(one_operation *operation)
{
	struct numbered file = make_numbered();

	for (unsigned round = 0; round < ROUNDS; round++) {
		store_everywhere(&file);
		operation(&file, round % 16);
		all_is_where_it_belongs(&file);
	}
	ok(fsync(file.fd));
	all_is_where_it_belongs(&file);
}

START_TEST(what_was_stored_before_a_collapse_moves_with_it)
{
	reference_lacks("tmpfs", "cannot collapse");
	store_then(collapse);
}
END_TEST

START_TEST(what_was_stored_before_an_insert_moves_with_it)
{
	reference_lacks("tmpfs", "cannot insert");
	store_then(insert);
}
END_TEST

START_TEST(what_was_stored_before_a_move_moves_with_it)
{
	if (!on_foldfs())
		skip("no kernel's file system can move a range");
	store_then(move);
}
END_TEST

START_TEST(what_was_stored_before_a_punch_is_gone)
{
	store_then(punch);
}
END_TEST

START_TEST(what_was_stored_before_it_is_zeroed_is_gone)
{
	reference_lacks("tmpfs", "has no FALLOC_FL_ZERO_RANGE");
	store_then(zero);
}
END_TEST

/* The kernel has sent it, or is about to, and does not wait for that. */
static void store_and_send(struct numbered *file, unsigned index)
{
	for (size_t word = 0; word < WORDS; word++)
		file->map[index * WORDS + word] = ++file->last;
	ok(sync_file_range(file->fd, 0, 0, SYNC_FILE_RANGE_WRITE));
}

static void make_empty(struct numbered *file)
{
	ok(ftruncate(file->fd, 0));
	ok(ftruncate(file->fd, PAGES * PAGE));
}

START_TEST(what_was_stored_into_a_hole_is_data_for_lseek)
{
	struct numbered file = make_numbered();

	for (unsigned round = 0; round < ROUNDS; round++) {
		const unsigned index = PAGES - 1 - round;
		const off_t at = (off_t)(index * PAGE);
		off_t data;

		make_empty(&file);
		store_and_send(&file, index);
		data = ok(lseek(file.fd, 0, SEEK_DATA));
		/* Blocks of the store may be longer than a page. */
		ck_assert_int_le(data, at);
		ck_assert_int_gt(ok(lseek(file.fd, data, SEEK_HOLE)), at);
	}
}
END_TEST

/* Longer than attributes are trusted. */
#define NOTICED_MS 1150

static int open_that_notices(void)
{
	if (!opens_notice()) {
		sleep_ms(NOTICED_MS);
		(void)stat_of("f");
	}
	return ok(open("f", O_RDWR));
}

/* What is written after the cut and before the next open, makes the file longer again, as
 * anybody's write would. The open takes the cut in, and nothing comes after that. */
START_TEST(what_was_stored_past_a_cut_behind_the_mount_does_not_come_back)
{
	const unsigned rounds = opens_notice() ? ROUNDS : 4;
	struct numbered file = make_numbered();

	for (unsigned round = 0; round < rounds; round++) {
		int fd;

		make_empty(&file);
		store_and_send(&file, PAGES - 1 - round % 8);
		ok(truncate(behind("f"), PAGE));
		fd = open_that_notices();
		if (stat_of(behind("f")).st_size == (off_t)PAGE) {
			ok(ftruncate(fd, PAGES * PAGE));
			has_zeros(fd, PAGE, (PAGES - 1) * PAGE);
			ok(fsync(fd));
			memory_has_zeros((char *)file.map + PAGE, (PAGES - 1) * PAGE);
		}
		ok(close(fd));
	}
}
END_TEST

void describe(void)
{
	everyone(what_was_stored_before_a_collapse_moves_with_it);
	everyone(what_was_stored_before_an_insert_moves_with_it);
	everyone(what_was_stored_before_a_move_moves_with_it);
	everyone(what_was_stored_before_a_punch_is_gone);
	everyone(what_was_stored_before_it_is_zeroed_is_gone);
	everyone(what_was_stored_into_a_hole_is_data_for_lseek);
	everyone(what_was_stored_past_a_cut_behind_the_mount_does_not_come_back);
}
