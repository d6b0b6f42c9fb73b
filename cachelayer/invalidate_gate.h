/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_INVALIDATE_GATE_H
#define CACHELAYER_INVALIDATE_GATE_H

#include "cachelayer/gate.h"
#include "lock_rank.h"
#include "notice.h"
#include "resident_set.h"
#include "wait_class.h"

#define GATE_KINDS (CL_GATE_EXCLUSIVE + 1)

struct gate_queue {
	struct cl_gate_entry *first;
	struct cl_gate_entry *last;
	size_t count[GATE_KINDS]; /* of entries, by kind */
};

/** See cachelayer/gate.h for what it does. */
struct invalidate_gate {
	/* Set once: the cache's, by enum cl_wait. */
	struct wait_class *waits;

	struct cl_mutex lock;
	/* Guarded by lock. */
	struct gate_queue granted;
	struct gate_queue parked; /* oldest first; a CLOSE that waits is here, too */
	size_t nparked;
	uint64_t page_writes; /* WRITEs of one page that have been granted so far */
	const struct cl_range *watched; /* where writebacks are counted */
	unsigned nwatched;
	uint64_t writebacks; /* that came or left there; see gate_watch() */
	struct notice notice;
	struct resident_set resident;
};

/**
 * Strike a range, to have the upper cache drop it. It is cut where a READ is parked:
 * the upper cache holds those folios locked and empty, so there is nothing to drop, and
 * whoever drops it would wait for that READ.
 *
 * If the resident set had no memory once, nothing can be struck but everything: the
 * range becomes the whole file, and the set is as good as new. A READ may be parked in
 * it; then the monitor's late rescue lets the drop go on.
 * @param range  bytes, at page bounds; its start stays, but for that
 */
void gate_strike(struct invalidate_gate *gate, struct cl_range *range);
/** In bytes: add a range; the first resident run of at most max_pages in a range. */
void gate_mark_resident(struct invalidate_gate *gate, struct cl_range range);
bool gate_next_resident(struct invalidate_gate *gate, struct cl_range range,
			uint64_t max_pages, struct cl_range *ret_run);

/**
 * Grant parked FILLs in spite of a CLOSE; they are answered from the state before.
 * @param range        those that touch it
 * @param since_ns     those that came at or after this
 * @param until_ns     those that came at or before this
 * @return how many; none that an EXCLUSIVE keeps out
 */
size_t gate_rescue(struct invalidate_gate *gate, struct cl_range range,
		   uint64_t since_ns, uint64_t until_ns);

/** A notification starts: see notice_begin(). One at a time. */
void gate_notice_begin(struct invalidate_gate *gate, struct cl_range range,
		       uint64_t since_ns);
/** It is over: see notice_end(). */
uint64_t gate_notice_end(struct invalidate_gate *gate);
/**
 * Grant parked FILLs that the notification in flight may be waiting for, if it has been
 * silent for too long: those of its range that came since it started; if it is silent
 * for a hundred times as long, or all that takes GATE_ALL_AFTER_NS, all of them.
 * @param patience_ns  how long is too long; they have waited for so long, too: see
 *                     pace_patience_ns()
 * @param now_ns       of cl_now_ns()
 * @return how many; 0 as well if no notification is in flight
 */
size_t gate_rescue_silent(struct invalidate_gate *gate, uint64_t patience_ns,
			  uint64_t now_ns);
#define GATE_ALL_PATIENCES 100u
#define GATE_ALL_AFTER_NS  ((uint64_t)2000 * 1000 * 1000)

/** How many WRITEs of a single page have been granted so far: what a notification
 * brings down one at a time. */
uint64_t gate_page_writes(struct invalidate_gate *gate);

/**
 * For the fence: count, from now on and from zero, each writeback that touches one of
 * these ranges when it comes (granted or parked) and again when it leaves. So nothing
 * is counted only if none came and none was inside.
 * @param ranges  stay where they are until gate_unwatch(); bytes. One caller at a time
 */
void gate_watch(struct invalidate_gate *gate, const struct cl_range *ranges,
		unsigned nranges);
void gate_unwatch(struct invalidate_gate *gate);
/** Whether anything was counted. */
bool gate_saw_writeback(struct invalidate_gate *gate);

/** Whether a FILL that touches the range (bytes) is parked. */
bool gate_fill_parked(struct invalidate_gate *gate, struct cl_range range);

/** @param waits  the cache's, by enum cl_wait */
void gate_init(struct invalidate_gate *gate, struct wait_class *waits);
void gate_fini(struct invalidate_gate *gate);

/** In debug builds: some granted entry of one of these kinds covers the range. */
#define GATE_BIT(kind) (1u << (kind))
#ifdef CL_DEBUG_LOCKS
void gate_assert_held(struct invalidate_gate *gate, unsigned kinds,
		      struct cl_range range, const char *site);
#define gate_assert(mapping, kinds, range)                                             \
	gate_assert_held(&(mapping)->gate, kinds, range, CL_LOCK_SITE)
#else
#define gate_assert(mapping, kinds, range) ((void)(range))
#endif

#endif
