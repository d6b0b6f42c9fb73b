/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_CONNECTION_FILE_H
#define FUSEFS_CONNECTION_FILE_H

/*
 * The files of our connection in the kernel's fusectl: max_background and abort. They
 * belong to whoever has mounted. Each is opened anew for each use: they know no offsets, and
 * are read and written from the beginning only.
 */

#include "daemon.h"

/**
 * Find them: below /sys/fs/fuse/connections; and where fusectl is not mounted, as in many
 * containers, root can have it without a place to mount it. If they are not to be had, the
 * calls below fail.
 * Required: own_dev is set. No credentials are taken.
 */
void connection_files_open(struct daemon *daemon);
void connection_files_close(struct daemon *daemon);

/** @return the number in it; 0 if it cannot be read. Any thread. */
unsigned connection_file_read(const struct daemon *daemon, const char *name);

/** @return 0 or a negative errno. Any thread, with no credentials taken. */
int connection_file_write(const struct daemon *daemon, const char *name,
			  unsigned number);

#endif
