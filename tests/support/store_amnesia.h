/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_STORE_AMNESIA_H
#define TESTS_SUPPORT_STORE_AMNESIA_H

/*
 * A disk that loses, at a power cut, whatever was not synced: system calls for range
 * operations that remember what of each file is durable.
 *
 * At the cut, every sector of 512 bytes that was written since the last fdatasync is
 * found on the disk or not, by lot, each for itself, so writes are torn and reordered
 * in every way; a size that changed likewise; and so are a name that was made or
 * removed and not synced with its directory.
 */

#include <stdint.h>

#include "store_calls.h"

/** The calls. They do the real ones as well. One at a time per process. */
extern const struct store_io store_amnesia_io;

/** Forget about every file. */
void store_amnesia_reset(void);

/**
 * Cut the power: leave on the real store what this disk had of every file that these
 * calls ever saw.
 * @param seed      draws the lots
 * @param keep_256  how many of 256 unsynced sectors survive: 0 … 256
 */
void store_amnesia_cut(unsigned seed, unsigned keep_256);

#endif
