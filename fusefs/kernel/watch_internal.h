/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_WATCH_INTERNAL_H
#define FUSEFS_WATCH_INTERNAL_H

/*
 * Between watch.c, which hears of changes, and watch_tell.c, which tells the kernel.
 */

#include <pthread.h>
#include <semaphore.h>
#include <sys/inotify.h>

#include "watch.h"
#include "worker_pool.h"

#define WATCH_BUFFER_BYTES 65536

struct watch {
	/* Set once. */
	struct daemon *daemon;
	int fd;	     /* of inotify; does not block */
	int stop_fd; /* an eventfd */
	pthread_t thread;

	struct watch_stats stats;
	_Atomic bool stopped;

	struct job job; /* reads events and tells the kernel */
	sem_t told;	/* posted when it has ended */
	/* The job's own. */
	uint64_t reads;
	struct cds_list_head retries; /* inodes that the kernel did not know yet, each
					 with a reference */
	_Alignas(struct inotify_event) char buffer[WATCH_BUFFER_BYTES];

	pthread_mutex_t lock;
	/* Guarded by lock. */
	struct cds_hlist_head *buckets; /* watched inodes, by watch descriptor */
	uint64_t full_until_ns;		/* the limit was reached: try again then */
	bool full_logged;
};

/** The inode of a watch descriptor, with a reference; or NULL if it is not watched by
 *  it any more. Locks taken: the watch's. */
struct inode *watch_find(struct watch *watch, int descriptor);

/** The store watches an inode no longer by itself (IN_IGNORED). */
void watch_ended(struct watch *watch, struct inode *inode, int descriptor);

/** Tell the kernel of all events that can be read. On a thread of
 *  daemon->notifications.
 *  @return whether something is left to be tried again soon */
bool watch_tell(struct watch *watch);

#endif
