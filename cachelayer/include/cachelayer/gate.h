/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_GATE_H
#define CACHELAYER_GATE_H

/*
 * The invalidate gate: Linux's mapping->invalidate_lock, over byte ranges, and
 * without ever blocking a thread.
 *
 * Whoever wants in brings a `struct cl_gate_entry`. Either the entry is granted on
 * the spot, or it is parked in the gate's queue and its `granted` callback runs
 * later, on the thread that made room. So a thread that serves requests never waits
 * (rule R1 of DESIGN.md): what must wait is data.
 *
 *   kind                      is granted when no overlapping
 *   FILL   answer a READ      CLOSE is granted, EXCLUSIVE is granted or was parked
 *                             before it
 *   WRITE  change bytes       EXCLUSIVE is granted or was parked before it
 *   CLOSE  keep FILLs out     FILL is granted. From cl_gate_enter() on, no new FILL
 *                             is granted in its range, whether CLOSE is granted or
 *                             still waiting for the last FILL to leave
 *   EXCLUSIVE  re-arrange     FILL or WRITE is granted, EXCLUSIVE is granted or was
 *                             parked before it; or FILL or WRITE was parked before it
 *                             and is kept out by EXCLUSIVEs alone. Nothing new is
 *                             granted in its range from cl_gate_enter() on
 *
 * An EXCLUSIVE does not wait for a FILL that is parked behind a CLOSE, which would
 * otherwise wait for the operation that waits for it. A WRITE does not wait for a
 * CLOSE: it may be the writeback that the closer's notification waits for (R3).
 *
 * Granted in order of arrival wherever the table leaves a choice, so nobody starves.
 *
 * *An entry is left after the answer has gone out*, not before. A FILL's, because from
 * then on the upper cache has the page; a writeback's, because an upper cache with
 * temporary copies sends the next WRITE of the page when it is answered, and whoever
 * waits for the entry to be left has to know that this one is on its way (the fence,
 * range_op.h).
 */

#include "cachelayer/types.h"

CL_BEGIN_DECLS

struct cl_mapping;

enum cl_gate_kind {
	CL_GATE_FILL,
	CL_GATE_WRITE,
	CL_GATE_CLOSE,
	CL_GATE_EXCLUSIVE,
};

enum cl_gate_state {
	CL_GATE_IDLE,
	CL_GATE_PARKED,
	CL_GATE_GRANTED,
};

/** One holder of, or one waiter for, the gate. Memory belongs to the caller, who
 *  keeps it in place from cl_gate_enter() to cl_gate_leave(). */
struct cl_gate_entry {
	/* Set by the caller, once. */
	struct cl_range range; /* bytes; aligned to pages by cl_gate_enter() */
	enum cl_gate_kind kind;
	/**
	 * FILL, WRITE, and EXCLUSIVE for a write: the upper cache holds these pages
	 * from now on, so they join the resident set when the entry is granted (I1).
	 * Left out for a writeback of mapped pages, which brings nothing that is not
	 * there already.
	 */
	bool caches;
	struct cl_range cached; /* only these, whole pages, if it is not empty */
	/**
	 * WRITE: the upper cache writes back what it has (of mapped pages, so it does
	 * not cache anything new). The fence of range operations counts these.
	 */
	bool writes_back;
	/**
	 * FILL on a descriptor opened with O_DIRECT: it may be a direct read, behind
	 * which the upper cache has no locked folio. A parked FILL strikes its pages
	 * from the resident set (the upper cache holds them locked and without
	 * content), this one does not.
	 */
	bool maybe_direct;
	/**
	 * Called once when a parked entry is granted, with no lock held, on the thread
	 * that made room. It must not wait for anything: it hands work to a pool or
	 * posts a semaphore. NULL if the entry is never parked (cl_gate_try_enter()).
	 */
	void (*granted)(struct cl_gate_entry *entry);
	void *granted_arg; /* for granted(); the gate does not look at it */

	/* The gate's own, guarded by its mutex. */
	enum cl_gate_state state;
	uint64_t arrival_ns; /* CLOCK_MONOTONIC, when it was parked */
	bool rescued;	     /* granted behind a CLOSE: see cachelayer/range_op.h */
	struct cl_gate_entry *next, *prev;
	struct cl_gate_entry *next_to_call;
};

/**
 * Enter if that is possible at once; never parks.
 * @param mapping  whose gate
 * @param entry    range and kind set
 * @return true if granted (then cl_gate_leave() is owed), false if not
 * Locks taken: the gate's mutex. Required: no page lock.
 */
bool cl_gate_try_enter(struct cl_mapping *mapping, struct cl_gate_entry *entry);

/**
 * Enter or be parked.
 * @param entry    range, kind and granted set
 * @return true if granted at once (granted() is not called), false if parked:
 *         granted() will be called exactly once, perhaps before this returns.
 *         cl_gate_leave() is owed either way.
 * Locks taken: the gate's mutex. Required: no page lock.
 */
bool cl_gate_enter(struct cl_mapping *mapping, struct cl_gate_entry *entry);

/**
 * Enter and wait for it. Only for threads that serve no requests (R1).
 * Uses entry->granted and granted_arg for itself.
 */
void cl_gate_enter_wait(struct cl_mapping *mapping, struct cl_gate_entry *entry);

/**
 * Leave. Entries that can now be granted are, and their callbacks run here, after
 * the gate's mutex is released.
 * @param entry  granted
 */
void cl_gate_leave(struct cl_mapping *mapping, struct cl_gate_entry *entry);

/**
 * Take a parked FILL back, to answer it with an error. To the gate it has never come.
 * @param entry  has been brought to cl_gate_enter(), or is about to be: all of it set,
 *               and IDLE; not left yet
 * @return true: it was parked and is not any more; granted() is not called, and
 *         cl_gate_leave() is not owed. false: it is granted, or has not come yet
 * Entries for which that makes room are granted here. Any thread; locks taken: the gate's
 * mutex.
 */
bool cl_gate_withdraw(struct cl_mapping *mapping, struct cl_gate_entry *entry);

/**
 * A writeback was answered with an error, and has never been in the gate: for the fence
 * it has come and gone all the same.
 * @param range  bytes, of the WRITE
 * Call it after the answer has gone out. Any thread; locks taken: the gate's mutex.
 */
void cl_gate_refused(struct cl_mapping *mapping, struct cl_range range);

/** Number of entries parked in this gate now. */
size_t cl_gate_parked(struct cl_mapping *mapping);

CL_END_DECLS

#endif
