/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_READAHEAD_H
#define FUSEFS_STORE_READAHEAD_H

/*
 * The store's own readahead, where it is not safe beside a range operation.
 *
 * Before Linux 5.15 a file system's readahead takes no lock against fallocate(2)
 * (mapping->invalidate_lock came with that release; ext4 uses it since). *Seen* on 5.10
 * with ext4: beside range operations pages of zeros stayed in the store's page cache, for
 * everybody; with readahead stopped they did not. The gate keeps our own reads apart
 * from what changes; so each of them must not bring more than it asks for. We read ahead
 * ourselves (prefetch.h), under the gate.
 */

#include <stdbool.h>

/** Whether this kernel's readahead may be beside fallocate(2). By its version: there
 *  is nothing to see from outside. Kernels that have taken the lock over from a later
 *  one lose nothing but the store's readahead. */
bool store_readahead_races(void);

/** A file of the store is open: have its reads bring what they ask for and no more.
 *  @param fd  readable; a failure is no matter, as where there is no readahead */
void store_readahead_stop(int fd);

#endif
