/* SPDX-License-Identifier: MIT */
/*
 * Past the page in which the file ends, every access through a mapping raises SIGBUS,
 * also where a private mapping had made its own copy; up to the end of that page there
 * are zeros. A hole, by contrast, leaves private copies alone.
 */

#include "files.h"

#define LEN (8 * PAGE)

struct mappings {
	int fd;
	char *shared;
	char *untouched; /* private, nothing stored */
	char *copied;	 /* private, every page stored to */
};

static struct mappings three_mappings(void)
{
	struct mappings m;

	m.fd = make_file("f", LEN, 1);
	m.shared = map_shared(m.fd, LEN);
	m.untouched = map_private(m.fd, LEN);
	m.copied = map_private(m.fd, LEN);
	memory_has_bytes(m.shared, 0, LEN, 1);
	memory_has_bytes(m.untouched, 0, LEN, 1);
	for (size_t i = 0; i < LEN; i += PAGE)
		m.copied[i] = 'P';
	return m;
}

/* The file ends somewhere in its third page. */
static void faults_past_the_third_page(const struct mappings *m)
{
	for (size_t i = 3 * PAGE; i < LEN; i += PAGE) {
		ck_assert_msg(load_faults(m->shared + i), "shared, page %zu", i / PAGE);
		ck_assert_msg(store_faults(m->shared + i), "shared, page %zu",
			      i / PAGE);
		ck_assert_msg(load_faults(m->untouched + i), "private, page %zu",
			      i / PAGE);
		ck_assert_msg(load_faults(m->copied + i), "copied, page %zu", i / PAGE);
		ck_assert_msg(store_faults(m->copied + i), "copied, page %zu",
			      i / PAGE);
	}
	ck_assert(!load_faults(m->shared + 3 * PAGE - 1));
	ck_assert(!load_faults(m->copied + 3 * PAGE - 1));
}

START_TEST(touching_past_the_new_end_raises_sigbus)
{
	struct mappings m = three_mappings();

	ok(ftruncate(m.fd, 2 * PAGE + 100));
	faults_past_the_third_page(&m);
	memory_has_bytes(m.shared, 0, 2 * PAGE + 100, 1);
	memory_has_zeros(m.shared + 2 * PAGE + 100, PAGE - 100);
	ck_assert_int_eq(m.copied[PAGE], 'P');
	ck_assert_int_eq(m.copied[2 * PAGE], 'P');
}
END_TEST

START_TEST(truncation_by_name_does_the_same)
{
	struct mappings m = three_mappings();

	ok(truncate("f", 2 * PAGE + 1));
	faults_past_the_third_page(&m);
}
END_TEST

static void truncate_g(void *arg)
{
	(void)arg;
	ok(truncate("g", 2 * PAGE + 1));
}

START_TEST(truncation_by_another_process_through_another_link_does_the_same)
{
	struct mappings m = three_mappings();

	ok(link("f", "g"));
	elsewhere(truncate_g, NULL);
	faults_past_the_third_page(&m);
}
END_TEST

START_TEST(a_file_cut_at_a_page_faults_from_there)
{
	struct mappings m = three_mappings();

	ok(ftruncate(m.fd, 3 * PAGE));
	faults_past_the_third_page(&m);
	memory_has_bytes(m.shared, 0, 3 * PAGE, 1);
}
END_TEST

START_TEST(truncation_while_stores_are_dirty_loses_only_what_is_cut)
{
	struct mappings m = three_mappings();

	for (size_t i = 0; i < LEN; i++)
		m.shared[i] = (char)byte_at(2, (off_t)i);
	ok(ftruncate(m.fd, 2 * PAGE + 100));
	faults_past_the_third_page(&m);
	has_bytes(m.fd, 0, 2 * PAGE + 100, 2);
	ok(fsync(m.fd));
	ck_assert_int_eq(size_of(behind("f")), 2 * PAGE + 100);
	has_bytes(ok(open(behind("f"), O_RDONLY)), 0, 2 * PAGE + 100, 2);
}
END_TEST

START_TEST(a_file_grown_again_shows_zeros_and_no_old_copies)
{
	struct mappings m = three_mappings();

	ok(ftruncate(m.fd, 2 * PAGE + 100));
	ok(ftruncate(m.fd, LEN));
	memory_has_zeros(m.shared + 2 * PAGE + 100, LEN - 2 * PAGE - 100);
	memory_has_zeros(m.copied + 3 * PAGE, LEN - 3 * PAGE);
	has_zeros(m.fd, 2 * PAGE + 100, LEN - 2 * PAGE - 100);
	m.shared[LEN - 1] = 'X';
	ok(msync(m.shared, LEN, MS_SYNC));
	ck_assert_int_eq(m.untouched[LEN - 1], 'X');
}
END_TEST

START_TEST(a_hole_leaves_private_copies_alone)
{
	struct mappings m = three_mappings();

	ok(fallocate(m.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, LEN));
	memory_has_zeros(m.shared, LEN);
	memory_has_zeros(m.untouched, LEN);
	for (size_t i = 0; i < LEN; i += PAGE) {
		ck_assert_int_eq(m.copied[i], 'P');
		memory_has_bytes(m.copied + i + 1, (off_t)i + 1, PAGE - 1, 1);
	}
}
END_TEST

START_TEST(a_mapping_past_the_end_of_an_empty_file_faults_until_it_grows)
{
	const int fd = make_file("f", 0, 1);
	char *memory = map_shared(fd, 2 * PAGE);

	ck_assert(load_faults(memory));
	ck_assert(store_faults(memory));
	put_bytes(fd, 0, 10, 1);
	memory_has_bytes(memory, 0, 10, 1);
	ck_assert(load_faults(memory + PAGE));
}
END_TEST

static void cut_and_grow(void *arg)
{
	const int fd = ok(open("f", O_RDWR));

	(void)arg;
	for (int i = 0; i < 300; i++) {
		ok(ftruncate(fd, PAGE));
		put_bytes(fd, PAGE, 7 * PAGE, 1);
	}
}

START_TEST(a_reader_sees_old_bytes_zeros_or_sigbus_while_the_file_is_cut_and_grown)
{
	const int fd = make_file("f", LEN, 1);
	char *memory = map_readonly(fd, LEN);
	const pid_t child = start(cut_and_grow, NULL);

	for (int round = 0; round < 20000; round++) {
		const off_t at = (off_t)((unsigned)round * 977 % LEN);
		unsigned char c;

		if (!load_faults_or(memory + at, &c) && c != 0 && c != byte_at(1, at))
			ck_abort_msg("byte %lld is %#x", (long long)at, c);
	}
	finish(child);
	memory_has_bytes(memory, 0, LEN, 1);
}
END_TEST

void describe(void)
{
	everyone(touching_past_the_new_end_raises_sigbus);
	everyone(truncation_by_name_does_the_same);
	everyone(truncation_by_another_process_through_another_link_does_the_same);
	everyone(a_file_cut_at_a_page_faults_from_there);
	everyone(truncation_while_stores_are_dirty_loses_only_what_is_cut);
	everyone(a_file_grown_again_shows_zeros_and_no_old_copies);
	everyone(a_hole_leaves_private_copies_alone);
	everyone(a_mapping_past_the_end_of_an_empty_file_faults_until_it_grows);
	everyone(
		a_reader_sees_old_bytes_zeros_or_sigbus_while_the_file_is_cut_and_grown);
}
