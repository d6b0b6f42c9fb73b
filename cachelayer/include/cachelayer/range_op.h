/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_RANGE_OP_H
#define CACHELAYER_RANGE_OP_H

/*
 * Range operations that keep the upper cache true: the protocol of DESIGN.md.
 *
 *   1 unmap   2 close the gate   3 chase, fence   4 invalidate   5 open the gate
 *   6 unmap again
 *
 * The upper cache (for the daemon: the kernel's page cache of the FUSE inode) is an
 * interface. Fills and writebacks come the other way, as gate entries with
 * cl_read_begin() and cl_write().
 */

#include "cachelayer/mapping.h"

CL_BEGIN_DECLS

/**
 * The upper cache of one file. All of these may block, and are called with no lock of
 * the library held (R2), from the thread that runs the operation.
 */
struct cl_upper_ops {
	/**
	 * Bring what is dirty in a range down as WRITEs, in bulk, keeping it cached.
	 * Only to make what follows cheap: it may do nothing, and its failure is no
	 * error. NULL is fine.
	 */
	void (*flush)(void *upper, struct cl_range range);
	/**
	 * Write back, unmap and drop every page of a range. May wait for fills that are
	 * under way and for the WRITEs that it causes. Pages of private mappings that
	 * were copied stay.
	 * @return 0, also if the upper cache does not know the file; or a negative
	 * errno
	 */
	int (*invalidate)(void *upper, struct cl_range range);
	/**
	 * The fence: every WRITE that the upper cache had sent when this was called is
	 * known to the gate when it returns 0: its entry has been entered, granted or
	 * parked, or cl_gate_refused() told of it. Called with the gate closed and
	 * nothing of the range resident, so nobody makes a page dirty meanwhile; more
	 * than once if something came. It waits for no folio. Bounded in time.
	 *
	 * NULL: the upper cache keeps a page until its WRITE has been answered, so that
	 * invalidate() has waited for it.
	 * @return 0; -EAGAIN if WRITEs may be waiting behind READs that are parked at
	 * this gate: those are then answered from the state before, and the chase goes
	 * on; -EBUSY if it could not be had in time: the operation ends with it,
	 * nothing changed; or another negative errno, likewise
	 */
	int (*fence)(void *upper);
	/** Forget the attributes: times and size are asked for when they are wanted. */
	void (*forget_attributes)(void *upper);
	/**
	 * Take the new size before this returns, dropping what lies past it (READs
	 * there are parked until cl_size_told(), or until this returns), private copies
	 * included. Bounded in time.
	 * @return 0; -EAGAIN if that could not be brought about in time: the caller of
	 * the operation has to ask for the attributes himself
	 */
	int (*adopt_size)(void *upper, uint64_t size);
	/**
	 * For verification: the first page of a range that the upper cache still holds.
	 * @return 1 and its offset (bytes), 0 if there is none, or a negative errno.
	 * NULL if the upper cache cannot tell.
	 */
	int (*find_cached)(void *upper, struct cl_range range, uint64_t *ret_offset);
};

enum cl_range_op_kind {
	CL_COLLAPSE, /* remove [offset, offset+len), shift what follows down */
	CL_INSERT,   /* make room of len zeros at offset, shift what follows up */
	CL_PUNCH,    /* [offset, offset+len) reads as zeros; the size stays */
	CL_ZERO,     /* the same to whoever looks; the store may keep blocks */
	CL_MOVE,     /* [offset, offset+len) to destination; a hole stays behind */
};

/** What people call it: "collapse", and so on; "operation" of a kind that is none. */
const char *cl_range_op_name(enum cl_range_op_kind kind);

/** All in bytes. Collapse, insert and move: multiples of CL_PAGE_SIZE. */
struct cl_range_op {
	enum cl_range_op_kind kind;
	uint64_t offset;
	uint64_t len;	      /* 1 or more */
	uint64_t destination; /* of a move */
};

/** What an operation did; for statistics. */
struct cl_range_op_report {
	uint64_t notifications; /* calls of invalidate() */
	uint64_t flushes;	/* calls of flush() */
	uint64_t rescued;	/* fills answered from the state before */
	uint64_t fences;	/* calls of fence() */
	uint64_t fence_ns;	/* how long they took */
	uint32_t rounds;	/* sweeps of the chase over the range */
	uint32_t pages_moved;	/* cached pages that got a new index */
	uint64_t closed_ns;	/* how long the gate was closed */
	uint64_t exclusive_ns;	/* of that, step 4 */
	bool size_pending;	/* adopt_size() said -EAGAIN */
};

/**
 * Whether an operation is possible on a file of this size.
 * @param max_size  that the store can hold, bytes
 * @return 0; -EINVAL not aligned, empty, or not inside the file as fallocate(2) has it
 * for this kind; -EFBIG if the file would grow past max_size
 */
int cl_range_op_check(const struct cl_range_op *op, uint64_t size, uint64_t max_size);

/**
 * Run an operation.
 * @param upper_ops     and `upper`, which they are given
 * @param change_store  step 4: do it to the store; all or nothing. Called once, under
 * an EXCLUSIVE gate entry over everything that changes; must not wait for the gate or
 * the upper cache. Returns 0 or a negative errno.
 * @param ret_report    may be NULL; filled in whatever happens
 * @return 0; what cl_range_op_check() says of the size at step 4; change_store's error;
 *         the error of a writeback that had to come first; -EBUSY if the upper cache
 * does not let go of a page, or the fence was not to be had: then nothing has changed.
 * Runs in the calling thread, which must serve no requests (R1), and one at a time for
 * each mapping: a second one waits for its turn.
 */
int cl_range_op_run(struct cl_mapping *mapping, const struct cl_range_op *op,
		    const struct cl_upper_ops *upper_ops, void *upper,
		    uint64_t max_size, int (*change_store)(void *arg), void *arg,
		    struct cl_range_op_report *ret_report);

/**
 * The upper cache knows the current size. READs past a new end wait for this: whoever
 * is let in there before would map zeros where there is nothing. The upper cache may
 * still be dropping what lies past the end, and wait for those READs. Any thread, no
 * lock needed.
 */
void cl_size_told(struct cl_mapping *mapping);

/**
 * How long a step of the upper cache takes on this machine at the most, as far as range
 * operations have shown: 200 us to 250 ms. For whoever bounds a wait for it. Any thread.
 */
uint64_t cl_cache_step_ns(struct cl_cache *cache);

/** An operation that is running, for whoever asks what takes so long. */
struct cl_running_op {
	void *store; /* of its mapping */
	enum cl_range_op_kind kind;
	struct cl_range range;
	const char *phase; /* what it is at, or waits for */
	uint64_t running_ns;
	bool notifying; /* a notification is in flight … */
	struct cl_range notified;
	uint64_t notifying_ns; /* … for so long */
};

/** @return how many are running; the first `capacity` of them are in ret_ops */
size_t cl_cache_running_ops(struct cl_cache *cache, struct cl_running_op *ret_ops,
			    size_t capacity);

CL_END_DECLS

#endif
