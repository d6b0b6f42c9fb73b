/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_BACKGROUND_PLACES_H
#define FUSEFS_BACKGROUND_PLACES_H

/*
 * Background places: how many background requests (readahead, writeback, release) the
 * kernel has under way at once. Those beyond wait in a queue of the connection, and
 * nothing tells of them.
 */

#include "daemon.h"

/**
 * What we ask for. Parked READs hold places: with the kernel's 12, forty-eight threads in
 * page faults were enough to keep the very WRITE away that an invalidation waited for.
 * The kernel takes at most 65535, and for users a share of memory (a place for each 3
 * MiB), or what the administrator says.
 */
#define BACKGROUND_PLACES_WANTED 1024

/**
 * A request begins to wait as data (1) or does so no more (-1). What waits has a place, as
 * a rule, so the kernel is given one more for it, where we may: in steps, and up to what it
 * takes. So there are always as many for what goes on as were asked for.
 * Any thread, with no credentials taken. Locks taken: its own.
 */
void background_places_waits(struct daemon *daemon, int more);
/** Likewise: so many wait in serving's queue. Locks allowed: serving's. */
void background_places_queued(struct daemon *daemon, size_t count);

/** What the kernel grants users at the most; for those with CAP_SYS_ADMIN that is no limit.
 *  @return its default if it cannot be known */
unsigned background_places_limit(void);

/**
 * The number, those not counted that were given for what waits: nobody knows when the kernel
 * begins to use such a one. An administrator may change it at any time; so it is read from the
 * connection's own file where we may, which a user may of his own mounts. Otherwise it is
 * what was asked for, bounded by the limit for users (the kernel takes the smaller one
 * for those without CAP_SYS_ADMIN), and the kernel's own default if even that cannot be
 * known.
 * @return at least 1. Any thread.
 */
unsigned background_places(const struct daemon *daemon);

#endif
