/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_CREDENTIALS_H
#define FUSEFS_CREDENTIALS_H

/*
 * On whose behalf a thread touches the store.
 *
 * A daemon that runs as a user acts as that user, always. One that runs as root serves
 * others: what it makes must belong to them, and the store must clear set-id bits and
 * the like as if they had come themselves. User, group and capabilities belong to a
 * thread, and so does the umask once it has left the process's: nothing here is seen
 * by other threads.
 */

#include <stdbool.h>

#include "daemon.h"

/** What credentials_enter() leaves to the caller beside its identity. */
enum credentials_extra {
	CREDENTIALS_PLAIN = 0,
	CREDENTIALS_MKNOD = 1, /* device nodes: the kernel has checked CAP_MKNOD */
};

/**
 * Make the calling thread create files as the caller of req would: his user and group,
 * his umask. Permission to write the directory has been checked by the kernel
 * (default_permissions), with all his groups, which we do not know; so that right is
 * kept, and no other that he may not have.
 * @return 0, and credentials_leave() is owed; -EPERM if the caller's ids mean nothing
 *         in our user namespace
 */
int credentials_enter(fuse_req_t req, enum credentials_extra extra);
void credentials_leave(fuse_req_t req);

/**
 * From here to credentials_fsetid_restore() the store clears set-id bits when this
 * thread writes, resizes, allocates or copies, as if the caller of req had come
 * himself: all of them for most, none for root. A set-group-id bit that nobody can
 * execute stays for members of the file's group. Does nothing in a daemon without
 * privilege: there the store does it anyway.
 * @param fd  of the file that is going to change
 * @return whether credentials_fsetid_restore() is owed
 */
bool credentials_fsetid_drop(fuse_req_t req, int fd);
void credentials_fsetid_restore(void);

#endif
