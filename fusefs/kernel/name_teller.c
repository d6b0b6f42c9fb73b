/* SPDX-License-Identifier: MIT */
/*
 * Name teller: a job for each name, on the account of its directory. So a directory
 * that somebody holds has its share of the threads at most, and its other names wait as
 * data.
 */

#include "name_teller.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <urcu/compiler.h>

#include "kernel_wait.h"
#include "worker_pool.h"

/* Names that wait: some MiB. */
#define PENDING_MAX 65536
/* How long nothing may be told before it counts as held up: looks, and for each. */
#define LOOKS_MAX   10
#define LOOK_US	    2000

struct telling {
	struct job job;
	struct daemon *daemon;
	fuse_ino_t nodeid;
	bool listing;
	char name[];
};

static void run(struct job *job)
{
	struct telling *telling = caa_container_of(job, struct telling, job);
	struct daemon *daemon = telling->daemon;
	struct kernel_wait wait;

	kernel_wait_begin(&wait, telling->nodeid, "a notification of names");
	/* What the kernel does not know, all the better. Length 0 is all of it. */
	if (telling->listing)
		fuse_lowlevel_notify_inval_inode(daemon->session, telling->nodeid, 0,
						 0);
	else
		fuse_lowlevel_notify_inval_entry(daemon->session, telling->nodeid,
						 telling->name, strlen(telling->name));
	kernel_wait_end(&wait);
	free(telling);
	atomic_fetch_sub(&daemon->names_pending, 1);
}

static void submit(struct daemon *daemon, fuse_ino_t nodeid, const char *name)
{
	const size_t bytes = name ? strlen(name) + 1 : 0;
	struct telling *telling = NULL;

	if (atomic_fetch_add(&daemon->names_pending, 1) < PENDING_MAX)
		telling = malloc(sizeof(*telling) + bytes);
	if (!telling) {
		atomic_fetch_sub(&daemon->names_pending, 1);
		return;
	}
	*telling = (struct telling){.job = {.run = run, .account = (uint32_t)nodeid},
				    .daemon = daemon,
				    .nodeid = nodeid,
				    .listing = !name};
	if (name)
		memcpy(telling->name, name, bytes);
	worker_pool_submit(daemon->names, &telling->job);
}

void name_teller_forget(struct daemon *daemon, fuse_ino_t parent, const char *name)
{
	submit(daemon, parent, name);
}

void name_teller_forget_listing(struct daemon *daemon, fuse_ino_t directory)
{
	submit(daemon, directory, NULL);
}

void name_teller_settle(struct daemon *daemon)
{
	unsigned before = UINT32_MAX, looks = 0, pending;

	while ((pending = atomic_load(&daemon->names_pending)) > 0 &&
	       looks < LOOKS_MAX) {
		looks = pending < before ? 0 : looks + 1;
		before = pending;
		usleep(LOOK_US);
	}
}
