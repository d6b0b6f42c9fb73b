/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_UPPER_H
#define TESTS_SUPPORT_FAKE_UPPER_H

/*
 * An upper cache in memory: what the kernel's page cache of one FUSE inode is to the
 * daemon. It has folios of one page with a lock: a fault takes it, then asks for the
 * bytes (filemap_fault(), fuse_read_folio()); dropping a range waits for it
 * (invalidate_inode_pages2_range()); so does the truncate that follows a smaller size
 * (fuse_change_attributes(), truncate_pagecache()), after the size has been taken.
 */

#include <pthread.h>

#include "cachelayer/range_op.h"

#define FAKE_UPPER_PAGES 512u

struct fake_folio {
	bool locked;
	bool cached;
	uint8_t bytes[CL_PAGE_SIZE];
};

struct fake_upper {
	struct cl_mapping *mapping; /* set once */

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Guarded by mutex. */
	struct fake_folio folios[FAKE_UPPER_PAGES];
	uint64_t size; /* bytes, as it believes */
	unsigned invalidations;
	unsigned faults;	    /* that have held a folio and waited for bytes */
	unsigned truncates_waiting; /* for a folio */
	unsigned keeps;	    /* drops that it forgets to make, as if it were broken */
	unsigned hold_from; /* the invalidation from which on they do not return; 0:
			       none */
	bool holds_adoptions;

	/* The fence is the test's: called with the number of the call, from 1. */
	int (*at_fence)(struct fake_upper *upper, unsigned number);
	_Atomic unsigned fences; /* calls of fence() */
};

extern const struct cl_upper_ops fake_upper_ops;
/** The same as an upper cache whose WRITEs can be late, for which at_fence() answers.
 */
extern const struct cl_upper_ops fake_upper_fenced_ops;

/** About 2 MiB: keep it off the stack. */
void fake_upper_init(struct fake_upper *upper, struct cl_mapping *mapping,
		     uint64_t size);
void fake_upper_fini(struct fake_upper *upper);

/**
 * A load through a mapping.
 * @return the first byte of the page; -1 for SIGBUS: it is past the end
 */
int fake_upper_load(struct fake_upper *upper, uint64_t page);

/** Wait until so many faults have come, in all: each held its folio and waited for bytes,
 *  and may have got them since. */
void fake_upper_await_faults(struct fake_upper *upper, unsigned faults);
/** Wait until a truncate waits for a folio. */
void fake_upper_await_truncate(struct fake_upper *upper);

/** Hold invalidations from the n-th of all on, counted from 1; 0: let all go. */
void fake_upper_hold_invalidations(struct fake_upper *upper, unsigned from);
/** Wait until so many invalidations have begun. */
void fake_upper_await_invalidations(struct fake_upper *upper, unsigned invalidations);
/** Hold adoptions, or let them go. */
void fake_upper_hold_adoptions(struct fake_upper *upper, bool hold);

#endif
