/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_FD_PRESSURE_H
#define FUSEFS_FD_PRESSURE_H

/*
 * Living within the limit on open files.
 *
 * Every inode that the kernel knows costs us a descriptor, and the kernel likes to know
 * as many as there is memory for. So when more than half of our descriptors are in use,
 * it is asked to forget those inodes that it has not used for longest, until we are
 * back below 40 percent. That happens on a thread that nobody waits for: the kernel
 * drops a name under the lock of its directory, which it holds, too, while it waits for
 * us to answer a LOOKUP. A request that comes when all are in use is answered ENFILE.
 */

#include "daemon.h"

/** What gives descriptors back. All but set_limit() is called by a job that nobody waits
 *  for, no lock held. */
struct fd_relief {
	/** This is how many descriptors we may have; told once, at first. */
	void (*set_limit)(size_t limit);
	/** Close what is open for the sake of speed alone. */
	void (*close_idle)(void);
	/** Have the kernel forget a name. Returns at once. */
	void (*forget)(struct daemon *daemon, fuse_ino_t parent, const char *name);
	/** Wait until it has been told of all of them, as far as nobody holds that up. */
	void (*settle)(struct daemon *daemon);
};

/** Raise our limit as far as it goes, and learn what it is.
 *  @param relief  lives as long as the pressure
 *  @return 0 or -ENOMEM */
int fd_pressure_create(struct daemon *daemon, const struct fd_relief *relief,
		       struct fd_pressure **ret_pressure);
/** The daemon's notifications pool has been freed. NULL is fine. */
void fd_pressure_free(struct fd_pressure *pressure);

/** An inode's descriptor, or one like it, has just been opened, and no lock is held.
 * May sleep for some milliseconds if there are few left. */
void fd_pressure_note(struct daemon *daemon, int fd);

/** @return how many descriptors we may have */
unsigned fd_pressure_limit(const struct daemon *daemon);

/** Whether descriptors are being freed: no good time to open some that nobody has
 *  asked for. */
bool fd_pressure_is_high(const struct daemon *daemon);

/** What to answer when opening a descriptor failed: -EMFILE and -ENFILE become -ENFILE,
 *  and are logged once a minute; any other error stays as it is.
 *  @param error  negative errno */
int fd_pressure_error(struct daemon *daemon, int error);

#endif
