/* SPDX-License-Identifier: MIT */
/*
 * Removed files: a thread that looks, and a job that tells.
 *
 * The notification waits for the directory's lock in the kernel, so it is a job of
 * daemon->notifications, and the next look is taken when it is done: a name that the
 * kernel does not let go of holds up nothing but this.
 */

#include "removed_behind.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "account.h"
#include "inode_table.h"
#include "kernel_wait.h"
#include "log.h"
#include "store_stat.h"
#include "timed_cond.h"
#include "worker_pool.h"

/* 200 a second: nothing that shows in anybody's measurements. */
#define LOOK_EVERY_S 5
#define INODES_MAX   1000

static struct {
	struct daemon *daemon; /* NULL: not started */
	pthread_t thread;
	/* The thread's, and the job's while that runs. */
	size_t bucket; /* where the next look begins */
	struct job job;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	bool stopping;
	bool telling;
} rounds = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool has_no_links(const struct inode *inode)
{
	struct stat attr;

	return fstat(inode->fd, &attr) == 0 && attr.st_nlink == 0;
}

/* Some stores say of every file that it has no links: so the name is looked at, too. */
static bool is_there(const struct inode *inode, const struct inode *dir,
		     const char *name)
{
	struct store_id id;

	return store_identify(dir->fd, name, &id) == 0 && id.ino == inode->ino &&
	       id.dev == inode->dev;
}

static void tell_if_gone(struct daemon *daemon, struct inode *inode)
{
	struct kernel_wait wait;
	fuse_ino_t parent;
	struct inode *dir;
	char *name;

	if (!has_no_links(inode) || !inode_table_name_of(inode, &parent, &name))
		return;
	dir = inode_table_find_nodeid(daemon->inodes, parent);
	if (dir && !is_there(inode, dir, name)) {
		kernel_wait_begin(&wait, parent, "a notification of names");
		fuse_lowlevel_notify_inval_entry(daemon->session, parent, name,
						 strlen(name));
		kernel_wait_end(&wait);
	}
	if (dir)
		inode_put(dir, 1);
	free(name);
}

static void tell(struct job *job)
{
	static fuse_ino_t nodeids[INODES_MAX];
	struct daemon *daemon = rounds.daemon;
	const size_t n = inode_table_idle_from(daemon->inodes, &rounds.bucket, nodeids,
					       INODES_MAX);
	struct inode *inode;

	(void)job;
	for (size_t i = 0; i < n && !fuse_session_exited(daemon->session); i++) {
		inode = inode_table_find_nodeid(daemon->inodes, nodeids[i]);
		if (!inode)
			continue;
		tell_if_gone(daemon, inode);
		inode_put(inode, 1);
	}
	pthread_mutex_lock(&rounds.lock);
	rounds.telling = false;
	pthread_mutex_unlock(&rounds.lock);
}

static void *look(void *arg)
{
	struct timespec due;

	(void)arg;
	pthread_mutex_lock(&rounds.lock);
	while (!rounds.stopping) {
		due = deadline_after((uint64_t)LOOK_EVERY_S * 1000000000);
		if (pthread_cond_timedwait(&rounds.changed, &rounds.lock, &due) !=
			    ETIMEDOUT ||
		    rounds.telling)
			continue;
		rounds.telling = true;
		worker_pool_submit(rounds.daemon->notifications, &rounds.job);
	}
	pthread_mutex_unlock(&rounds.lock);
	return NULL;
}

int removed_behind_start(struct daemon *daemon)
{
	int status;

	timed_cond_init(&rounds.changed);
	rounds.job = (struct job){.run = tell, .account = ACCOUNT_OURS};
	rounds.daemon = daemon;
	status = -pthread_create(&rounds.thread, NULL, look, NULL);
	if (status < 0) {
		rounds.daemon = NULL;
		pthread_cond_destroy(&rounds.changed);
		log_no_threads(status);
	}
	return status;
}

void removed_behind_stop(void)
{
	if (!rounds.daemon)
		return;
	pthread_mutex_lock(&rounds.lock);
	rounds.stopping = true;
	pthread_cond_signal(&rounds.changed);
	pthread_mutex_unlock(&rounds.lock);
	pthread_join(rounds.thread, NULL);
}
