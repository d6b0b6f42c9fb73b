/* SPDX-License-Identifier: MIT */
/*
 * Bulk flush: sync_file_range(2) on our own mount.
 *
 * It takes no inode lock, so it works while the caller of a range operation holds that,
 * and it only starts the writeback: waiting for it would use up an error that
 * somebody's next fsync(2) must see, and the notification that follows waits anyway. On
 * the way there the kernel may want a directory's lock; so a thread of
 * daemon->own_calls goes, and the wait for it is bounded.
 */

#include "bulk_flush.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cachelayer/range_op.h"
#include "mount_path.h"
#include "timed_cond.h"
#include "worker_pool.h"

/* Milliseconds; on a slow machine so many steps of it, at most a second. */
#define WAIT_MS	   100
#define WAIT_STEPS 4

/* Shared by the waiter and the thread that does it; the last to leave frees it. */
struct bulk_flush {
	struct job job;
	struct mount_path path;
	struct cl_range range;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	unsigned refs;
	bool done;
};

static void put(struct bulk_flush *flush)
{
	bool last;

	pthread_mutex_lock(&flush->lock);
	last = --flush->refs == 0;
	pthread_mutex_unlock(&flush->lock);
	if (!last)
		return;
	inode_put(flush->path.inode, 1);
	pthread_cond_destroy(&flush->changed);
	pthread_mutex_destroy(&flush->lock);
	free(flush);
}

static void run(struct job *job)
{
	struct bulk_flush *flush = (struct bulk_flush *)job;
	const struct cl_range range = flush->range;
	const off_t len =
		range.end == CL_RANGE_EOF ? 0 : (off_t)(range.end - range.start);
	const int fd = mount_path_open(&flush->path);

	if (fd >= 0)
		/* Its failure is no error: see above. */
		(void)sync_file_range(fd, (off_t)range.start, len,
				      SYNC_FILE_RANGE_WRITE);
	pthread_mutex_lock(&flush->lock);
	flush->done = true;
	pthread_cond_signal(&flush->changed);
	pthread_mutex_unlock(&flush->lock);
	/* With --no-open that takes the inode's lock, so it waits for the operation. */
	if (fd >= 0)
		close(fd);
	put(flush);
}

static struct bulk_flush *create(struct inode *inode, struct cl_range range, pid_t pid)
{
	struct bulk_flush *flush = calloc(1, sizeof(*flush));

	if (!flush)
		return NULL;
	inode_get(inode);
	flush->job.run = run;
	flush->job.account = worker_pool_account();
	flush->path.inode = inode;
	flush->path.pid = pid;
	flush->range = range;
	flush->refs = 2;
	pthread_mutex_init(&flush->lock, NULL);
	timed_cond_init(&flush->changed);
	return flush;
}

static struct timespec deadline_of(const struct daemon *daemon)
{
	const uint64_t steps_ns = WAIT_STEPS * cl_cache_step_ns(daemon->cache);
	const uint64_t wait_ns = (uint64_t)WAIT_MS * 1000000;

	return deadline_after(steps_ns > wait_ns ? steps_ns : wait_ns);
}

void bulk_flush(struct inode *inode, struct cl_range range, pid_t pid)
{
	const struct timespec deadline = deadline_of(inode->daemon);
	struct bulk_flush *flush;
	int status = 0;

	assert(daemon_may_wait_for_kernel(inode->daemon));
	if (range.start > INT64_MAX)
		return;
	flush = create(inode, range, pid);
	if (!flush)
		return;
	worker_pool_submit(inode->daemon->own_calls, &flush->job);
	pthread_mutex_lock(&flush->lock);
	while (!flush->done && status == 0)
		status = pthread_cond_timedwait(&flush->changed, &flush->lock,
						&deadline);
	pthread_mutex_unlock(&flush->lock);
	put(flush);
}
