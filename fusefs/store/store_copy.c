/* SPDX-License-Identifier: MIT */
/*
 * Sparse copies and reflinks.
 *
 * The buffer is large enough that a disk sees long requests and small enough to stay
 * in a cache of the processor: beyond a megabyte nothing gets faster (measured on tmpfs
 * and ext4).
 */

#include "store_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xxhash.h>

#include "store_test_point.h"

#define BUFFER_BYTES ((uint64_t)1 << 20)
#define PAGE_BYTES   4096u

int store_copy_init(struct store_copy *copy, const struct store_io *io, bool clone)
{
	void *buf;

	if (posix_memalign(&buf, PAGE_BYTES, BUFFER_BYTES) != 0)
		return -ENOMEM;
	*copy = (struct store_copy){.io = io, .clone = clone, .buf = buf};
	return 0;
}

void store_copy_fini(struct store_copy *copy)
{
	free(copy->buf);
	copy->buf = NULL;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ----------------------------------------------------------------------- segments */

/* A piece of a range that is to be read, or a hole; positions count from its start. */
struct segment {
	uint64_t start;
	uint64_t end;
	bool data;
};

/* Pages are the unit: what is data in part is data. */
static uint64_t page_floor(uint64_t n)
{
	return n & ~(uint64_t)(PAGE_BYTES - 1);
}

/* Where data begins at or after `pos`, at most `end`; `pos` if the store does not tell.
 */
static int next_data(const struct store_io *io, struct store_place place, uint64_t pos,
		     uint64_t end, uint64_t *ret)
{
	const int64_t data = io->seek(place.fd, place.offset + pos, SEEK_DATA);

	if (data == -EIO)
		return -EIO;
	if (data == -ENXIO)
		*ret = end;
	else if (data < 0)
		*ret = pos;
	else
		*ret = min_u64(page_floor((uint64_t)data - place.offset), end);
	return 0;
}

/* To answer SEEK_HOLE, tmpfs looks at every page up to the hole: at the whole file
 * where there is none, for each piece. */
static bool knows_holes(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type != TMPFS_MAGIC;
}

/* What comes at `pos`. A piece of data may have holes in it where asking is dear: they
 * are read like the rest, and walk_zeros() finds them. (Elsewhere it would not do: what
 * has been read of an unwritten extent counts as data from then on.) */
static int next_segment(const struct store_io *io, struct store_place place,
			uint64_t pos, uint64_t len, struct segment *ret)
{
	struct segment piece = {pos, min_u64(len, pos + BUFFER_BYTES), true};
	uint64_t data;
	int err = next_data(io, place, pos, len, &data);

	if (err < 0)
		return err;
	if (data > pos) {
		*ret = (struct segment){pos, data, false};
		return 0;
	}
	if (knows_holes(place.fd)) {
		const int64_t hole = io->seek(place.fd, place.offset + pos, SEEK_HOLE);

		if (hole == -EIO)
			return -EIO;
		if (hole > (int64_t)(place.offset + pos))
			piece.end = min_u64(piece.end,
					    page_floor((uint64_t)hole - place.offset +
						       PAGE_BYTES - 1));
	}
	*ret = piece;
	return 0;
}

int store_copy_hole_bytes(const struct store_io *io, struct store_place place,
			  uint64_t len, uint64_t *ret_bytes)
{
	return next_data(io, place, 0, len, ret_bytes);
}

uint64_t store_copy_data_bytes(const struct store_io *io, struct store_place place,
			       uint64_t len, uint64_t limit)
{
	uint64_t found = 0;
	struct segment seg = {.end = 0};

	while (seg.end < len && found < limit) {
		if (next_segment(io, place, seg.end, len, &seg) < 0)
			return limit; /* the copy will say why */
		if (seg.data)
			found += seg.end - seg.start;
	}
	return min_u64(found, limit);
}

/* ------------------------------------------------------------------------- pieces */

static int read_all(const struct store_io *io, struct store_place place, void *buf,
		    uint64_t len)
{
	for (uint64_t done = 0; done < len;) {
		const ssize_t n = io->pread(place.fd, (char *)buf + done, len - done,
					    place.offset + done);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

/* A walk over a range: each piece of data is summed up, and written to `to` if there is
 * one, where each hole is punched. */
struct walk {
	struct store_copy *copy;
	struct store_place from;
	const struct store_place *to; /* NULL: only sum */
	uint64_t *sum;		      /* NULL: only copy */
};

/* What has just been written to a place need not be read from it to be copied on: so a
 * window that is staged and then applied is read once, if it fits into the buffer. Who
 * sums up what a place has wants to know what the store says. */
static int fill_buffer(const struct walk *walk, struct store_place place, uint64_t len)
{
	struct store_copy *copy = walk->copy;

	if (walk->to && copy->held_bytes == len && copy->held_fd == place.fd &&
	    copy->held_offset == place.offset)
		return 0;
	copy->held_bytes = 0;
	return read_all(copy->io, place, copy->buf, len);
}

static void buffer_holds(struct store_copy *copy, struct store_place place,
			 uint64_t len)
{
	copy->held_fd = place.fd;
	copy->held_offset = place.offset;
	copy->held_bytes = len;
}

static int write_all(const struct store_io *io, struct store_place place,
		     const void *buf, uint64_t len)
{
	for (uint64_t done = 0; done < len;) {
		const ssize_t n = io->pwrite(place.fd, (const char *)buf + done,
					     len - done, place.offset + done);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

static bool all_zero(const char *p, uint64_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* The share in the sum of bytes that begin at position `pos`, a multiple of a page. */
static uint64_t sum_pages(const char *buf, uint64_t len, uint64_t pos)
{
	uint64_t sum = 0;

	for (uint64_t at = 0; at < len; at += PAGE_BYTES) {
		const uint64_t n = min_u64(PAGE_BYTES, len - at);

		if (!all_zero(buf + at, n))
			sum += XXH3_64bits_withSeed(buf + at, n,
						    (pos + at) / PAGE_BYTES);
	}
	return sum;
}

static struct store_place plus(struct store_place place, uint64_t pos)
{
	place.offset += pos;
	return place;
}

/* A run of zeros at `pos` that has been read: holes in it stay holes, as far as they
 * come first. ret_end: how far that was done. */
static int walk_zeros(const struct walk *walk, const char *zeros, uint64_t pos,
		      uint64_t end, uint64_t *ret_end)
{
	uint64_t data;
	int err = next_data(walk->copy->io, walk->from, pos, end, &data);

	if (err < 0)
		return err;
	if (data > pos) {
		*ret_end = data;
		return store_copy_punch(walk->copy, plus(*walk->to, pos), data - pos);
	}
	*ret_end = end;
	return write_all(walk->copy->io, plus(*walk->to, pos), zeros, end - pos);
}

/* How far a run of pages goes that are all zeros, or all not. */
static uint64_t run_of_pages(const char *buf, uint64_t len, bool zeros)
{
	uint64_t end = 0;

	while (end < len &&
	       all_zero(buf + end, min_u64(PAGE_BYTES, len - end)) == zeros)
		end += PAGE_BYTES;
	return min_u64(end, len);
}

static int write_piece(const struct walk *walk, struct segment seg)
{
	const char *buf = walk->copy->buf;
	int err = 0;

	for (uint64_t pos = seg.start; pos < seg.end && err == 0;) {
		const char *at = buf + (pos - seg.start);
		const uint64_t left = seg.end - pos;
		const bool zeros = all_zero(at, min_u64(PAGE_BYTES, left));
		uint64_t end = pos + run_of_pages(at, left, zeros);

		if (zeros)
			err = walk_zeros(walk, at, pos, end, &end);
		else
			err = write_all(walk->copy->io, plus(*walk->to, pos), at,
					end - pos);
		pos = end;
	}
	return err;
}

static int walk_data(const struct walk *walk, struct segment seg)
{
	struct store_copy *copy = walk->copy;
	const uint64_t len = seg.end - seg.start;
	int err = fill_buffer(walk, plus(walk->from, seg.start), len);

	if (err < 0)
		return err;
	if (walk->sum)
		*walk->sum += sum_pages(copy->buf, len, seg.start);
	if (walk->to)
		err = write_piece(walk, seg);
	if (walk->to && err == 0)
		buffer_holds(copy, plus(*walk->to, seg.start), len);
	STORE_CRASH_POINT(piece_copied);
	return err;
}

static int check_stop(const struct store_copy *copy)
{
	return copy->stop && copy->stop(copy->stop_arg) ? -EINTR : 0;
}

static int walk_range(const struct walk *walk, uint64_t len)
{
	struct segment seg = {.end = 0};
	int err = 0;

	while (seg.end < len && err == 0) {
		err = check_stop(walk->copy);
		if (err == 0)
			err = next_segment(walk->copy->io, walk->from, seg.end, len,
					   &seg);
		if (err < 0)
			break;
		if (seg.data)
			err = walk_data(walk, seg);
		else if (walk->to)
			err = store_copy_punch(walk->copy, plus(*walk->to, seg.start),
					       seg.end - seg.start);
	}
	return err;
}

int store_copy_sum(struct store_copy *copy, struct store_place place, uint64_t len,
		   uint64_t *ret_sum)
{
	uint64_t sum = 0;
	const int err = walk_range(
		&(struct walk){.copy = copy, .from = place, .sum = &sum}, len);

	if (err == 0)
		*ret_sum = sum;
	return err;
}

int store_copy_and_sum(struct store_copy *copy, struct store_place from,
		       struct store_place to, uint64_t len, uint64_t *ret_sum)
{
	uint64_t sum = 0;
	const int err = walk_range(
		&(struct walk){.copy = copy, .from = from, .to = &to, .sum = &sum},
		len);

	if (err == 0)
		*ret_sum = sum;
	return err;
}

/* ----------------------------------------------------------------------- reflinks */

/* "Not these files": another file system, no such call, a file that must not share
 * blocks (no copy on write, swap, in line), blocks larger than our alignment. */
static bool clone_is_refused(int err)
{
	return err == -EOPNOTSUPP || err == -EXDEV || err == -EINVAL ||
	       err == -ENOTTY || err == -ENOSYS || err == -EPERM || err == -ETXTBSY ||
	       err == -EFBIG;
}

int store_copy_clone(struct store_copy *copy, struct store_place from,
		     struct store_place to, uint64_t len)
{
	/* A part of a block can be shared only as the end of both files; so it is
	 * copied, which costs nothing. */
	const uint64_t whole = page_floor(len);
	int err = 0;

	copy->held_bytes = 0;
	if (whole > 0)
		err = copy->io->clone(to.fd, to.offset, from.fd, from.offset, whole);
	if (clone_is_refused(err))
		return -EOPNOTSUPP;
	if (err == 0 && whole < len)
		err = walk_range(
			&(struct walk){
				.copy = copy,
				.from = plus(from, whole),
				.to = &(struct store_place){to.fd, to.offset + whole}},
			len - whole);
	return err;
}

int store_copy_range(struct store_copy *copy, struct store_place from,
		     struct store_place to, uint64_t len)
{
	if (copy->clone) {
		const int err = store_copy_clone(copy, from, to, len);

		if (err != -EOPNOTSUPP)
			return err;
		copy->clone = false;
	}
	return walk_range(&(struct walk){.copy = copy, .from = from, .to = &to}, len);
}

/* -------------------------------------------------------------------------- holes */

int store_copy_write_zeros(struct store_copy *copy, struct store_place place,
			   uint64_t len)
{
	struct stat st;
	int err = 0;

	if (fstat(place.fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size <= place.offset)
		return 0;
	len = min_u64(len, (uint64_t)st.st_size - place.offset);
	copy->held_bytes = 0;
	memset(copy->buf, 0, BUFFER_BYTES);
	for (uint64_t pos = 0; pos < len && err == 0; pos += BUFFER_BYTES) {
		err = check_stop(copy);
		if (err == 0)
			err = write_all(copy->io, plus(place, pos), copy->buf,
					min_u64(len - pos, BUFFER_BYTES));
	}
	return err;
}

int store_copy_punch(struct store_copy *copy, struct store_place place, uint64_t len)
{
	const int err = copy->io->fallocate(place.fd,
					    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					    place.offset, len);

	copy->held_bytes = 0;
	if (err == -EOPNOTSUPP || err == -ENOSYS)
		return store_copy_write_zeros(copy, place, len);
	return err;
}
