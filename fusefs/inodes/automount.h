/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_AUTOMOUNT_H
#define FUSEFS_AUTOMOUNT_H

/*
 * Automounts in the source (autofs, systemd's .automount, NFS referrals): a directory
 * that something is mounted on when somebody goes into it. To look at it mounts nothing,
 * here as in the source.
 */

#include "inode_table.h"

/** Whether a directory that has just been opened is one. */
bool automount_is(const struct daemon *daemon, int fd, const struct store_id *id);

/**
 * Before something is looked for in a directory, or it is listed.
 * @return 0: it is still the directory; -ESTALE: something is mounted on it now, and the
 *         kernel, told so, resolves its path once more; what the automounter said
 * Blocks for the automounter. Required: no lock held.
 */
int automount_enter(struct inode *dir);

#endif
