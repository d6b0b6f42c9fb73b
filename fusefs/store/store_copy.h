/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_COPY_H
#define FUSEFS_STORE_COPY_H

/*
 * Ranges of files copied to other places of files: shared as reflinks where that works,
 * else read and written in large pieces. Holes stay holes, as far as the store shows
 * them and can punch.
 */

#include <stdbool.h>

#include "store_calls.h"

/** One of these belongs to one thread at a time. */
struct store_copy {
	const struct store_io *io;
	bool clone; /* try reflinks first; cleared when the store refuses one */
	void *buf;
	/* Asked for each piece whether to give up, with -EINTR; NULL: never. */
	bool (*stop)(void *arg);
	void *stop_arg;
	/* What the buffer still has: `held_bytes`, 0 if nothing, of a file. */
	int held_fd;
	uint64_t held_offset;
	uint64_t held_bytes;
};

/** @return 0 or -ENOMEM */
int store_copy_init(struct store_copy *copy, const struct store_io *io, bool clone);
void store_copy_fini(struct store_copy *copy);

/** A place in a file, bytes; a multiple of 4096. */
struct store_place {
	int fd;
	uint64_t offset;
};

/**
 * Make a range show the bytes of another. Afterwards `to` has holes where `from` has.
 * A file that ends before to + len grows if data is written there, and may stay shorter
 * otherwise.
 * @param from  the range lies inside its file
 * @param len   bytes, any; the ranges do not overlap
 * @return 0; -EIO if `from` got shorter meanwhile; -EINTR: copy->stop; what the store said:
 *         then anything may be in the range
 */
int store_copy_range(struct store_copy *copy, struct store_place from,
		     struct store_place to, uint64_t len);

/** store_copy_range() by reflink, or not at all. A last part of a block is copied.
 *  @return -EOPNOTSUPP if these two files cannot share blocks: nothing was changed */
int store_copy_clone(struct store_copy *copy, struct store_place from,
		     struct store_place to, uint64_t len);

/**
 * Likewise without reflinks, and sum up what was copied.
 * @param ret_sum  as store_copy_sum() would find it at `to`
 */
int store_copy_and_sum(struct store_copy *copy, struct store_place from,
		       struct store_place to, uint64_t len, uint64_t *ret_sum);

/**
 * A checksum of a range that does not depend on where the store keeps holes: the sum of
 * the XXH3 hashes of the 4096-byte pages that are not all zeros, each seeded with its
 * index in the range.
 * @return 0, or what the store said
 */
int store_copy_sum(struct store_copy *copy, struct store_place place, uint64_t len,
		   uint64_t *ret_sum);

/** Make a range of a file read as zeros without changing the file's size: a hole where
 *  the store has them, else zeros written as far as the file goes.
 *  @return 0, or what the store said */
int store_copy_punch(struct store_copy *copy, struct store_place place, uint64_t len);

/** The same by writing zeros, which keeps blocks allocated. */
int store_copy_write_zeros(struct store_copy *copy, struct store_place place,
			   uint64_t len);

/** How many bytes from a place on are hole, at most len; 0 where the store does not tell.
 *  @return 0 or -EIO */
int store_copy_hole_bytes(const struct store_io *io, struct store_place place,
			  uint64_t len, uint64_t *ret_bytes);

/** How many bytes of data a range holds, counted no further than to `limit`; all of
 *  them where the store does not tell. */
uint64_t store_copy_data_bytes(const struct store_io *io, struct store_place place,
			       uint64_t len, uint64_t limit);

#endif
