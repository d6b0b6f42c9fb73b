/* SPDX-License-Identifier: MIT */
/*
 * Size adoption.
 *
 * The kernel takes a size from an answer with attributes: then it unmaps and truncates
 * properly. So we ask for the attributes ourselves, by way of our own mount. That may
 * wait for locks in the kernel which somebody holds who waits for us: hence a helper
 * thread does it, and the wait for the helper is bounded.
 *
 * The path is the source's, taken over to the mount point: what lies there is believed
 * only if device and inode number are ours. A file without a path is left to the next
 * fstat(2) of whoever has it open.
 */

#include "size_adoption.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "cachelayer/range_op.h"
#include "worker_pool.h"

#define WAIT_S		  1
/* After an answer with attributes has left us, the kernel still has to look at it. */
#define ANSWER_SETTLES_NS ((uint64_t)1000000000)
/* Anybody who changes the file meanwhile can make the kernel ignore one answer. */
#define ATTEMPTS	  8

/* ------------------------------------------------------------------- padding */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void adoption_begin(struct inode *inode, uint64_t old_size)
{
	pthread_mutex_lock(&inode->sample_lock);
	if (inode->padded_size < old_size)
		inode->padded_size = old_size;
	inode->padded_until_ns = 0;
	inode->shrinks++;
	pthread_mutex_unlock(&inode->sample_lock);
}

static unsigned count_shrinks(struct inode *inode)
{
	unsigned shrinks;

	pthread_mutex_lock(&inode->sample_lock);
	shrinks = inode->shrinks;
	pthread_mutex_unlock(&inode->sample_lock);
	return shrinks;
}

/* The kernel has adopted a size as new as this many shrinks. */
static void adoption_end(struct inode *inode, unsigned shrinks)
{
	pthread_mutex_lock(&inode->sample_lock);
	if (inode->shrinks == shrinks)
		inode->padded_size = 0;
	pthread_mutex_unlock(&inode->sample_lock);
}

void adoption_answered(struct inode *inode, const struct stat *attr)
{
	if (inode->padded_size == 0 || inode->padded_until_ns != 0)
		return;
	/* An answer that was made before the shrink tells the kernel nothing. */
	if ((uint64_t)attr->st_size > cl_mapping_size(inode->mapping))
		return;
	inode->padded_until_ns = now_ns() + ANSWER_SETTLES_NS;
	cl_size_told(inode->mapping);
}

size_t adoption_padded_len(struct inode *inode, uint64_t offset, size_t len,
			   size_t have, bool maybe_direct)
{
	const uint64_t end = inode->padded_size, until = inode->padded_until_ns;

	if (end <= offset + have || (until != 0 && (maybe_direct || now_ns() > until)))
		return have;
	return end - offset < len ? (size_t)(end - offset) : len;
}

/* ------------------------------------------------------------------ adopting */

/* Shared by the waiter and the helper; the last to leave frees it. */
struct adoption {
	struct job job;
	struct inode *inode; /* with a reference */
	pid_t pid;	     /* of somebody who has it open; 0: not known */
	int flags;	     /* of statx(2), for the path */
	char path[PATH_MAX];

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	unsigned refs;
	bool done;
	int status;
};

static void adoption_put(struct adoption *adoption)
{
	bool last;

	pthread_mutex_lock(&adoption->lock);
	last = --adoption->refs == 0;
	pthread_mutex_unlock(&adoption->lock);
	if (!last)
		return;
	inode_put(adoption->inode, 1);
	pthread_cond_destroy(&adoption->changed);
	pthread_mutex_destroy(&adoption->lock);
	free(adoption);
}

/* Where the mount shows the inode, if it has a name there. */
static int path_on_mount(struct adoption *adoption)
{
	struct inode *inode = adoption->inode;
	const struct options *options = &inode->daemon->options;
	size_t source_len = strlen(options->source);
	char name[16], target[PATH_MAX];
	ssize_t len;
	int n;

	snprintf(name, sizeof(name), "%d", inode->fd);
	len = readlinkat(inode->daemon->proc_fd_dir, name, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	if (strcmp(options->source, "/") == 0)
		source_len = 0;
	if (strncmp(target, options->source, source_len) != 0 ||
	    (target[source_len] != '/' && target[source_len] != '\0'))
		return -ENOENT;
	n = snprintf(adoption->path, sizeof(adoption->path), "%s%s",
		     options->mountpoint, target + source_len);
	adoption->flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
	return n < 0 || (size_t)n >= sizeof(adoption->path) ? -ENAMETOOLONG : 0;
}

static int stat_on_mount(struct adoption *adoption, int sync, uint64_t *ret_size)
{
	const dev_t dev = adoption->inode->daemon->own_dev;
	struct statx stx;
	struct stat attr;
	int status;

	if (statx(AT_FDCWD, adoption->path, adoption->flags | sync, STATX_BASIC_STATS,
		  &stx) < 0)
		return -errno;
	status = inode_stat(adoption->inode, &attr);
	if (status < 0)
		return status;
	if (makedev(stx.stx_dev_major, stx.stx_dev_minor) != dev ||
	    stx.stx_ino != attr.st_ino)
		return -ENOENT; /* something else lies there */
	*ret_size = stx.stx_size;
	return 0;
}

/*
 * A file without a name on the mount: whoever asked for the operation has it open, and
 * /proc leads to the open file itself, as fstat(2) would.
 */
static int path_of_descriptor(struct adoption *adoption)
{
	struct dirent *entry;
	uint64_t size;
	char dir[32];
	DIR *fds;

	if (adoption->pid <= 0)
		return -ENOENT;
	snprintf(dir, sizeof(dir), "/proc/%d/fd", (int)adoption->pid);
	fds = opendir(dir);
	if (!fds)
		return -errno;
	adoption->flags = AT_NO_AUTOMOUNT;
	while ((entry = readdir(fds))) {
		snprintf(adoption->path, sizeof(adoption->path), "%s/%s", dir,
			 entry->d_name);
		if (entry->d_name[0] != '.' &&
		    stat_on_mount(adoption, AT_STATX_DONT_SYNC, &size) == 0)
			break;
	}
	closedir(fds);
	return entry ? 0 : -ENOENT;
}

/*
 * Have the kernel ask, then look at what it keeps. Until both agree: it may have
 * thrown the answer away because a write was just under way.
 */
static int adopt_by_path(struct adoption *adoption)
{
	uint64_t asked, kept;
	int status;

	for (int i = 0; i < ATTEMPTS; i++) {
		status = stat_on_mount(adoption, AT_STATX_FORCE_SYNC, &asked);
		if (status == 0)
			status = stat_on_mount(adoption, AT_STATX_DONT_SYNC, &kept);
		if (status < 0 || asked == kept)
			return status;
	}
	return -ETIMEDOUT;
}

static int adopt(struct adoption *adoption)
{
	int status = path_on_mount(adoption);

	if (status == 0)
		status = adopt_by_path(adoption);
	if (status != -ENOENT)
		return status;
	status = path_of_descriptor(adoption);
	return status == 0 ? adopt_by_path(adoption) : status;
}

static void adopt_job(struct job *job)
{
	struct adoption *adoption = (struct adoption *)job;
	const int status = adopt(adoption);

	pthread_mutex_lock(&adoption->lock);
	adoption->status = status;
	adoption->done = true;
	pthread_cond_signal(&adoption->changed);
	pthread_mutex_unlock(&adoption->lock);
	adoption_put(adoption);
}

static int adoption_create(struct inode *inode, pid_t pid,
			   struct adoption **ret_adoption)
{
	struct adoption *adoption = calloc(1, sizeof(*adoption));
	pthread_condattr_t attr;

	if (!adoption)
		return -ENOMEM;
	adoption->pid = pid;
	adoption->job.run = adopt_job;
	inode_get(inode);
	adoption->inode = inode;
	adoption->refs = 2;
	pthread_mutex_init(&adoption->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&adoption->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret_adoption = adoption;
	return 0;
}

static int wait_for(struct adoption *adoption)
{
	struct timespec deadline;
	int status = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += WAIT_S;
	pthread_mutex_lock(&adoption->lock);
	while (!adoption->done && status == 0)
		status = -pthread_cond_timedwait(&adoption->changed, &adoption->lock,
						 &deadline);
	if (adoption->done)
		status = adoption->status;
	pthread_mutex_unlock(&adoption->lock);
	return status;
}

int adoption_run(struct inode *inode, pid_t pid)
{
	const unsigned shrinks = count_shrinks(inode);
	struct adoption *adoption;
	int status;

	assert(worker_pool_is_mine(inode->daemon->notifications));
	status = adoption_create(inode, pid, &adoption);
	if (status < 0)
		return status;
	worker_pool_submit(inode->daemon->own_calls, &adoption->job);
	status = wait_for(adoption);
	if (status == 0)
		adoption_end(inode, shrinks);
	adoption_put(adoption);
	return status;
}
