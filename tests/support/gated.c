/* SPDX-License-Identifier: MIT */
/*
 * The library's calls inside their gate entries.
 */

#include "gated.h"

#include <string.h>

void gated_enter(struct cl_mapping *mapping, struct cl_gate_entry *entry,
		 enum cl_gate_kind kind, struct cl_range range)
{
	*entry = (struct cl_gate_entry){.range = range, .kind = kind};
	cl_gate_enter_wait(mapping, entry);
}

static void copy_out(const struct cl_read *read, char *buf)
{
	for (int i = 0; i < read->iovcnt; i++) {
		memcpy(buf, read->iov[i].iov_base, read->iov[i].iov_len);
		buf += read->iov[i].iov_len;
	}
}

ssize_t gated_read(struct cl_mapping *mapping, struct cl_read *read, void *buf,
		   size_t len, uint64_t offset)
{
	struct cl_gate_entry entry;
	ssize_t status;

	gated_enter(mapping, &entry, CL_GATE_FILL,
		    (struct cl_range){offset, offset + len});
	status = cl_read_begin(mapping, offset, len, read);
	if (status == 0) {
		copy_out(read, buf);
		status = (ssize_t)read->bytes;
		cl_read_end(read);
	}
	cl_gate_leave(mapping, &entry);
	return status;
}

ssize_t gated_write(struct cl_mapping *mapping, const void *buf, size_t len,
		    uint64_t offset)
{
	struct cl_gate_entry entry;
	ssize_t status;

	gated_enter(mapping, &entry, CL_GATE_WRITE,
		    (struct cl_range){offset, offset + len});
	status = cl_write(mapping, buf, len, offset);
	cl_gate_leave(mapping, &entry);
	return status;
}

int gated_writeback(struct cl_mapping *mapping, struct cl_range range)
{
	struct cl_gate_entry entry;
	int status;

	gated_enter(mapping, &entry, CL_GATE_WRITE, range);
	status = cl_writeback(mapping, range);
	cl_gate_leave(mapping, &entry);
	return status;
}

int gated_invalidate(struct cl_mapping *mapping, struct cl_range range)
{
	struct cl_gate_entry entry;
	int status;

	gated_enter(mapping, &entry, CL_GATE_EXCLUSIVE, range);
	status = cl_invalidate(mapping, range);
	cl_gate_leave(mapping, &entry);
	return status;
}

void gated_prefetch(struct cl_mapping *mapping, struct cl_range range)
{
	struct cl_gate_entry entry;

	gated_enter(mapping, &entry, CL_GATE_FILL, range);
	cl_prefetch(mapping, range);
	cl_gate_leave(mapping, &entry);
}
