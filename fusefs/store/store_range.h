/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_RANGE_H
#define FUSEFS_STORE_RANGE_H

/*
 * Range operations on a file of the store: by the store itself where it can, by
 * reflinks or copies under a journal where it cannot.
 *
 * Whoever calls has the file to itself: nothing else of this process reads, writes or
 * resizes it meanwhile, and the page cache above has written everything back. Nothing
 * is locked here; operations on different files do not wait for each other.
 *
 * All of them return
 *   0            done
 *   -errno       failed, and the file shows what it did before
 *   STORE_BETWEEN  failed half way, and could not be undone: the caller must not let
 *                anybody see the file any more; the next shift_recover()
 *                finishes or undoes it. Only collapse, insert and move, and only after
 *                a second failure while undoing the first, or because ctx->wish said
 *                SHIFT_STOP
 *
 * Errors of all: -EINVAL: len is 0; -EFBIG; -ENODEV or -EISDIR: no regular file; -EPERM:
 * append-only or immutable; what the store says (-ENOSPC, -EDQUOT, -EIO, -ETXTBSY, …).
 * Of collapse, insert and move: -EINVAL: a number is not a multiple of 4096, or what else
 * shift_geometry_check() says; -EOPNOTSUPP: the store can only copy, and no journal can
 * be made because SOURCE may not be written; programs that get this fall back to copying
 * the file themselves, which they can. -EBUSY: another foldfs on the same SOURCE is
 * at work on the file, or it waits for recovery. -EINTR: ctx->wish said SHIFT_GO_BACK.
 */

#include "store_event.h"
#include "store_probe.h"

#define STORE_BETWEEN 1

enum shift_wish {
	SHIFT_GO_ON = 0,
	SHIFT_GO_BACK, /* whoever asked for the operation wants it no more */
	SHIFT_STOP,    /* nobody can wait for it: leave it to recovery */
};

enum store_avoid {
	STORE_AVOID_NATIVE = 1,	 /* no fallocate with COLLAPSE or INSERT */
	STORE_AVOID_REFLINK = 2, /* copy the bytes */
};

struct store_range_ctx {
	int source_fd;		   /* SOURCE; O_PATH is enough */
	struct store_probe *probe; /* shared by everybody */
	store_event_fn *event;	   /* may be NULL */
	void *event_arg;
	/* What somebody wants of a long operation meanwhile (shift_run.h); may be NULL. */
	enum shift_wish (*wish)(void *arg);
	void *wish_arg;
	/* For tests and measurements; 0 and NULL otherwise. */
	unsigned avoid; /* enum store_avoid */
	const struct store_io *io;
	uint64_t window_bytes; /* see shift_run.h */
	uint64_t stage_below_bytes;
	uint64_t (*clock_ms)(void);
};

/** Remove [offset, offset + len), bytes; what follows moves down. Must end before the
 *  end of the file. fd: for reading and writing, as in all of these. */
int store_collapse(const struct store_range_ctx *ctx, int fd, uint64_t offset,
		   uint64_t len);

/** Put len bytes of hole at offset, bytes; what is there moves up. Must start before
 * the end of the file. */
int store_insert(const struct store_range_ctx *ctx, int fd, uint64_t offset,
		 uint64_t len);

/** Bring [source, source + len), bytes, to `destination`, and leave a hole. Both ranges
 *  are inside the file and apart; the size stays. */
int store_move(const struct store_range_ctx *ctx, int fd, uint64_t source, uint64_t len,
	       uint64_t destination);

/** Make a range a hole; the size stays. May reach past the end of the file. A store
 *  without holes gets zeros written, and then an interruption can leave a part done. */
int store_punch(const struct store_range_ctx *ctx, int fd, uint64_t offset,
		uint64_t len);

/** Make a range read as zeros and keep it allocated; the size stays. May reach past the
 *  end of the file. Interruptions as in store_punch(). */
int store_zero(const struct store_range_ctx *ctx, int fd, uint64_t offset,
	       uint64_t len);

#endif
