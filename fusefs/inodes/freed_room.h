/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_FREED_ROOM_H
#define FUSEFS_FREED_ROOM_H

/*
 * Room on the store that is just becoming free.
 *
 * On the store a file's blocks are free when unlink(2), or the last close(2), comes back.
 * On the mount they are not: the program goes on when the name has gone; only then the
 * kernel forgets the inode, and we close the descriptor that stands for it, which for a
 * large file takes the store tens of milliseconds. So whoever asks for the free space, or
 * finds none, waits for what is about to go (xfstests generic/511 and generic/015).
 *
 * To wait for a closing is to wait for the store, on the same file system that has just
 * been asked: it holds no lock and waits for nothing else. To wait for a FORGET is to wait
 * for another thread to take it, and is bounded for that: if there is none, or a program
 * keeps the file, it is 100 ms for who only wants to know, a second for who finds no room,
 * once for each such file.
 *
 * A program that closes a file whose name has long gone goes on before the RELEASE has
 * come to us: for as long its room is not waited for.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <urcu/list.h>

enum leaving_state {
	LEAVING_NOT,
	LEAVING_EXPECTED, /* the FORGET is to come */
	LEAVING_CLOSING,
};

/** In each inode, zero at first. freed_room.c's own, changed under its lock. */
struct leaving {
	struct cds_list_head node; /* in its list, if it is expected or closing */
	_Atomic enum leaving_state state;
	bool passed_over; /* somebody who wants to know has waited for it in vain */
	dev_t device;
	uint64_t number;
};

/** The inode's last name has gone, or it has none and was closed: the kernel is about to
 *  forget it, if no program keeps it. Harmless to say twice.
 *  @param device  of its file system
 *  Any thread, with a reference of the inode. Locks taken: freed_room.c's, a leaf. */
void freed_room_expect(struct leaving *leaving, dev_t device);

/** Whether closing it frees room. To be asked when there is no reference any more. */
static inline bool freed_room_owed(const struct leaving *leaving)
{
	return atomic_load_explicit(&leaving->state, memory_order_relaxed) !=
	       LEAVING_NOT;
}

/** Around the closing of its descriptors, which nobody has a reference of any more.
 *  Any thread. Locks taken: likewise. */
void freed_room_closing(struct leaving *leaving, dev_t device);
void freed_room_gone(struct leaving *leaving);

/** Wait for what is about to go on a file system, to tell how much is free.
 *  Any thread that may wait for the store. Locks taken: likewise. */
void freed_room_await(dev_t device);

/** How many have gone. To be asked before a call on the store that may find no room. */
uint64_t freed_room_count(void);

/** Whether such a call is to be made once more: it found no room, and some has come free
 *  since, or there was something to wait for.
 *  @param count   of freed_room_count(), before the call
 *  @param status  of the call: 0 or more, or a negative errno
 *  As freed_room_await(). */
bool freed_room_came(dev_t device, uint64_t count, ssize_t status);

#endif
