/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_TEMPORARY_COPIES_H
#define FUSEFS_TEMPORARY_COPIES_H

/*
 * Whether the kernel writes mapped pages back from temporary copies. Then a page is clean
 * as soon as it has been copied, a notification drops it without waiting for its WRITE,
 * and everything that moves or drops bytes below the kernel needs the fence (fence.h).
 */

#include <stdbool.h>

/** The first version of the protocol, 7.x, of kernels without: Linux 6.16. Their
 *  commit 0c58a97f919c ("fuse: remove tmp folio for writebacks and internal rb tree")
 *  and the one that made the protocol 7.44 are of the same release. */
#define TEMPORARY_COPIES_GONE 44

/** @param proto_minor  of the connection, as INIT has it */
static inline bool temporary_copies_of(unsigned proto_minor)
{
	return proto_minor < TEMPORARY_COPIES_GONE;
}

#endif
