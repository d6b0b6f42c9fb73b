/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_STORE_FAULT_H
#define TESTS_SUPPORT_STORE_FAULT_H

/*
 * A store with named failures under range operations: the n-th call of a kind fails,
 * once or from then on; or the store is full after so many bytes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store_calls.h"

enum store_fault_call {
	STORE_FAULT_PREAD,
	STORE_FAULT_PWRITE,
	STORE_FAULT_FDATASYNC,
	STORE_FAULT_FSYNC_DIR,
	STORE_FAULT_FALLOCATE,
	STORE_FAULT_FTRUNCATE,
	STORE_FAULT_CLONE,
	STORE_FAULT_CALLS, /* how many there are */
};

/** As a failure's name says it: "pwrite". */
extern const char *const store_fault_names[STORE_FAULT_CALLS];

/** The calls; without a failure set, the real ones. One at a time per process. */
extern const struct store_io store_fault_io;

/** From now on nothing fails; counters are 0. */
void store_fault_reset(void);

/**
 * Have the n-th call of a kind from now on fail.
 * @param n       1 for the next
 * @param error   negative errno; a pwrite that fails has written half of its bytes
 * @param lasts   every later one fails, too, those of the kind that it does
 */
void store_fault_at(enum store_fault_call call, unsigned long n, int error, bool lasts);

/** Fail pwrite with -ENOSPC once so many bytes have been written, and from then on. */
void store_fault_full_after(uint64_t bytes);

/** How many calls of a kind there were. */
unsigned long store_fault_count(enum store_fault_call call);

#endif
