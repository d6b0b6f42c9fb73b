/* SPDX-License-Identifier: MIT */
/*
 * foldfs: serve a directory through a page cache of our own.
 *
 * Everything is made in the order in which it needs each other, and unmade in the
 * opposite one; no part starts another by itself.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "background.h"
#include "cache_setup.h"
#include "daemon.h"
#include "fd_pressure.h"
#include "fd_relief.h"
#include "inode_life.h"
#include "inode_table.h"
#include "kernel_wait.h"
#include "log.h"
#include "options.h"
#include "privileges.h"
#include "recovery.h"
#include "remount.h"
#include "removed_behind.h"
#include "self_check.h"
#include "session.h"
#include "shutdown.h"
#include "standing_open.h"
#include "startup.h"
#include "watch.h"
#include "worker_pool.h"

#define EXIT_USAGE	     2
/* So many things may wait for the kernel at once. A thread each, since one may wait for
 * what another one has to do first; and so many of one user. */
#define KERNEL_THREADS	     256
#define KERNEL_THREADS_SHARE 16
/* Notifications of names at once, and of names in one directory: those wait for each
 * other there, but with two there are more turns for us. */
#define NAME_THREADS	     128
#define NAME_THREADS_SHARE   2
/* Of those that may be held up by the store, each has a quarter. */
#define STORE_SHARES	     4

static void log_from_libfuse(enum fuse_log_level level, const char *format,
			     va_list args)
{
	char line[1024];
	size_t len;

	vsnprintf(line, sizeof(line), format, args);
	len = strlen(line);
	if (len > 0 && line[len - 1] == '\n')
		line[len - 1] = '\0';
	/* The same numbers as of syslog. */
	log_kind((int)level, "libfuse", "%s", line);
}

static int start_pool(const char *name, unsigned threads, unsigned active,
		      unsigned share, struct worker_pool **ret_pool)
{
	return worker_pool_create(&(struct worker_pool_config){.name = name,
							       .threads_max = threads,
							       .active_max = active,
							       .account_max = share},
				  ret_pool);
}

static int start_pools(struct daemon *daemon)
{
	const unsigned data = daemon->data_requests_max;
	const unsigned data_share = data / STORE_SHARES;
	int status;

	status = start_pool("continue", data, daemon->options.threads,
			    data_share > 0 ? data_share : 1, &daemon->continuations);
	if (status == 0)
		status = start_pool("range", KERNEL_THREADS, KERNEL_THREADS,
				    KERNEL_THREADS_SHARE, &daemon->range_operations);
	if (status == 0)
		status = start_pool("notify", KERNEL_THREADS, KERNEL_THREADS,
				    KERNEL_THREADS_SHARE, &daemon->notifications);
	if (status == 0)
		status = start_pool("names", NAME_THREADS, NAME_THREADS,
				    NAME_THREADS_SHARE, &daemon->names);
	if (status == 0)
		status = start_pool("own-calls", OWN_CALLS_EACH * KERNEL_THREADS,
				    OWN_CALLS_EACH * KERNEL_THREADS,
				    OWN_CALLS_EACH * KERNEL_THREADS_SHARE,
				    &daemon->own_calls);
	if (status < 0)
		log_no_threads(status);
	return status;
}

static int make_inode_table(struct daemon *daemon)
{
	const int status =
		inode_table_create(daemon, &inode_life_hooks, &daemon->inodes);

	if (status < 0)
		log_msg(LOG_ERR, "SOURCE %s: %s", daemon->options.source,
			strerror(-status));
	return status;
}

/* Everything up to the first request. */
static int set_up(struct daemon *daemon)
{
	int status;

	shutdown_block_signals();
	status = startup_check(daemon);
	if (status == 0)
		status = cache_choose_request_size(daemon);
	if (status == 0)
		status = fd_pressure_create(daemon, &fd_relief, &daemon->fd_pressure);
	if (status == 0)
		status = recovery_run(daemon);
	if (status == 0)
		status = session_create(daemon);
	if (status == 0)
		status = session_mount(daemon);
	if (status < 0)
		return status;
	privileges_reduce();
	status = cache_setup(daemon);
	if (status == 0)
		status = start_pools(daemon);
	if (status == 0)
		status = make_inode_table(daemon);
	if (status == 0)
		status = watch_create(daemon, &daemon->watch);
	if (status == 0)
		status = standing_open_start(daemon);
	if (status == 0)
		status = removed_behind_start(daemon);
	return status;
}

static int serve(struct daemon *daemon)
{
	int status, left;
	bool aborted;

	status = shutdown_watch(daemon);
	if (status == 0)
		status = kernel_wait_watch(daemon, shutdown_cut);
	if (status == 0)
		status = session_run(daemon);
	aborted = kernel_wait_stop();
	if (status < 0)
		log_msg(LOG_ERR, "%s: %s", daemon->options.mountpoint,
			strerror(-status));
	left = shutdown_finish(daemon);
	if (status == 0 && aborted)
		status = -ETIMEDOUT; /* which has been said */
	return status < 0 ? status : left;
}

/* @return how many jobs have been submitted so far */
static uint64_t drain_pools(struct daemon *daemon)
{
	return worker_pool_drain(daemon->range_operations) +
	       worker_pool_drain(daemon->notifications) +
	       worker_pool_drain(daemon->names) + worker_pool_drain(daemon->own_calls) +
	       worker_pool_drain(daemon->continuations);
}

/* No request comes any more. But jobs of each pool submit to the others; and a request that
 * is parked, behind the cache's flusher, say, becomes a job when it has the gate. */
static void drain(struct daemon *daemon)
{
	const struct timespec moment = {.tv_nsec = 1000000};
	uint64_t before, after = 0;
	bool parked;

	do {
		parked = atomic_load(&daemon->parked_requests) > 0;
		if (parked)
			nanosleep(&moment, NULL);
		before = after;
		after = drain_pools(daemon);
	} while (parked || after != before);
}

/* Who supervises the end does not look at one that is going. */
static void free_cache(struct daemon *daemon)
{
	struct cl_cache *cache = daemon->cache;

	daemon->cache = NULL;
	cl_cache_free(cache);
}

static void tear_down(struct daemon *daemon)
{
	removed_behind_stop();
	watch_stop(daemon->watch);
	standing_open_stop();
	drain(daemon);
	worker_pool_free(daemon->range_operations);
	worker_pool_free(daemon->notifications);
	worker_pool_free(daemon->names);
	worker_pool_free(daemon->own_calls);
	worker_pool_free(daemon->continuations);
	inode_table_free(daemon->inodes);
	watch_free(daemon->watch);
	free_cache(daemon);
	recovery_fini(daemon);
	session_free(daemon);
	fd_pressure_free(daemon->fd_pressure);
	startup_fini(daemon);
}

static int run(const struct options *options)
{
	struct daemon daemon = {.options = *options,
				.source_fd = -1,
				.proc_fd_dir = -1,
				.connection_dir_fd = -1};
	int status;

	status = background_start(options->foreground);
	if (status < 0) {
		log_msg(LOG_ERR, "cannot go to the background: %s", strerror(-status));
		return status;
	}
	status = set_up(&daemon);
	if (status == 0)
		status = serve(&daemon);
	tear_down(&daemon);
	shutdown_done();
	log_tell_held(true);
	if (status == 0 && cache_has_lost_data())
		status = -EIO;
	options_fini(&daemon.options);
	return status;
}

int main(int argc, char *argv[])
{
	struct options options;
	int status;

	switch (options_parse(argc, argv, &options)) {
	case OPTIONS_DONE:
		options_fini(&options);
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		options_fini(&options);
		return EXIT_USAGE;
	case OPTIONS_RUN:
		break;
	}
	log_setup(options.log_level, false);
	fuse_set_log_func(log_from_libfuse);
	if (options.check) {
		status = self_check(&options) ? 0 : -ENOTSUP;
		options_fini(&options);
	} else if (options.remount) {
		status = remount(&options);
		options_fini(&options);
	} else {
		status = run(&options);
	}
	return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
