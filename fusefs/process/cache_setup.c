/* SPDX-License-Identifier: MIT */
/*
 * Cache set-up: sizes that fit each other, and what the cache has to tell.
 *
 * Each request under way pins the pages it works on. Half of the cache stays beyond
 * their reach, so a small cache and many threads make for small requests.
 */

#include "cache_setup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inode_log.h"
#include "inode_table.h"
#include "log.h"
#include "memory_limit.h"
#include "revalidate.h"

/* What the kernel asks for at most. With its header it has to fit into a pipe that users
 * may have, see request_pipe.h; larger ones are not faster (measured). */
#define REQUEST_BYTES_MAX ((size_t)512 << 10)
/* With less, sequential reading would be slow: say so rather than let it be. */
#define REQUEST_BYTES_MIN ((size_t)64 << 10)

#define FAILURE_TOLD_NS (60ull * 1000 * 1000 * 1000)

static _Atomic bool has_lost_data;

/* More of them held up at once than this, and there is more wrong than one store. */
#define DATA_REQUESTS_MAX 256

/* Of those that pin pages, in the two kinds of threads (daemon.h), and what runs beside
 * them. */
static unsigned max_requests(unsigned data_requests)
{
	return 2 * data_requests + 2;
}

/* As many as fit, for some to be held up while others go on. At least --threads. */
static unsigned choose_data_requests(const struct daemon *daemon, size_t bytes)
{
	unsigned n = DATA_REQUESTS_MAX;

	while (n > daemon->options.threads &&
	       cl_cache_max_request(daemon->options.cache_size_bytes, max_requests(n)) <
		       bytes)
		n--;
	return n > daemon->options.threads ? n : daemon->options.threads;
}

/*
 * The kernel ends a process of a memory control group that is full, and rather one than
 * refuses it memory. Beside the cache there are inodes, buffers of threads and requests
 * that wait.
 */
static void fit_into_control_group(struct options *options)
{
	const uint64_t limit = memory_limit_bytes();
	const uint64_t half =
		limit / 2 < CL_CACHE_SIZE_MIN ? CL_CACHE_SIZE_MIN : limit / 2;

	if (options->cache_size_bytes <= half)
		return;
	if (options->cache_size_given) {
		log_msg(LOG_WARNING,
			"--cache-size=%zuM is more than half of the %" PRIu64
			"M that our memory control group allows: when that is full, the "
			"kernel ends the daemon. Give less, or raise its limit",
			options->cache_size_bytes >> 20, limit >> 20);
		return;
	}
	options->cache_size_bytes = (size_t)half;
	log_msg(LOG_NOTICE,
		"the cache has %zuM, half of what our memory control group allows; "
		"--cache-size says otherwise",
		options->cache_size_bytes >> 20);
}

int cache_choose_request_size(struct daemon *daemon)
{
	fit_into_control_group(&daemon->options);

	const struct options *options = &daemon->options;
	const unsigned requests = max_requests(options->threads);
	size_t bytes = cl_cache_max_request(options->cache_size_bytes, requests);
	size_t least;

	if (bytes > REQUEST_BYTES_MAX)
		bytes = REQUEST_BYTES_MAX;
	if (bytes < REQUEST_BYTES_MIN) {
		least = 2 * requests * (REQUEST_BYTES_MIN + 2 * CL_PAGE_SIZE);
		log_msg(LOG_ERR,
			"--cache-size=%zuK is too small for --threads=%u: give at least "
			"--cache-size=%zuK, or fewer threads",
			options->cache_size_bytes >> 10, options->threads,
			(least + 1023) >> 10);
		return -EINVAL;
	}
	daemon->max_request_bytes = bytes;
	daemon->data_requests_max = choose_data_requests(daemon, bytes);
	return 0;
}

/* Each is told once; user.foldfs.stats of the mount says whether it still goes on. */
static void report_slow(struct inode *inode, const struct cl_event *event)
{
	char pages[64];

	if (event->npages == UINT64_MAX)
		snprintf(pages, sizeof(pages), "from page %llu on",
			 (unsigned long long)event->page);
	else
		snprintf(pages, sizeof(pages), "pages %llu to %llu",
			 (unsigned long long)event->page,
			 (unsigned long long)(event->page + event->npages - 1));
	log_inode(LOG_WARNING, inode, "%s, %s, takes %.1f s already; it is at: %s",
		  event->kind == CL_EVENT_SLOW_OPERATION
			  ? "a range operation"
			  : "the kernel's answer to a notification",
		  pages, (double)event->age_ns / 1e9, event->phase);
}

/* What cannot be written is tried again every few seconds, in pieces. One line for each
 * file and minute says enough. */
static bool failure_is_news(struct inode *inode)
{
	const uint64_t now = inode_clock_ns();
	uint64_t told = atomic_load(&inode->failure_told);

	return (told == 0 || now - told >= FAILURE_TOLD_NS) &&
	       atomic_compare_exchange_strong(&inode->failure_told, &told, now);
}

static void on_event(void *arg, const struct cl_event *event)
{
	struct inode *inode = event->store;
	const unsigned long long page = event->page, npages = event->npages;
	const char *error = strerror(-event->error);

	(void)arg;
	switch (event->kind) {
	case CL_EVENT_HASH_MISMATCH:
		log_inode(
			LOG_ERR, inode,
			"page %llu has changed in memory since it was read: not used. "
			"Check this machine's memory",
			page);
		break;
	case CL_EVENT_WRITEBACK_FAILED:
		if (failure_is_news(inode))
			log_inode(
				LOG_ERR, inode,
				"cannot write %llu pages from page %llu: %s; they are "
				"kept, and tried again (said once a minute)",
				npages, page, error);
		break;
	case CL_EVENT_DATA_LOST:
		atomic_store(&has_lost_data, true);
		log_inode(LOG_CRIT, inode,
			  "%llu pages were never written and are lost: %s", npages,
			  error);
		break;
	case CL_EVENT_SHORT_STORE:
		log_inode(LOG_INFO, inode, "shorter in the store than it was");
		revalidate_soon(inode);
		break;
	case CL_EVENT_STALE_PAGE:
		log_inode(LOG_ERR, inode,
			  "the kernel kept page %llu, which it was told to drop; it is "
			  "told again. Report this, with the kernel's version",
			  page);
		break;
	case CL_EVENT_SLOW_OPERATION:
	case CL_EVENT_SLOW_NOTIFICATION:
		report_slow(inode, event);
		break;
	}
}

int cache_setup(struct daemon *daemon)
{
	const struct options *options = &daemon->options;
	const struct cl_cache_config config = {
		.size_bytes = options->cache_size_bytes,
		.max_request_bytes = daemon->max_request_bytes,
		.max_requests = max_requests(daemon->data_requests_max),
		.verify = options->verify,
		.writeback = options->writeback,
		.writeback_age_ms = options->writeback_age_s * 1000,
		.slow_ms = options->watchdog_s * 1000,
		.page_lock_unfairness = CL_PAGE_LOCK_UNFAIRNESS,
		.on_event = on_event,
	};
	const int status = cl_cache_create(&config, &daemon->cache);

	if (status == -EAGAIN)
		log_no_threads(status);
	else if (status < 0)
		log_msg(LOG_ERR,
			"cannot make a cache of %zuM: %s; try a smaller "
			"--cache-size",
			options->cache_size_bytes >> 20, strerror(-status));
	return status;
}

bool cache_has_lost_data(void)
{
	return atomic_load(&has_lost_data);
}
