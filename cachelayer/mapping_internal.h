/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_MAPPING_INTERNAL_H
#define CACHELAYER_MAPPING_INTERNAL_H

#include <stdatomic.h>
#include <urcu/list.h>

#include "cache_internal.h"
#include "cachelayer/mapping.h"
#include "invalidate_gate.h"
#include "page_table.h"

struct cl_mapping {
	/* Set once. */
	struct cl_cache *cache;
	const struct cl_store_ops *ops;
	void *store;

	struct invalidate_gate gate;
	struct page_table table;

	/* Atomic; changed under table.lock. */
	_Atomic uint64_t npages;
	_Atomic uint64_t ndirty; /* dirty or under writeback */

	/* Atomic; grows under a WRITE gate entry, else under EXCLUSIVE. */
	_Atomic uint64_t size;

	_Atomic cl_errseq_t errseq;

	_Atomic bool size_told; /* cl_size_told() since the last range operation */

	/* Guarded by the monitor's lock: a range operation has its turn. */
	bool op_running;

	/* Guarded by the flusher's lock. */
	struct cds_list_head dirty_link;
	uint64_t dirtied_ns; /* when the oldest dirty page may have become so */
	bool flushing;
};

static inline uint64_t page_index_of(uint64_t offset)
{
	return offset >> CL_PAGE_SHIFT;
}

static inline uint64_t offset_of_page(uint64_t index)
{
	return index << CL_PAGE_SHIFT;
}

/** The first page index at or behind offset (bytes, may be CL_RANGE_EOF). */
static inline uint64_t page_index_up(uint64_t offset)
{
	return (offset >> CL_PAGE_SHIFT) + ((offset & (CL_PAGE_SIZE - 1)) != 0);
}

#endif
