/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_DAEMON_H
#define FUSEFS_DAEMON_H

/*
 * What every part of the daemon may look at: one mount of one source directory.
 * Everything here is set before the first request is served and constant afterwards,
 * except where a field's own type is made for threads.
 */

#include "cachelayer/cache.h"
#include "libfuse_compat.h"
#include "range_stats.h"

struct fd_pressure;
struct inode_table;
struct serving;
struct shut_files;
struct store_probe;
struct waiting_reads;
struct watch;
struct worker_pool;

struct options {
	char *source;	  /* absolute path */
	char *mountpoint; /* absolute path */
	size_t cache_size_bytes;
	bool cache_size_given; /* by the user */
	bool writeback;
	unsigned writeback_age_s;
	unsigned threads;
	bool verify;
	bool foreground;
	bool debug;
	bool read_only;
	bool no_open;	   /* the kernel is to send no OPEN; not with writeback */
	bool always_fence; /* also where the kernel does without */
	bool noatime;
	bool nodiratime;
	bool nonempty;	     /* mount over a directory that is not empty */
	bool allow_other;    /* allow_other or allow_root */
	unsigned watchdog_s; /* what a range operation may take before it is reported */
	unsigned abort_stuck_s; /* how long the kernel may hold us up; 0: for ever */
	double attr_timeout_s;
	double entry_timeout_s;
	double watch_s;	    /* 0: without --watch */
	int log_level;	    /* LOG_ERR … LOG_DEBUG of <syslog.h> */
	char *fuse_options; /* what libfuse is to look at, as after -o; or NULL */
	bool check;	    /* not a mount, but whether one would be right */
	bool remount;	    /* not a mount, but new flags for one */
	unsigned long mount_flags; /* MS_… of <sys/mount.h>, as asked for */
};

/** Most calls on our own mount of one range operation at once: two attempts to have a size
 *  adopted, and a bulk flush that may not have come back. */
#define OWN_CALLS_EACH 3

struct daemon {
	struct options options;
	struct fuse_session *session;
	struct serving *serving; /* its threads */
	struct cl_cache *cache;
	struct inode_table *inodes;
	int source_fd;	  /* O_PATH of the source directory */
	dev_t source_dev; /* and its device */
	dev_t own_dev;	  /* of the mount: where it shows up in the source, we stop */
	int proc_fd_dir;  /* O_PATH of /proc/self/fd: reopens O_PATH descriptors */
	bool privileged;  /* we run as root: requests take their caller's identity */
	size_t max_request_bytes; /* most in one READ or WRITE */
	/* Most requests under way that pin pages: in serving's threads, and as many in
	 * the continuations'. Half of the cache is beyond their reach (I8). */
	unsigned data_requests_max;
	struct fd_pressure *fd_pressure;
	/*
	 * Continuations of requests that were parked: answers from the page cache,
	 * exclusive work. A job here may wait for the store, for page locks and for
	 * nothing else; above all for no notification, save that an append's answer
	 * waits 5 ms for one (append.c).
	 */
	struct worker_pool *continuations;
	/*
	 * Work that waits for the kernel: what drops pages there. No request waits for
	 * a thread of these pools: jobs are data. Range operations have one of their
	 * own, since they take long.
	 */
	struct worker_pool *range_operations, *notifications;
	/* Notifications of names (name_teller.h). */
	struct worker_pool *names;
	_Atomic unsigned names_pending;
	/* System calls on our own mount, for which those wait a bounded time. */
	struct worker_pool *own_calls;
	struct store_probe *store_probe; /* what SOURCE's file systems can do */
	struct shut_files *shut_files;	 /* what recovery could not mend; or NULL */
	struct watch *watch;		 /* NULL without --watch */
	struct range_stats range_stats;
	bool splices;		  /* answers can be spliced; set once, by INIT */
	bool kernel_leaves_setid; /* HANDLE_KILLPRIV_V2; likewise */
	bool needs_fence;	  /* temporary_copies.h; likewise */
	bool readahead_races;	  /* store_readahead.h; likewise */
	int connection_dir_fd;	  /* connection_file.h; -1: none */
	/* Requests that are kept as data, not answered, while no thread has them. Whoever
	 * keeps one counts it here: the fence relies on it. */
	_Atomic uint64_t parked_requests;
	_Atomic uint64_t queued_requests; /* and those that serving keeps, likewise */
	struct waiting_reads *waiting_reads; /* parked ones */
	_Atomic uint64_t bypassed_bytes;
	_Atomic uint64_t store_writes; /* calls that have come back */
};

/** Whether the calling thread may wait for the kernel: one of those two pools'. For
 *  assertions. */
bool daemon_may_wait_for_kernel(const struct daemon *daemon);

/** The daemon that serves a request. */
static inline struct daemon *daemon_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

#endif
