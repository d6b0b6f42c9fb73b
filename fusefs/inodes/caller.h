/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_CALLER_H
#define FUSEFS_CALLER_H

/*
 * What a caller may beside what his user and group id let him: a request carries those
 * two, /proc tells the rest.
 *
 * The thread that made a request waits in the kernel until it is answered, killed or
 * not. So its number in /proc is its own for as long, and its groups and capabilities
 * stay what they are: nothing here can be of somebody else, or of another time, and
 * nothing is remembered from one request to the next. The requests that nobody waits
 * for (readahead, pages written back, FORGET, RELEASE) are not to be looked up.
 */

#include <sys/types.h>

#include "daemon.h"

/* As many of anybody's groups as we look at: who has more has the first of them. */
#define CALLER_GROUPS_MAX 1024

struct caller {
	size_t group_count;
	gid_t groups[CALLER_GROUPS_MAX];
	uint64_t caps; /* effective; a bit for each */
};

/**
 * Whether /proc shows the processes of our own pid namespace. Where it does not,
 * numbers mean others, and nobody is looked up from then on. Once, before the first
 * request.
 */
bool caller_check_proc(void);

/**
 * Look a caller up. Capabilities count only if his user namespace maps users and groups
 * as ours does: those of another namespace are good for that one's files.
 * @param ret_caller  set if true is returned
 * @return whether he has groups or capabilities; false also if he cannot be seen: from
 *         another pid namespace, or with a /proc that hides him; or if he acts with
 *         other ids than /proc shows, as an overlayfs or nfsd does for its clients
 */
bool caller_look_up(fuse_req_t req, struct caller *ret_caller);

#endif
