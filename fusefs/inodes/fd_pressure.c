/* SPDX-License-Identifier: MIT */
/*
 * Descriptor pressure: when to ask the kernel to forget, and what.
 */

#include "fd_pressure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <urcu/compiler.h>

#include "account.h"
#include "inode_table.h"
#include "log.h"
#include "submounts.h"
#include "worker_pool.h"

/* Root may go beyond its hard limit, up to fs.nr_open; more than this would only be
 * memory that nobody has asked for. */
#define WANTED_DESCRIPTORS ((rlim_t)1 << 20)
#define HIGH_PERCENT	   50
#define LOW_PERCENT	   40
#define SLOW_PERCENT	   75
#define SLOWEST_US	   4000
/* At once; then we look how many that has freed. */
#define BATCH		   4096
#define DIRECTORY_BATCH	   64
/* For the FORGETs to arrive: they are queued by the time a notification returns. */
#define SETTLE_US	   2000
#define LOG_EVERY_S	   60

struct fd_pressure {
	/* Set once. */
	struct daemon *daemon;
	const struct fd_relief *relief;
	int limit;

	_Atomic bool running; /* the job is queued or runs */
	struct job job;
	_Atomic uint64_t logged_ns; /* when exhaustion was logged last; 0: never */
};

/* What is to be forgotten. */
struct batch {
	struct daemon *daemon;
	size_t count;
	fuse_ino_t nodeids[BATCH];
};

static rlim_t nr_open(void)
{
	FILE *file = fopen("/proc/sys/fs/nr_open", "re");
	unsigned long long n = 0;

	if (file) {
		if (fscanf(file, "%llu", &n) != 1)
			n = 0;
		fclose(file);
	}
	return (rlim_t)n;
}

/* As many as we may have. */
static int raise_limit(void)
{
	struct rlimit limit, more;
	rlim_t wanted;

	getrlimit(RLIMIT_NOFILE, &limit);
	wanted = nr_open();
	if (wanted > WANTED_DESCRIPTORS)
		wanted = WANTED_DESCRIPTORS;
	if (limit.rlim_max < wanted) {
		more = (struct rlimit){.rlim_cur = wanted, .rlim_max = wanted};
		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return (int)wanted;
	}
	if (limit.rlim_max > WANTED_DESCRIPTORS && limit.rlim_cur < WANTED_DESCRIPTORS)
		limit.rlim_cur = WANTED_DESCRIPTORS;
	else if (limit.rlim_max <= WANTED_DESCRIPTORS)
		limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int)limit.rlim_cur;
}

/* Linux 6.2 and later tell the number as the size of the directory; before, any open
 * descriptor's number stands in, the lowest free one: an estimate from below. */
static int descriptors_in_use(const struct daemon *daemon)
{
	struct stat attr;
	int fd;

	if (fstat(daemon->proc_fd_dir, &attr) == 0 && attr.st_size > 0)
		return (int)attr.st_size;
	fd = fcntl(daemon->proc_fd_dir, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return INT32_MAX;
	close(fd);
	return fd;
}

static void ask_to_forget(struct daemon *daemon, const struct fd_relief *relief,
			  fuse_ino_t nodeid)
{
	fuse_ino_t parent;
	char *name;

	if (!inode_table_take_name(daemon->inodes, nodeid, &parent, &name))
		return;
	relief->forget(daemon, parent, name);
	free(name);
}

/* Somebody may hold one of the directories: others are not waited for then. */
static void batch_run(struct batch *batch, const struct fd_relief *relief)
{
	for (size_t i = 0; i < batch->count; i++)
		ask_to_forget(batch->daemon, relief, batch->nodeids[i]);
	relief->settle(batch->daemon);
	free(batch);
}

/* The best of one kind, but none that something is mounted on or below. */
static size_t choose(struct daemon *daemon, const struct submounts *submounts,
		     bool directories, fuse_ino_t *nodeids, size_t max)
{
	const size_t found =
		inode_table_idle(daemon->inodes, directories, nodeids, max);
	size_t n = 0;

	for (size_t i = 0; i < found; i++)
		if (!submounts_include(submounts, nodeids[i]))
			nodeids[n++] = nodeids[i];
	return n;
}

/*
 * Directories only if nothing else is left: all below them is forgotten, too, and
 * whoever has one as his working directory cannot learn its name from the kernel before
 * somebody looks it up again.
 */
static struct batch *batch_create(struct daemon *daemon, size_t excess)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	struct submounts submounts;

	if (!batch || submounts_find(daemon, &submounts) < 0) {
		free(batch);
		return NULL;
	}
	batch->daemon = daemon;
	batch->count = choose(daemon, &submounts, false, batch->nodeids,
			      excess < BATCH ? excess : BATCH);
	if (batch->count == 0)
		batch->count =
			choose(daemon, &submounts, true, batch->nodeids,
			       excess < DIRECTORY_BATCH ? excess : DIRECTORY_BATCH);
	submounts_fini(&submounts);
	if (batch->count == 0) {
		free(batch);
		return NULL;
	}
	return batch;
}

/* Longest unused first, until we are below the low mark or nothing is left to ask for.
 * What the kernel cannot forget, because somebody watches it, say, is not asked for
 * again before it has been looked up again. */
static void relieve(const struct fd_pressure *pressure)
{
	const int low = (int)((int64_t)pressure->limit * LOW_PERCENT / 100);
	struct daemon *daemon = pressure->daemon;
	struct batch *batch;
	int excess;

	pressure->relief->close_idle();
	while ((excess = descriptors_in_use(daemon) - low) > 0) {
		batch = batch_create(daemon, (size_t)excess);
		if (!batch)
			return;
		batch_run(batch, pressure->relief);
		usleep(SETTLE_US);
	}
}

static void run(struct job *job)
{
	struct fd_pressure *pressure = caa_container_of(job, struct fd_pressure, job);

	relieve(pressure);
	atomic_store(&pressure->running, false);
}

int fd_pressure_create(struct daemon *daemon, const struct fd_relief *relief,
		       struct fd_pressure **ret_pressure)
{
	struct fd_pressure *pressure = calloc(1, sizeof(*pressure));

	if (!pressure)
		return -ENOMEM;
	pressure->daemon = daemon;
	pressure->limit = raise_limit();
	pressure->relief = relief;
	relief->set_limit((size_t)pressure->limit);
	pressure->job.run = run;
	pressure->job.account = ACCOUNT_OURS;
	*ret_pressure = pressure;
	return 0;
}

void fd_pressure_free(struct fd_pressure *pressure)
{
	free(pressure);
}

static void start(struct fd_pressure *pressure)
{
	if (!atomic_exchange(&pressure->running, true))
		worker_pool_submit(pressure->daemon->notifications, &pressure->job);
}

void fd_pressure_note(struct daemon *daemon, int fd)
{
	struct fd_pressure *pressure = daemon->fd_pressure;
	const int64_t limit = pressure->limit;
	const int64_t slow = limit * SLOW_PERCENT / 100;

	/* The kernel hands out the lowest number that is free: one above half of the
	 * limit means that half of them are in use. */
	if (fd < limit * HIGH_PERCENT / 100)
		return;
	start(pressure);
	if (fd > slow)
		usleep((useconds_t)(SLOWEST_US * (fd - slow) / (limit - slow)));
}

unsigned fd_pressure_limit(const struct daemon *daemon)
{
	return (unsigned)daemon->fd_pressure->limit;
}

bool fd_pressure_is_high(const struct daemon *daemon)
{
	return atomic_load(&daemon->fd_pressure->running);
}

int fd_pressure_error(struct daemon *daemon, int error)
{
	struct fd_pressure *pressure = daemon->fd_pressure;
	const uint64_t now_ns = inode_clock_ns();
	uint64_t logged_ns = atomic_load(&pressure->logged_ns);

	if (error != -EMFILE && error != -ENFILE)
		return error;
	start(pressure);
	if (logged_ns != 0 && now_ns < logged_ns + (uint64_t)LOG_EVERY_S * 1000000000)
		return -ENFILE;
	if (!atomic_compare_exchange_strong(&pressure->logged_ns, &logged_ns, now_ns))
		return -ENFILE;
	if (error == -EMFILE)
		log_msg(LOG_ERR,
			"all %d descriptors are in use: requests fail with ENFILE. Raise "
			"the limit (ulimit -Hn, LimitNOFILE= of a systemd unit)",
			pressure->limit);
	else
		log_msg(LOG_ERR, "the system is out of open files: requests fail with "
				 "ENFILE. Raise fs.file-max with sysctl");
	return -ENFILE;
}
