/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_WAITING_READS_H
#define FUSEFS_WAITING_READS_H

/*
 * READs that wait as data, and which of them are mere readahead.
 *
 * A READ is one of two things, and nothing in it says which. A thread waits for a READ of
 * a page that it needs, and an error would be its error. Nobody waits for readahead: it
 * can be answered with an error at any time, its folios are unlocked and empty, and
 * whoever comes to one of them asks for it by a READ of his own. Readahead takes one of
 * the kernel's background places for as long as it waits, and anybody can have as much of
 * it as he likes; so nobody has more than a share, as far as it is known to be readahead:
 *
 *   - its thread is gone; or
 *   - WAITING_READS_LATER more READs of its thread have been taken from the kernel after
 *     it. A thread that waits for a READ sends nothing more. All that can be behind such a
 *     READ is one that it had sent before, and which found no background place
 *     (DESIGN.md, section 6, R5).
 *
 * What is not known to be readahead waits as long as it has to: so many for each thread
 * of a program.
 *
 * Free of libfuse and of inodes: its tests link it alone.
 */

#include <stdbool.h>
#include <stdint.h>
#include <urcu/list.h>

/* Two would do. */
#define WAITING_READS_LATER 3

struct waiting_reads;

/** Embedded in whatever waits. */
struct waiting_read {
	/* Set by the caller before waiting_reads_add(). */
	uint32_t thread;  /* of the program, as the kernel names it; 0: not known */
	uint32_t account; /* whose share */
	uint64_t
		taken; /* a number that was drawn before it was taken from the kernel */
	uint64_t
		known; /* and the last number drawn by now: who has a higher one was taken
			   later */
	/**
	 * Answer it no more in the usual way, if that is still possible.
	 * @return whether it is the caller's now
	 * Called with the lock held.
	 */
	bool (*take_back)(struct waiting_read *read);

	/* Its own. */
	unsigned later; /* READs of its thread that were taken after it */
	struct cds_list_head node;
};

/** @param share  most of one account, as far as they are known to be readahead
 *  @return NULL: no memory */
struct waiting_reads *waiting_reads_create(unsigned share);
/** NULL is fine. Nothing waits any more. */
void waiting_reads_free(struct waiting_reads *reads);

/**
 * A READ is about to wait. Memory is the caller's, in place until waiting_reads_remove()
 * or until it is handed out here.
 * @param ret_refused  an initialised list: those of the same account that are to be
 *                     answered with an error now are added to it. Not this one
 * Any thread. Locks taken: its own.
 */
void waiting_reads_add(struct waiting_reads *reads, struct waiting_read *read,
		       struct cds_list_head *ret_refused);

/** It does not wait any more: called once for each that was added and was not handed
 *  out. Any thread. Locks taken: its own. */
void waiting_reads_remove(struct waiting_reads *reads, struct waiting_read *read);

/** Whether there is no such thread of a program any more. */
bool waiting_reads_thread_is_gone(uint32_t thread);

#endif
