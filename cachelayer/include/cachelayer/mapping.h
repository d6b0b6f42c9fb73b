/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_MAPPING_H
#define CACHELAYER_MAPPING_H

/*
 * A mapping: the cached pages of one file (Linux: struct address_space).
 *
 * Which gate entry a caller must hold is part of each contract below and is
 * asserted in debug builds. Entries are per byte range; "over the range" means that
 * the entry's range contains the one worked on, rounded out to pages.
 */

#include <sys/uio.h>

#include "cachelayer/cache.h"
#include "cachelayer/gate.h"
#include "cachelayer/store.h"
#include "cachelayer/types.h"

CL_BEGIN_DECLS

/**
 * Create an empty mapping.
 * @param ops    the store's functions; kept, not copied
 * @param store  handed to them; not owned
 * @param size   of the file, bytes
 * @return 0 or -ENOMEM
 */
int cl_mapping_create(struct cl_cache *cache, const struct cl_store_ops *ops,
		      void *store, uint64_t size, struct cl_mapping **ret_mapping);

/**
 * Free a mapping, its pages with it. Dirty pages that cannot be written back are
 * lost, and reported as CL_EVENT_DATA_LOST. Nobody may be using the mapping. NULL is
 * fine. Blocks for the store if pages are dirty.
 */
void cl_mapping_free(struct cl_mapping *mapping);

/** The cache it was made in. */
struct cl_cache *cl_mapping_cache(const struct cl_mapping *mapping);

/** The size of the file as the cache knows it, bytes. */
uint64_t cl_mapping_size(const struct cl_mapping *mapping);

/** Number of pages cached, and of those dirty or under writeback. */
uint64_t cl_mapping_pages(const struct cl_mapping *mapping);
uint64_t cl_mapping_dirty_pages(const struct cl_mapping *mapping);

/** Whether any page of a range (bytes) is cached, or being filled. Locks taken: the
 * page table's. */
bool cl_mapping_caches(struct cl_mapping *mapping, struct cl_range range);

/** Pages that the upper cache may hold, and the memory it takes to know that, bytes. */
uint64_t cl_mapping_resident_pages(struct cl_mapping *mapping);
size_t cl_mapping_resident_bytes(struct cl_mapping *mapping);

/* ------------------------------------------------------------------ reading */

/** What a read holds on to. The iovecs point into pages that are pinned until
 *  cl_read_end(); a pinned page's bytes never change under its holder: a writer
 *  replaces such a page instead. Large: keep one per thread rather than on the stack.
 */
struct cl_read {
	/** Set by the caller: the upper cache does not keep what is read (a direct read),
	 *  so it may still have something older. */
	bool aside;
	struct iovec *iov;
	int iovcnt;
	size_t bytes; /* sum of iov; less than asked for only at the end of the file */
	/* the library's own */
	struct cl_cache *cache;
	struct cl_page **pages;
	size_t npages;
	size_t capacity; /* in pages */
};

/**
 * Room for reads of up to max_request_bytes of the cache.
 * @return 0 or -ENOMEM
 */
int cl_read_init(struct cl_cache *cache, struct cl_read *read);
void cl_read_fini(struct cl_read *read);

/**
 * Find or fill the pages of a range and pin them. Contiguous absent pages become one
 * vectored read of the store; a page that somebody else is filling is waited for.
 * @param offset     bytes; any
 * @param len        bytes; at most max_request_bytes
 * @param read       initialised; cl_read_end() is owed on success
 * @return 0; -EINVAL if len is too large; the store's error; -EIO on a hash mismatch
 * Gate: FILL over the range, until the bytes have been used (I2).
 * Locks taken: page locks, one run of absent pages at a time.
 */
int cl_read_begin(struct cl_mapping *mapping, uint64_t offset, size_t len,
		  struct cl_read *read);
void cl_read_end(struct cl_read *read);

/** Where a stream of reads stands; zero it for a new stream, one per open file. */
struct cl_readahead {
	uint64_t next_offset;  /* where a sequential reader will go on, bytes */
	uint64_t ahead_end;    /* everything before it has been asked for, bytes */
	uint32_t window_bytes; /* 0: not sequential */
};

/**
 * Tell the stream of a read, and learn what to fetch ahead.
 * @return true if *ret_range (bytes) is worth a cl_prefetch() now
 * Not synchronised: the caller guards ra.
 */
bool cl_readahead_next(struct cl_mapping *mapping, struct cl_readahead *ra,
		       uint64_t offset, size_t len, struct cl_range *ret_range);

/**
 * Fill a range, holding nothing afterwards. Pages that anybody has locked are left
 * alone, and so is the rest on an error: whoever wants the page will get the error.
 * All prefetches together hold an eighth of the cache at most, and end early beyond.
 * Gate: FILL over the range.
 */
void cl_prefetch(struct cl_mapping *mapping, struct cl_range range);

/* ------------------------------------------------------------------ writing */

/**
 * Write bytes. Through to the store before it returns; or, in a write-back cache,
 * into dirty pages (unless too many are dirty: then through as well).
 * @param len  bytes, 1 to max_request_bytes
 * @return bytes written, fewer than len only if the store took fewer; -EINVAL;
 *         -EFBIG past 2^63-1; the store's error (recorded for fsync, too, unless it
 *         is for want of room: -ENOSPC, -EDQUOT, -EFBIG)
 * Gate: WRITE over the range. Locks taken: the page locks of the range, ascending.
 */
ssize_t cl_write(struct cl_mapping *mapping, const void *buf, size_t len,
		 uint64_t offset);

/** Where the bytes of a write are that the library need not see: in a pipe, say. */
struct cl_source {
	/**
	 * Bring the next bytes to the store.
	 * @param store   of the mapping
	 * @param len     bytes that are left
	 * @param offset  where they go
	 * @return bytes, at most len; 0 or a negative errno: it ends here
	 */
	ssize_t (*write)(void *arg, void *store, size_t len, uint64_t offset);
	void *arg;
};

/**
 * Write bytes to the store, past the cache: the pages of the range are dropped, those
 * too that it covers in part. For long writes, whose pages would cost more than they
 * are worth; cl_write() does the same to who looks on. Blocks for the store.
 * @param source  called until all is written
 * @param len     bytes, at least 1
 * @return bytes written, fewer than len only if the store took fewer; -EINVAL, also in
 *         a write-back cache; -EFBIG and the store's error as of cl_write()
 * Gate: EXCLUSIVE over the range. Its entry has `caches` set, as a WRITE's has, if the
 * upper cache has the bytes (I1).
 * Locks taken: page locks, one at a time.
 */
ssize_t cl_write_past(struct cl_mapping *mapping, const struct cl_source *source,
		      size_t len, uint64_t offset);

/** What appends bytes to the store's file, wherever that ends. */
struct cl_appender {
	/**
	 * Append them, in one go: what others append at the same time lands before or
	 * behind.
	 * @param store   of the mapping
	 * @param ret_at  where they have landed, bytes; set if any have
	 * @return bytes; 0 or a negative errno
	 */
	ssize_t (*append)(void *arg, void *store, uint64_t *ret_at);
	void *arg;
};

/**
 * Append to the store's file, past the cache. It may have grown behind the mount, so
 * that its end is not where anybody thinks; then the caller revalidates.
 * @param from    everything from here on that is cached is dropped, bytes: at most the
 *                mapping's size, and nothing from there on is dirty
 * @param ret_at  where the bytes are now; set if any are
 * @return bytes, fewer than there were only if the store took fewer; the store's error
 * Gate: EXCLUSIVE over [from, CL_RANGE_EOF).
 * Locks taken: page locks, one at a time.
 */
ssize_t cl_append(struct cl_mapping *mapping, const struct cl_appender *appender,
		  uint64_t from, uint64_t *ret_at);

/** Whether the upper cache may hold any page of a range (bytes; I1). */
bool cl_mapping_is_resident(struct cl_mapping *mapping, struct cl_range range);

/**
 * Write every dirty page of a range back to the store and wait for it.
 * @return 0, or the first error; a page that failed stays dirty, and the error is
 *         recorded in the mapping's error sequence
 * Gate: WRITE or EXCLUSIVE over the range.
 */
int cl_writeback(struct cl_mapping *mapping, struct cl_range range);

/* -------------------------------------------------- errors (Linux lib/errseq.c) */

/** A point in a mapping's history of write errors. */
typedef uint32_t cl_errseq_t;

/** The current point, for a file that is being opened: errors that nobody has seen
 *  yet are seen by it, older ones are not. */
cl_errseq_t cl_errseq_sample(const struct cl_mapping *mapping);
/** Whether there was an error since `since`: 0 or negative errno. For close(2). */
int cl_errseq_check(const struct cl_mapping *mapping, cl_errseq_t since);
/** Likewise, and moves *since on: an error is returned once. For fsync(2).
 *  The caller guards *since. */
int cl_errseq_check_and_advance(struct cl_mapping *mapping, cl_errseq_t *since);
/** Record an error that happened on the way to the store; error is a negative errno. */
void cl_errseq_set(struct cl_mapping *mapping, int error);

/* --------------------------------------------------------- changing the layout */

/**
 * Make the page cache forget what lies past a new size, and take that size. Zeroes
 * the rest of a page that the new size cuts. The caller resizes the store.
 * @param size  bytes
 * Gate: EXCLUSIVE over [min(old size, size), CL_RANGE_EOF).
 * Order: a shrink calls this after the store has shrunk, a growth after it has grown.
 */
void cl_mapping_set_size(struct cl_mapping *mapping, uint64_t size);

/** Grow the size to at least `size` bytes. Gate: WRITE or EXCLUSIVE over what grows. */
void cl_mapping_grow(struct cl_mapping *mapping, uint64_t size);

/**
 * Drop the pages of a range, dirty or not; a page that the range covers in part is
 * written back first if it is dirty.
 * @param range  bytes
 * @return 0, or the error of that writeback: then nothing has been dropped
 * Gate: EXCLUSIVE over the range.
 */
int cl_invalidate(struct cl_mapping *mapping, struct cl_range range);

/**
 * The store's file was changed behind our back: compare every clean page with the
 * store again, drop those that differ, and take the new size. Dirty pages stay: they
 * are newer than anything.
 * @param size     the store's size now, bytes
 * @param changed  called for each maximal range of whole pages that is not known to
 *                 be unchanged, ascending: whatever the upper cache has of it is stale
 * @return 0, or a negative errno: then everything clean was dropped and `changed` was
 *         called for the whole file
 * Gate: EXCLUSIVE over the whole file.
 */
int cl_revalidate(struct cl_mapping *mapping, uint64_t size,
		  void (*changed)(void *arg, struct cl_range range), void *arg);

CL_END_DECLS

#endif
