/* SPDX-License-Identifier: MIT */
/*
 * Parked requests: what cannot have the gate now goes on when it can.
 *
 * The gate grants on whatever thread made room; that thread has its own work, so the
 * request goes on in the continuations pool.
 */

#include "parked_request.h"

#include <urcu/compiler.h>

#include "account.h"
#include "background_places.h"
#include "serving.h"

static void run(struct parked_request *request)
{
	if (request->refuse)
		waiting_reads_remove(request->inode->daemon->waiting_reads,
				     &request->read);
	request->run(request);
}

static void run_job(struct job *job)
{
	run(caa_container_of(job, struct parked_request, job));
}

static void granted(struct cl_gate_entry *entry)
{
	struct parked_request *request =
		caa_container_of(entry, struct parked_request, entry);

	worker_pool_submit(request->inode->daemon->continuations, &request->job);
}

static bool take_back(struct waiting_read *read)
{
	struct parked_request *request =
		caa_container_of(read, struct parked_request, read);

	return cl_gate_withdraw(request->inode->mapping, &request->entry);
}

/* Others of the same user may have to go for it. */
static void count_read(struct parked_request *request)
{
	struct daemon *daemon = request->inode->daemon;
	struct waiting_read *read, *next;
	struct cds_list_head refused;

	CDS_INIT_LIST_HEAD(&refused);
	request->read = (struct waiting_read){
		.thread = (uint32_t)fuse_req_ctx(request->req)->pid,
		.account = request->job.account,
		.taken = serving_request_taken(),
		.known = serving_taken_by_now(daemon->serving),
		.take_back = take_back,
	};
	waiting_reads_add(daemon->waiting_reads, &request->read, &refused);
	cds_list_for_each_entry_safe(read, next, &refused, node) {
		struct parked_request *other =
			caa_container_of(read, struct parked_request, read);

		other->refuse(other);
		background_places_waits(daemon, -1);
	}
}

/* @return whether it was granted at once; if not, it may already be answered and freed
 */
static bool enter(struct parked_request *request, enum cl_gate_kind kind,
		  struct cl_range range)
{
	background_places_waits(request->inode->daemon, 1);
	request->job.run = run_job;
	request->job.account = account_of(request->req, request->inode);
	request->entry = (struct cl_gate_entry){
		.range = range,
		.kind = kind,
		.caches = request->caches,
		.cached = request->cached,
		.maybe_direct = request->maybe_direct,
		.writes_back = request->writes_back,
		.granted = granted,
	};
	if (request->refuse)
		count_read(request);
	const bool granted_now =
		cl_gate_enter(request->inode->mapping, &request->entry);

	serving_request_known();
	return granted_now;
}

void parked_request_enter(struct parked_request *request, enum cl_gate_kind kind,
			  struct cl_range range)
{
	if (enter(request, kind, range))
		run(request);
}

void parked_request_enter_elsewhere(struct parked_request *request,
				    enum cl_gate_kind kind, struct cl_range range)
{
	if (enter(request, kind, range))
		granted(&request->entry);
}

void parked_request_leave_unanswered(struct parked_request *request)
{
	cl_gate_leave(request->inode->mapping, &request->entry);
}

void parked_request_answered(struct daemon *daemon)
{
	background_places_waits(daemon, -1);
}

void parked_request_leave(struct parked_request *request)
{
	struct daemon *daemon = request->inode->daemon;

	parked_request_leave_unanswered(request);
	parked_request_answered(daemon);
}
