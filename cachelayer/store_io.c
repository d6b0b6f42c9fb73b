/* SPDX-License-Identifier: MIT */
/* Whole transfers from and to the store. */

#include "store_io.h"

#include <errno.h>
#include <stdint.h>

#include "mapping_internal.h"

/** Step over n bytes. */
static void iov_advance(struct iovec **iov, int *iovcnt, size_t n)
{
	while (*iovcnt > 0 && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*iovcnt)--;
	}
	if (n > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

static int at_most(int iovcnt)
{
	return iovcnt < STORE_IOV_MAX ? iovcnt : STORE_IOV_MAX;
}

/* Only so many bytes. @return how many iovecs they take */
static int cut(struct iovec *iov, int iovcnt, uint64_t len)
{
	for (int i = 0; i < iovcnt; i++) {
		if (iov[i].iov_len > len) {
			iov[i].iov_len = (size_t)len;
			return len > 0 ? i + 1 : i;
		}
		len -= iov[i].iov_len;
	}
	return iovcnt;
}

ssize_t store_read(struct cl_mapping *mapping, struct iovec *iov, int iovcnt,
		   uint64_t offset)
{
	ssize_t done = 0;

	/* The last page that a file can have is one byte short, and preadv(2) refuses
	 * to be asked for it. */
	iovcnt = cut(iov, iovcnt, offset < INT64_MAX ? INT64_MAX - offset : 0);
	while (iovcnt > 0) {
		const ssize_t n = mapping->ops->preadv(mapping->store, iov,
						       at_most(iovcnt), offset);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += n;
		offset += (uint64_t)n;
		iov_advance(&iov, &iovcnt, (size_t)n);
	}
	return done;
}

size_t store_write(struct cl_mapping *mapping, struct iovec *iov, int iovcnt,
		   uint64_t offset, int *ret_error)
{
	size_t done = 0;

	*ret_error = 0;
	while (iovcnt > 0) {
		const ssize_t n = mapping->ops->pwritev(mapping->store, iov,
							at_most(iovcnt), offset);

		if (n <= 0) {
			*ret_error = n < 0 ? (int)n : -EIO;
			break;
		}
		done += (size_t)n;
		offset += (uint64_t)n;
		iov_advance(&iov, &iovcnt, (size_t)n);
	}
	count_add(&mapping->cache->count.write_bytes, done);
	return done;
}

bool store_is_full(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EFBIG;
}

void store_note_error(struct cl_mapping *mapping, int error)
{
	if (error && !store_is_full(error))
		cl_errseq_set(mapping, error);
}
