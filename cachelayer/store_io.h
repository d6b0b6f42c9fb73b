/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_STORE_IO_H
#define CACHELAYER_STORE_IO_H

/* Whole transfers from and to the store: short ones are gone on with. */

#include "cachelayer/mapping.h"

/** Most iovecs in one call (Linux: UIO_MAXIOV). */
#define STORE_IOV_MAX 1024

/**
 * Read until iov is full or the file ends.
 * @param iov  changed
 * @return bytes read, or the store's error if there was one anywhere
 */
ssize_t store_read(struct cl_mapping *mapping, struct iovec *iov, int iovcnt,
		   uint64_t offset);

/**
 * Write all of iov.
 * @param iov        changed
 * @param ret_error  0, or the error that ended it early
 * @return bytes written, from the start of iov; at an error those before it
 */
size_t store_write(struct cl_mapping *mapping, struct iovec *iov, int iovcnt,
		   uint64_t offset, int *ret_error);

#endif
