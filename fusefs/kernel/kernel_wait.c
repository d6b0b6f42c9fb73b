/* SPDX-License-Identifier: MIT */
/*
 * See kernel_wait.h.
 *
 * Looks are counted, and not time: on a machine that stands still, or has no processor for
 * us, they stand still, too.
 */

#include "kernel_wait.h"

#include <errno.h>
#include <pthread.h>

#include "log.h"
#include "timed_cond.h"

/* So many of them are what the user has allowed. */
#define LOOKS 10

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stopped_cond;
static pthread_t watcher;
static bool watching;
/* Set once. */
static void (*cut)(struct daemon *daemon);
/* Guarded by lock. */
static CDS_LIST_HEAD(waits);
static bool stopping, aborted;

void kernel_wait_begin(struct kernel_wait *wait, fuse_ino_t nodeid, const char *what)
{
	wait->nodeid = nodeid;
	wait->what = what;
	wait->looks = 0;
	pthread_mutex_lock(&lock);
	cds_list_add_tail(&wait->node, &waits);
	pthread_mutex_unlock(&lock);
}

void kernel_wait_end(struct kernel_wait *wait)
{
	pthread_mutex_lock(&lock);
	cds_list_del(&wait->node);
	pthread_mutex_unlock(&lock);
}

/* @return one that has been seen too often, or NULL. Required: lock. */
static const struct kernel_wait *look(void)
{
	const struct kernel_wait *stuck = NULL;
	struct kernel_wait *wait;

	cds_list_for_each_entry(wait, &waits, node)
		if (++wait->looks > LOOKS && !stuck)
			stuck = wait;
	return stuck;
}

/* Required: lock. */
static void abort_for(struct daemon *daemon, const struct kernel_wait *stuck)
{
	aborted = true;
	log_msg(LOG_CRIT,
		"%s: the kernel has not come back from %s of inode %llu for %u s: "
		"somebody holds there what it needs. The connection is cut "
		"(--abort-stuck): programs get errors, and what they have stored through "
		"mappings since it was written last is lost",
		daemon->options.mountpoint, stuck->what,
		(unsigned long long)stuck->nodeid, daemon->options.abort_stuck_s);
}

/* Until it is told to stop, or for so long. Required: lock. */
static void doze(uint64_t ns)
{
	const struct timespec deadline = deadline_after(ns);
	int status = 0;

	while (!stopping && status == 0)
		status = pthread_cond_timedwait(&stopped_cond, &lock, &deadline);
}

static void *watch(void *arg)
{
	struct daemon *daemon = arg;
	const uint64_t look_ns =
		(uint64_t)daemon->options.abort_stuck_s * 1000000000 / LOOKS;
	const struct kernel_wait *stuck = NULL;

	pthread_mutex_lock(&lock);
	while (!stopping && !stuck) {
		doze(look_ns);
		stuck = look();
	}
	if (stuck && !stopping)
		abort_for(daemon, stuck);
	pthread_mutex_unlock(&lock);
	if (aborted)
		cut(daemon);
	return NULL;
}

int kernel_wait_watch(struct daemon *daemon, void (*cut_connection)(struct daemon *))
{
	int error;

	if (daemon->options.abort_stuck_s == 0)
		return 0;
	cut = cut_connection;
	timed_cond_init(&stopped_cond);
	error = pthread_create(&watcher, NULL, watch, daemon);
	watching = error == 0;
	return -error;
}

bool kernel_wait_stop(void)
{
	if (!watching)
		return false;
	pthread_mutex_lock(&lock);
	stopping = true;
	pthread_cond_signal(&stopped_cond);
	pthread_mutex_unlock(&lock);
	pthread_join(watcher, NULL);
	watching = false;
	return aborted;
}
