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
#include "serving.h"

static void run_job(struct job *job)
{
	struct parked_request *request =
		caa_container_of(job, struct parked_request, job);

	request->run(request);
}

static void granted(struct cl_gate_entry *entry)
{
	struct parked_request *request =
		caa_container_of(entry, struct parked_request, entry);

	worker_pool_submit(request->inode->daemon->continuations, &request->job);
}

/* @return whether it was granted at once; if not, it may already be answered and freed
 */
static bool enter(struct parked_request *request, enum cl_gate_kind kind,
		  struct cl_range range)
{
	atomic_fetch_add(&request->inode->daemon->parked_requests, 1);
	request->job.run = run_job;
	request->job.account = account_of(request->req, request->inode);
	request->entry = (struct cl_gate_entry){
		.range = range,
		.kind = kind,
		.caches = request->caches,
		.caches_end = request->caches_end,
		.maybe_direct = request->maybe_direct,
		.writes_back = request->writes_back,
		.granted = granted,
	};
	const bool granted_now =
		cl_gate_enter(request->inode->mapping, &request->entry);

	serving_request_known();
	return granted_now;
}

void parked_request_enter(struct parked_request *request, enum cl_gate_kind kind,
			  struct cl_range range)
{
	if (enter(request, kind, range))
		request->run(request);
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
	atomic_fetch_sub(&daemon->parked_requests, 1);
}

void parked_request_leave(struct parked_request *request)
{
	struct daemon *daemon = request->inode->daemon;

	parked_request_leave_unanswered(request);
	parked_request_answered(daemon);
}
