/* SPDX-License-Identifier: MIT */
/*
 * Watch: which inodes are watched, and the thread that hears of events.
 *
 * Each inode has a watch of its own, directories and files alike: a directory's alone
 * would not tell of a file that is changed through another name. An inode gets it when
 * it is looked at for the second time, so what is read once costs nothing; and loses it
 * when the kernel forgets it.
 *
 * The thread waits a moment after the first event, for more to come, and has a job on
 * the notifications' pool do the rest, because that waits for the kernel. Nobody waits
 * for either.
 */

#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <urcu/compiler.h>

#include "account.h"
#include "kernel_compat.h"
#include "log.h"
#include "store_stat.h"
#include "watch_internal.h"

#define BUCKETS	  65536 /* a power of two */
/* From the first event until they are read. */
#define GATHER_US 1000
#define RETRY_MS  5
/* When the limit was reached, until the next try. */
#define FULL_NS	  UINT64_C(1000000000)

/* Whatever moves a time or the size, save for what atime alone tells; and the end of a
 * writer, who may have stored through a mapping, which nothing else tells of. */
#define FILE_EVENTS (IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVE_SELF)
#define DIR_EVENTS                                                                     \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_MOVE_SELF)

/* ------------------------------------------------------- by watch descriptor */

static struct cds_hlist_head *bucket_of(struct watch *watch, int descriptor)
{
	return &watch->buckets[(unsigned)descriptor & (BUCKETS - 1)];
}

struct inode *watch_find(struct watch *watch, int descriptor)
{
	struct inode *inode, *found = NULL;

	pthread_mutex_lock(&watch->lock);
	cds_hlist_for_each_entry_2(inode, bucket_of(watch, descriptor), watch_node) {
		if (inode->watched == descriptor && inode_get_unless_zero(inode)) {
			found = inode;
			break;
		}
	}
	pthread_mutex_unlock(&watch->lock);
	return found;
}

/* Required: lock, watched. */
static void take_out(struct watch *watch, struct inode *inode)
{
	cds_hlist_del(&inode->watch_node);
	atomic_store(&inode->watched, 0);
	atomic_fetch_sub(&watch->stats.watches, 1);
}

void watch_ended(struct watch *watch, struct inode *inode, int descriptor)
{
	pthread_mutex_lock(&watch->lock);
	if (inode->watched == descriptor)
		take_out(watch, inode);
	pthread_mutex_unlock(&watch->lock);
}

/* ----------------------------------------------------------- to watch, and not */

/* Required: lock. */
static void refused(struct watch *watch, struct inode *inode, int error)
{
	atomic_fetch_add(&watch->stats.refused, 1);
	if (error != ENOSPC && error != ENOMEM) {
		atomic_store(&inode->watched, -1); /* never, for this inode */
		return;
	}
	watch->full_until_ns = inode_clock_ns() + FULL_NS;
	if (watch->full_logged)
		return;
	watch->full_logged = true;
	log_msg(LOG_WARNING,
		"%llu inodes are watched, and the system allows no more: others are "
		"kept for --attr-timeout and --entry-timeout. Raise "
		"fs.inotify.max_user_watches with sysctl",
		(unsigned long long)atomic_load(&watch->stats.watches));
}

/* Required: lock. */
static bool add(struct watch *watch, struct inode *inode)
{
	int descriptor;

	if (inode_clock_ns() < watch->full_until_ns)
		return false;
	/* Under the lock, so that no event comes before the descriptor is known. */
	descriptor = inotify_add_watch(watch->fd, fd_path(inode->fd).text,
				       S_ISDIR(inode->type) ? DIR_EVENTS : FILE_EVENTS);
	if (descriptor < 0) {
		refused(watch, inode, errno);
		return false;
	}
	cds_hlist_add_head(&inode->watch_node, bucket_of(watch, descriptor));
	atomic_store(&inode->watched, descriptor);
	atomic_fetch_add(&watch->stats.watches, 1);
	return true;
}

static bool may_be_watched(const struct inode *inode)
{
	const struct watch *watch = inode->daemon->watch;

	/* On other file systems below the source nobody has looked what they tell. */
	return watch && !atomic_load(&watch->stopped) &&
	       inode->dev == inode->daemon->source_dev &&
	       (S_ISREG(inode->type) || S_ISDIR(inode->type) || S_ISLNK(inode->type)) &&
	       atomic_load(&inode->writers) == 0;
}

bool watch_has(const struct inode *inode)
{
	return atomic_load(&inode->watched) > 0;
}

bool watch_inode(struct inode *inode)
{
	struct watch *watch = inode->daemon->watch;
	bool watched;

	if (atomic_load(&inode->watched) != 0 || !may_be_watched(inode))
		return watch_has(inode);
	pthread_mutex_lock(&watch->lock);
	watched = inode->watched == 0 ? add(watch, inode) : watch_has(inode);
	pthread_mutex_unlock(&watch->lock);
	return watched;
}

bool watch_drop(struct inode *inode)
{
	struct watch *watch = inode->daemon->watch;
	int descriptor;

	if (!watch_has(inode))
		return false;
	pthread_mutex_lock(&watch->lock);
	descriptor = inode->watched;
	if (descriptor > 0) {
		take_out(watch, inode);
		/* It may be watched no longer by itself; at the end all go at once. */
		if (!atomic_load(&watch->stopped))
			inotify_rm_watch(watch->fd, descriptor);
	}
	pthread_mutex_unlock(&watch->lock);
	return descriptor > 0;
}

/* ------------------------------------------------------------------- timeouts */

static double longer(double a, double b)
{
	return a > b ? a : b;
}

double watch_attr_timeout(const struct daemon *daemon, struct trust trust)
{
	const struct options *options = &daemon->options;

	return trust.attributes ? longer(options->watch_s, options->attr_timeout_s)
				: options->attr_timeout_s;
}

double watch_entry_timeout(const struct daemon *daemon, struct trust trust)
{
	const struct options *options = &daemon->options;

	return trust.name ? longer(options->watch_s, options->entry_timeout_s)
			  : options->entry_timeout_s;
}

const struct watch_stats *watch_stats(const struct daemon *daemon)
{
	return daemon->watch ? &daemon->watch->stats : NULL;
}

/* ------------------------------------------------------------------ the thread */

static void run_job(struct job *job)
{
	struct watch *watch = caa_container_of(job, struct watch, job);

	while (watch_tell(watch) && !atomic_load(&watch->stopped))
		usleep(RETRY_MS * 1000);
	sem_post(&watch->told);
}

static void *hear(void *arg)
{
	struct watch *watch = arg;
	struct pollfd fds[2] = {{.fd = watch->fd, .events = POLLIN},
				{.fd = watch->stop_fd, .events = POLLIN}};

	while (!atomic_load(&watch->stopped)) {
		if (poll(fds, 2, -1) < 0 || fds[0].revents == 0)
			continue;
		usleep(GATHER_US);
		worker_pool_submit(watch->daemon->notifications, &watch->job);
		while (sem_wait(&watch->told) < 0)
			continue;
	}
	return NULL;
}

/* ------------------------------------------------------------- begin and end */

/* File systems whose every change goes through this machine's kernel, as a change of
 * the very inode that we watch. */
static bool tells_all(const struct daemon *daemon)
{
	static const unsigned long local[] = {
		0xEF53 /* ext2 to ext4 */, 0x58465342 /* XFS */,
		BTRFS_SUPER_MAGIC,	   TMPFS_MAGIC,
		F2FS_SUPER_MAGIC,	   RAMFS_MAGIC,
		0xCA451A4E /* bcachefs */, 0x2FC12FC1 /* OpenZFS */,
		MSDOS_SUPER_MAGIC,	   EXFAT_SUPER_MAGIC,
	};
	struct statfs statfs;

	if (fstatfs(daemon->source_fd, &statfs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if ((unsigned long)statfs.f_type == local[i])
			return true;
	return false;
}

static int start(struct watch *watch)
{
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd < 0)
		return -errno;
	watch->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (watch->stop_fd < 0)
		return -errno;
	watch->buckets = calloc(BUCKETS, sizeof(*watch->buckets));
	if (!watch->buckets)
		return -ENOMEM;
	return -pthread_create(&watch->thread, NULL, hear, watch);
}

static void explain(const struct daemon *daemon, int status)
{
	if (status == -EOPNOTSUPP)
		log_msg(LOG_ERR,
			"SOURCE %s: its file system does not tell of all changes, those of "
			"other machines, say: leave --watch out",
			daemon->options.source);
	else if (status == -EMFILE)
		log_msg(LOG_ERR, "--watch: too many inotify instances; raise "
				 "fs.inotify.max_user_instances with sysctl");
	else
		log_msg(LOG_ERR, "--watch: %s", strerror(-status));
}

int watch_create(struct daemon *daemon, struct watch **ret_watch)
{
	struct watch *watch = NULL;
	int status = 0;

	*ret_watch = NULL;
	if (daemon->options.watch_s == 0)
		return 0;
	if (!tells_all(daemon))
		status = -EOPNOTSUPP;
	if (status == 0) {
		watch = calloc(1, sizeof(*watch));
		status = watch ? 0 : -ENOMEM;
	}
	if (watch) {
		watch->daemon = daemon;
		watch->fd = watch->stop_fd = -1;
		watch->job.run = run_job;
		watch->job.account = ACCOUNT_OURS;
		CDS_INIT_LIST_HEAD(&watch->retries);
		pthread_mutex_init(&watch->lock, NULL);
		sem_init(&watch->told, 0, 0);
		status = start(watch);
	}
	if (status < 0) {
		explain(daemon, status);
		watch_free(watch);
		return status;
	}
	*ret_watch = watch;
	return 0;
}

void watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	atomic_store(&watch->stopped, true);
	eventfd_write(watch->stop_fd, 1);
	pthread_join(watch->thread, NULL);
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	if (watch->fd >= 0)
		close(watch->fd);
	if (watch->stop_fd >= 0)
		close(watch->stop_fd);
	sem_destroy(&watch->told);
	pthread_mutex_destroy(&watch->lock);
	free(watch->buckets);
	free(watch);
}
