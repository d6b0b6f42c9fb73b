/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FAULT_FAULTS_H
#define TESTS_FAULT_FAULTS_H

/*
 * Faults of the daemon under test, which was built with test points:
 * fusefs/store/fault_point.h.
 */

#include "../mount/files.h"

/** Arm a fault for a file: the name as foldctl(1) has it; "none" disarms. */
void arm(const char *path, const char *fault);
/** How often what is armed has struck. */
unsigned long struck(void);

/** A new file with `size` bytes of a seed, made in the store, so that no cache has any
 *  of it; open on the mount with these flags. */
int open_unread(const char *name, size_t size, unsigned seed, int flags);
/** The store's file has these bytes. */
void store_has(const char *name, off_t offset, size_t len, unsigned seed);

/** Another file than the one with the fault: it works, fsync and all. */
void others_are_served(void);
/** The file works as if nothing had been: a write arrives in the store, fsync says so.
 */
void all_is_well(int fd, const char *name);

#endif
