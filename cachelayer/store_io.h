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

/** Whether the store refused for want of room: then what it had, it still has. */
bool store_is_full(int error);

/**
 * A write has ended with an error, or with 0. The writer hears of it at once. Where
 * nothing is known of the bytes any more, so do all who have the file open; that the
 * store is full concerns only him.
 */
void store_note_error(struct cl_mapping *mapping, int error);

#endif
