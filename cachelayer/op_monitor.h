/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_OP_MONITOR_H
#define CACHELAYER_OP_MONITOR_H

/*
 * The monitor of range operations: a thread that watches them from outside.
 *
 * It rescues READs that a notification may be waiting for (step 3 of the protocol) and
 * is the watchdog: what takes too long is told to the owner, once. It sleeps while no
 * operation has its gate closed, and starts with the first one.
 */

#include <urcu/list.h>

#include "cachelayer/range_op.h"
#include "cond.h"
#include "pace.h"

/*
 * A READ that came while a notification of its pages was in flight may be what that
 * waits for: the upper cache locks its folio, then asks us. It is answered when both
 * have waited for longer than a notification that waits for nobody would be silent
 * (pace.h).
 *
 * A notification that is silent for a hundred times as long may wait for a READ that
 * does not look related: the upper cache's folios can be larger than pages, and a READ
 * that may be direct may be a fault's all the same. Then every parked READ is answered;
 * and every two seconds, even if there are signs of life (gate_rescue_silent()): they
 * can be made by whoever syncs his mapping in a loop.
 */

struct op_monitor {
	struct cl_mutex lock;
	struct cl_cond changed;
	/* Guarded by lock. */
	struct cds_list_head running; /* struct monitored_op */
	bool started, stopping;
	bool dozing; /* the thread waits for something to watch */
	uint64_t round;
	struct pace pace;
	pthread_t thread;
};

/** One operation that runs, on its thread's stack. Guarded by the monitor's lock. */
struct monitored_op {
	struct cds_list_head link;
	struct cl_mapping *mapping;
	const struct cl_range_op *op;
	struct cl_range range;
	const char *phase;
	uint64_t started_ns;
	bool closed; /* its gate is: parked READs may need rescue */
	struct cl_range notified;
	uint64_t notify_started_ns; /* 0: no notification in flight */
	bool adopting; /* it is a size adoption: rescue when the size has been told */
	bool in_use;   /* the monitor works on it without the lock */
	uint64_t seen_in_round; /* the monitor's */
	bool told_slow_op, told_slow_notification;
	bool doubted; /* READs were answered for this notification */
	uint64_t rescued;
};

void op_monitor_init(struct cl_cache *cache);
void op_monitor_fini(struct cl_cache *cache);

/**
 * Wait for the mapping's turn and be watched. mapping, op and range are set.
 * @return 0, or -EAGAIN if the monitor's thread cannot be started: without it nobody
 *         would rescue
 */
int op_monitor_begin(struct monitored_op *m);
/** @param phase   a constant string, for people
 *  @param closed  from here on the gate is closed, or no longer */
void op_monitor_phase(struct monitored_op *m, const char *phase, bool closed);
/** @param started_ns  READs that have come since may be in its way
 *  @param adopting    it is the upper cache's taking of a size, with READs past it
 *                     parked
 */
void op_monitor_notify_begin(struct monitored_op *m, struct cl_range notified,
			     uint64_t started_ns, bool adopting);
void op_monitor_notify_end(struct monitored_op *m);
void op_monitor_end(struct monitored_op *m);

#endif
