/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_NAME_TELLER_H
#define FUSEFS_NAME_TELLER_H

/*
 * Notifications of names and listings, on threads that nobody waits for: in the kernel
 * they wait for a directory's lock, or a page of its listing, which anybody who reads
 * it may have for as long as he likes.
 */

#include "daemon.h"

/**
 * Have the kernel forget a name. Returns at once.
 * @param parent  nodeid of its directory
 * Out of memory, or with far too many waiting, it is told nothing: the name lasts as
 * long as the kernel was told that it may.
 */
void name_teller_forget(struct daemon *daemon, fuse_ino_t parent, const char *name);

/** Likewise the listing of a directory. */
void name_teller_forget_listing(struct daemon *daemon, fuse_ino_t directory);

/** Wait until all has been told that has been asked for, or nothing more is told for
 * some milliseconds: somebody holds up the rest. */
void name_teller_settle(struct daemon *daemon);

#endif
