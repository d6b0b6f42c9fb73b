/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_CREDENTIALS_H
#define FUSEFS_CREDENTIALS_H

/*
 * With whose rights a thread touches the store.
 *
 * A daemon that runs as a user acts as that user, always; all of this does nothing. One
 * that runs as root serves others. The kernel has checked what they ask for, but by the
 * owners, modes and ACLs that it remembers, and of a descriptor it checks nothing any
 * more. So whatever changes the store is done with the caller's rights, and the store
 * decides again: owner, mode, ACL, sticky directories, immutable and append-only files,
 * reserved blocks, set-id bits.
 *
 * User, groups and capabilities belong to a thread, and so does the umask once it has
 * left the process's: nothing here is seen by other threads. Between an enter and its
 * leave there is to be a call on the store and nothing else: what the daemon does for
 * itself (finding inodes, journals, notifications) is done with its own rights.
 */

#include "daemon.h"

struct inode;

/** How much of his rights a thread takes. Never any that the caller does not have. */
enum credentials_extent {
	/* To change bytes by a descriptor that is open, where the right to do so is
	 * long settled: his user id, for whose account blocks are. Of root, nothing at
	 * all. */
	CREDENTIALS_BYTES,
	/* His user and group: no other group, no capability. */
	CREDENTIALS_IDS,
	/* His groups and capabilities as well, which takes reading /proc: caller.h. */
	CREDENTIALS_ALL,
};

/**
 * Take the rights of req's caller, until credentials_leave().
 * @return 0; -EPERM if his ids mean nothing in our user namespace, or the kernel does
 *         not let us, or has no memory for it: then nothing is taken, and
 *         credentials_leave() is harmless
 */
int credentials_enter(fuse_req_t req, enum credentials_extent extent);
/** Back to our own; harmless if none are taken. Ends the daemon if the kernel does not
 * let us for a second. */
void credentials_leave(void);

/**
 * Take what decides on a change of the file's bytes: BYTES, or ALL if it has a set-id
 * bit, which the store then clears for most, and a set-group-id bit that nobody can
 * execute not for members of the file's group.
 * @param fd  of the file
 * @return of credentials_enter()
 */
int credentials_enter_bytes(fuse_req_t req, int fd);

/** Take all that we have ourselves, which includes what is not at hand (privileges.c),
 *  until credentials_leave(). Whoever runs us, and with or without capabilities. */
void credentials_enter_own(void);

/** Our own capabilities are others from now on: a thread that has taken any before must
 *  not give back what was its own then, which the kernel refuses for ever. To be called
 *  while there is one thread and nothing is taken. */
void credentials_own_changed(void);

/** Take the file's owner's user id, for bytes that are written with no caller: unless
 *  the thread has a caller's by now, or the owner is root. Set-id bits stay, as they do
 *  when a page that was stored to is written back.
 *  @return whether credentials_leave() is owed */
bool credentials_enter_owner(const struct inode *inode);

/** Put what is taken aside for a moment: for what is done with our own rights. Harmless
 *  if none are taken. */
void credentials_pause(void);
/** Take it again. @return 0; -ENOMEM: the kernel had no memory for it, within a second;
 *  it stays put aside */
int credentials_resume(void);

/**
 * Make a call on the store with the caller's rights: at first with IDS, and if that is
 * refused and he has more, with ALL. Not for calls whose success depends on rights
 * (chmod with a set-group-id bit is done without it): those enter ALL at once.
 * @param call  returns 0 or more, or a negative errno; called once or twice
 * @return what the last call said, or of credentials_enter()
 */
int credentials_call(fuse_req_t req, int (*call)(void *arg), void *arg);

/** Likewise with the caller's umask, for what makes a new file.
 *  @param mode  of the file: with a set-group-id bit, ALL at once */
int credentials_create(fuse_req_t req, mode_t mode, int (*call)(void *arg), void *arg);

/** Make a call with ALL. @return what it said, or of credentials_enter() */
int credentials_call_with_all(fuse_req_t req, int (*call)(void *arg), void *arg);

/**
 * Whether the caller may do that to the file, by what the store says now.
 * @param mask  of access(2): R_OK, W_OK, X_OK
 * @return 0; -EACCES, -EPERM (immutable), -EROFS; …
 */
int credentials_may(fuse_req_t req, const struct inode *inode, int mask);

/** Whether the caller has a capability: reads /proc. @param cap  of capabilities(7) */
bool credentials_has_cap(fuse_req_t req, unsigned cap);

#endif
