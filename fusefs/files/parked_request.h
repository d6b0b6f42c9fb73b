/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_PARKED_REQUEST_H
#define FUSEFS_PARKED_REQUEST_H

/*
 * A request that waits for the gate, as data (R1).
 */

#include "inode_table.h"
#include "waiting_reads.h"
#include "worker_pool.h"

/**
 * The pages that a write fills. These are what the kernel has of it afterwards: into a page
 * that it had before it copies the rest as well, but that one is resident already; a part
 * of any other it keeps to itself, locked until the answer and to be read from us then.
 * @return empty (start >= end) if there is none
 */
static inline struct cl_range pages_filled(uint64_t offset, size_t len)
{
	const uint64_t mask = CL_PAGE_SIZE - 1;

	return (struct cl_range){(offset + mask) & ~mask, (offset + len) & ~mask};
}

/** Embedded in whatever the request needs besides. */
struct parked_request {
	struct inode *inode; /* the owner keeps it alive */
	fuse_req_t req;
	/** Called with the gate entry granted: leaves the gate, answers, frees. */
	void (*run)(struct parked_request *request);
	/** Of a READ, else NULL. Called instead of run, without the gate, if this was
	 *  readahead and there is too much of it: answers with an error, frees. */
	void (*refuse)(struct parked_request *request);

	/* As in struct cl_gate_entry. */
	bool caches, maybe_direct, writes_back;
	struct cl_range cached;
	struct cl_gate_entry entry;
	struct waiting_read read; /* if there is a refuse function */
	struct job job;
};

/**
 * Run a request under a gate entry: now and on this thread if the gate lets it in,
 * otherwise on daemon->continuations once it does.
 * @param request  inode, req and run set; may be gone when this returns
 * @param range    bytes
 * Required: no lock held.
 */
void parked_request_enter(struct parked_request *request, enum cl_gate_kind kind,
			  struct cl_range range);

/** Likewise, but always on daemon->continuations. */
void parked_request_enter_elsewhere(struct parked_request *request,
				    enum cl_gate_kind kind, struct cl_range range);

/** What a run function owes: leave the gate. One that may have a place in the
 * background (READ, a page written back) has been answered before, as the fence takes
 * it for answered from now on. */
void parked_request_leave(struct parked_request *request);

/** Likewise for one that has to leave before it is answered (RELEASE): the second is
 * owed when that has been done, and the request may be gone by then. */
void parked_request_leave_unanswered(struct parked_request *request);
void parked_request_answered(struct daemon *daemon);

#endif
