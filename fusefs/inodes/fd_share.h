/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_FD_SHARE_H
#define FUSEFS_FD_SHARE_H

/*
 * Nobody has all the descriptors.
 *
 * A file that is open on the mount, and a directory for each time that it is, costs
 * descriptors which the kernel cannot be asked to forget (fd_pressure.h). Where others
 * than the daemon's user share the mount, nobody may hold more than half of what all the
 * others leave: the first one half of all, the second one a quarter then, and so on; so
 * something is left for whoever comes next. Who wants more gets ENFILE.
 *
 * A file that several have open is held by who was first. Inodes that the kernel only
 * knows are nobody's, and what root has open does not count.
 */

#include "daemon.h"

/** Whether fd_share_take() would succeed; to be asked before something is created.
 *  @param account  of account_of() */
bool fd_share_left(struct daemon *daemon, uint32_t account);

/** For a file or a directory that is about to be opened.
 *  @param account  who opens it; ACCOUNT_OURS and 0 are not counted
 *  @return 0; -ENFILE, which has been logged; -ENOMEM
 *  Any thread. Locks taken: fd_share.c's, a leaf. */
int fd_share_take(struct daemon *daemon, uint32_t account);

/** It is closed. */
void fd_share_give(struct daemon *daemon, uint32_t account);

#endif
