/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_HELD_ANSWER_H
#define FUSEFS_HELD_ANSWER_H

/*
 * An answer to a program's WRITE that waits until the kernel has dropped what it shows of
 * it: the bytes are not in the file, or not there.
 *
 * Before it sends the WRITE, the kernel has copied the bytes to its pages. A page that it
 * had as a whole, or that the bytes fill, is shown to readers and mappings from then on;
 * another one, the first or the last of the WRITE, is locked until we answer, and read
 * from us afterwards. So pages of the first kind are dropped before the answer; those of
 * the second kind cannot be, as that would wait for the answer.
 *
 * Which kind the first and the last page are is known by the resident set, as a write to
 * a part of a page does not make it resident (pages_filled()). It errs in one direction: the
 * kernel may have given up a page of the first kind by itself, or because it was told to
 * while somebody read it, and have it locked. Then it cannot be dropped before the answer,
 * and need not: it is of the second kind. So if the drop of a page at the edge does not
 * come back, of a file of which pages have been dropped before, and nobody else has the
 * page, who might have it locked, the answer goes out. (Where none have, the kernel would
 * have to be short of memory; then it is an error.)
 */

#include "inode_table.h"

struct shown_pages {
	struct cl_range
		filled; /* that the bytes fill, from the first one on; may be turned
				   round: start > end, a part of one page */
	struct cl_range shown; /* that the kernel may show; whole pages */
};

/** What the kernel may show of a WRITE. In the gate or before it.
 *  @param offset,len  of the WRITE, bytes */
struct shown_pages shown_pages_of(struct inode *inode, uint64_t offset, size_t len);

/** Whether there are any. */
bool shown_pages_any(const struct shown_pages *pages);

/**
 * Have the kernel drop them, and answer then.
 * @param inode   with a mapping; a reference is taken for as long as it is needed
 * @param answer  called on a thread of daemon->continuations, with
 *                status 0: they are dropped, or nobody sees them;
 *                -ETIMEDOUT: the kernel has not let go of them for five seconds; another
 *                negative errno: what it said. To answer is the callee's, and to free arg
 * @return 0; -ENOMEM: nothing has happened
 * The gate has been left. Any thread, no lock held.
 */
int held_answer_start(fuse_req_t req, struct inode *inode,
		      const struct shown_pages *pages,
		      void (*answer)(void *arg, int status), void *arg);

#endif
