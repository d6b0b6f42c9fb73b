/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_TYPES_H
#define CACHELAYER_TYPES_H

/*
 * Units and ranges shared by the whole library.
 *
 * Every function that can fail returns 0 (or a count) on success and a negative
 * errno on failure; nothing in the library ever sets or reads errno for its caller.
 * Outputs are named ret_ and stay untouched on failure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Around what the library offers: everything else in it is hidden. For C++, too. */
#ifdef __cplusplus
#define CL_BEGIN_DECLS                                                                 \
	extern "C" {                                                                   \
	_Pragma("GCC visibility push(default)")
#define CL_END_DECLS                                                                   \
	_Pragma("GCC visibility pop")                                                  \
	}
#else
#define CL_BEGIN_DECLS _Pragma("GCC visibility push(default)")
#define CL_END_DECLS   _Pragma("GCC visibility pop")
#endif

/** Bytes in one page of the page cache, and its shift. */
#define CL_PAGE_SHIFT 12
#define CL_PAGE_SIZE  ((size_t)1 << CL_PAGE_SHIFT)

/** Stands for "to the end of the file, wherever that is" as the end of a range. */
#define CL_RANGE_EOF UINT64_MAX

/**
 * A range of bytes in a file, half open: start is in it, end is not.
 * start <= end; end may be CL_RANGE_EOF.
 */
struct cl_range {
	uint64_t start;
	uint64_t end;
};

static inline bool cl_range_overlaps(struct cl_range a, struct cl_range b)
{
	return a.start < b.end && b.start < a.end;
}

static inline bool cl_range_contains(struct cl_range outer, struct cl_range inner)
{
	return outer.start <= inner.start && inner.end <= outer.end;
}

/** The smallest range of whole pages that contains r. */
static inline struct cl_range cl_range_page_align(struct cl_range r)
{
	const uint64_t mask = CL_PAGE_SIZE - 1;

	r.start &= ~mask;
	r.end = r.end > UINT64_MAX - mask ? CL_RANGE_EOF : (r.end + mask) & ~mask;
	return r;
}

#endif
