/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_STORE_H
#define CACHELAYER_STORE_H

/*
 * The store: where the bytes of one file live for good.
 *
 * The library calls these with the `store` pointer that was given to
 * cl_mapping_create(). All of them may be called from several threads at once.
 * preadv and pwritev may be called with page locks held; so they must not wait for
 * anything that waits for a page lock, a gate entry or the upper cache.
 */

#include <sys/uio.h>

#include "cachelayer/types.h"

CL_BEGIN_DECLS

struct cl_store_ops {
	/**
	 * Read up to the sum of iov into iov, from byte `offset`.
	 * Returns the number of bytes read, possibly fewer than asked for, 0 only at
	 * the end of the file; or a negative errno.
	 */
	ssize_t (*preadv)(void *store, const struct iovec *iov, int iovcnt,
			  uint64_t offset);
	/**
	 * Write iov at byte `offset`, extending the file if need be.
	 * Returns the number of bytes written, possibly fewer than asked for, never 0;
	 * or a negative errno with nothing known about the bytes of the range.
	 */
	ssize_t (*pwritev)(void *store, const struct iovec *iov, int iovcnt,
			   uint64_t offset);
	/**
	 * Make everything written so far durable (fsync, or fdatasync with data_only).
	 * Returns 0 or a negative errno.
	 */
	int (*sync)(void *store, bool data_only);
};

CL_END_DECLS

#endif
