/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_GATED_H
#define TESTS_SUPPORT_GATED_H

/*
 * The library's calls as a well-behaved caller makes them: each one inside the gate
 * entry that its contract asks for, waiting for it. For threads that may wait.
 */

#include "cachelayer/mapping.h"

static const struct cl_range whole_file = {0, CL_RANGE_EOF};

/** Enter and wait; entry is filled in. cl_gate_leave() is owed. */
void gated_enter(struct cl_mapping *mapping, struct cl_gate_entry *entry,
		 enum cl_gate_kind kind, struct cl_range range);

/** cl_read_begin(), a copy of the bytes into buf, cl_read_end(). Bytes or -errno. */
ssize_t gated_read(struct cl_mapping *mapping, struct cl_read *read, void *buf,
		   size_t len, uint64_t offset);
ssize_t gated_write(struct cl_mapping *mapping, const void *buf, size_t len,
		    uint64_t offset);
int gated_writeback(struct cl_mapping *mapping, struct cl_range range);
int gated_invalidate(struct cl_mapping *mapping, struct cl_range range);
void gated_prefetch(struct cl_mapping *mapping, struct cl_range range);

#endif
