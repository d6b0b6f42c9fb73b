/* SPDX-License-Identifier: MIT */
/*
 * Writing past the cache: the store gets the bytes, the pages go.
 *
 * To lock a page, or a placeholder for one, costs more than to write it, and the upper
 * cache has the bytes: nobody will ask for these pages soon. So in a long write it is
 * the gate that keeps fills and other writes out, instead of the page locks. An append
 * goes past the cache because only the store knows where it lands.
 */

#include <errno.h>

#include "mapping_internal.h"
#include "store_io.h"
#include "test_point.h"

/** Have the source write all that it can. @return bytes; *ret_error as of store_write()
 */
static size_t write_from(struct cl_mapping *mapping, const struct cl_source *source,
			 size_t len, uint64_t offset, int *ret_error)
{
	size_t done = 0;

	*ret_error = 0;
	while (done < len) {
		const ssize_t n = source->write(source->arg, mapping->store, len - done,
						offset + done);

		if (n <= 0) {
			*ret_error = n < 0 ? (int)n : -EIO;
			break;
		}
		done += (size_t)n;
	}
	count_add(&mapping->cache->count.write_bytes, done);
	return done;
}

ssize_t cl_write_past(struct cl_mapping *mapping, const struct cl_source *source,
		      size_t len, uint64_t offset)
{
	const struct cl_range range = {offset, offset + len};
	size_t done;
	int error;

	if (len == 0 || mapping->cache->config.writeback)
		return -EINVAL;
	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return -EFBIG;
	gate_assert(mapping, GATE_BIT(CL_GATE_EXCLUSIVE), range);
	done = write_from(mapping, source, len, offset, &error);
	CL_POINT(write_stored);
	store_note_error(mapping, error);
	/* Whatever has been written, and after an error nobody knows what. Nothing is
	 * dirty, so nothing can fail. */
	(void)cl_invalidate(mapping, range);
	if (done == 0)
		return error;
	cl_mapping_grow(mapping, offset + done);
	return (ssize_t)done;
}

ssize_t cl_append(struct cl_mapping *mapping, const struct cl_appender *appender,
		  uint64_t from, uint64_t *ret_at)
{
	const struct cl_range tail = {from, CL_RANGE_EOF};
	uint64_t at = 0;
	ssize_t n;

	gate_assert(mapping, GATE_BIT(CL_GATE_EXCLUSIVE), tail);
	n = appender->append(appender->arg, mapping->store, &at);
	if (n == 0)
		n = -EIO;
	CL_POINT(write_stored);
	store_note_error(mapping, n < 0 ? (int)n : 0);
	(void)cl_invalidate(mapping, tail);
	if (n < 0)
		return n;
	count_add(&mapping->cache->count.write_bytes, (uint64_t)n);
	/* If it has shrunk behind the mount, that is for a revalidation to tell. */
	cl_mapping_grow(mapping, at + (uint64_t)n);
	*ret_at = at;
	return n;
}
