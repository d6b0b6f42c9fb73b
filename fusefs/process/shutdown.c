/* SPDX-License-Identifier: MIT */
/*
 * Shutdown: unmount while we still serve, and end whoever does not.
 *
 * The thread that hears the signal sees to it. As long as bytes get to the store, all
 * is well, however long it takes. If none has for STUCK_LOOKS, and none of our threads
 * only waits for a processor, something is held up: by the store, or in the kernel by a
 * lock that somebody else has. Then the connection is cut, so that nobody waits for us
 * any more; and if that does not help either, we go without those threads. A range
 * operation that is left so is as after a crash: the next mount finishes or undoes it.
 */

#include "shutdown.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "connection_file.h"
#include "credentials.h"
#include "ending.h"
#include "log.h"
#include "own_threads.h"
#include "platform.h"
#include "session.h"
#include "store_stat.h"

/* For the kernel to end the connection of a mount that is gone. */
#define UNMOUNT_MS    1000
#define LOOK_NS	      100000000
/* Two seconds: twice this and a bit is what ending may take when nothing goes on. Looks are
 * counted, and not time: on a machine that stands still, they stand still, too. */
#define STUCK_LOOKS   20
/* As long as our threads want a processor and have none. */
#define STARVED_LOOKS (10 * STUCK_LOOKS)
/* Others may write all the time while our own sync(2) is held up. */
#define SYNC_NS	      UINT64_C(60000000000)

extern char **environ;

static pthread_t watcher;
static bool watching;
static pthread_mutex_t unmounter_lock = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by unmounter_lock. What it unmounts can end before its creator knows it. */
static pthread_t unmounter;
static bool unmounting;
/* session_run() has returned; all has been taken down. */
static _Atomic bool finishing, done;
/* What mapped programs have stored is written, or its loss is told. */
static _Atomic bool synced;

void shutdown_block_signals(void)
{
	sigset_t set = ending_signals();

	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* A reader of ours that goes away, and a limit on file sizes, are errors. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/* ------------------------------------------------------------------ unmounting */

static int run_fusermount(const char *mountpoint, bool lazy)
{
	char helper[PATH_MAX];
	const char *argv[7];
	int n = 0, status;
	pid_t pid;

	if (!platform_find_helper(helper, sizeof(helper))) {
		log_msg(LOG_ERR, "fusermount3 is not to be found, so %s stays mounted",
			mountpoint);
		return -ENOENT;
	}
	argv[n++] = helper;
	argv[n++] = "-u";
	argv[n++] = "-q";
	if (lazy)
		argv[n++] = "-z";
	argv[n++] = "--";
	argv[n++] = mountpoint;
	argv[n] = NULL;
	status = posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)argv, environ);
	if (status != 0)
		return -status;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EBUSY;
}

/* Whether it is still our mount that is seen there. */
static bool is_ours(const struct daemon *daemon)
{
	struct store_id id;

	return store_identify(AT_FDCWD, daemon->options.mountpoint, &id) == 0 &&
	       id.dev == daemon->own_dev;
}

static int unmount(const struct daemon *daemon, bool lazy)
{
	const char *mountpoint = daemon->options.mountpoint;
	int status;

	if (!is_ours(daemon))
		return -EBUSY;
	if (geteuid() != 0)
		return run_fusermount(mountpoint, lazy);
	credentials_enter_own();
	status = umount2(mountpoint, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) < 0
			 ? -errno
			 : 0;
	credentials_leave();
	return status;
}

/* Have the kernel write what was stored through mappings. */
static void sync_mount(const struct daemon *daemon)
{
	int fd;

	if (!is_ours(daemon))
		return;
	fd = open(daemon->options.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) < 0)
		log_msg(LOG_WARNING, "cannot write the mount's cached pages: %s",
			strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* Whether the kernel gives our connection up within some time: while it has it, its
 * number is ours and not another mount's. */
static bool is_disconnected(const struct daemon *daemon, int timeout_ms)
{
	struct pollfd device = {.fd = fuse_session_fd(daemon->session)};

	return poll(&device, 1, timeout_ms) > 0 && device.revents & POLLERR;
}

static void unmount_or_cut(struct daemon *daemon)
{
	/* The kernel does this when it unmounts; but not if the mount lives on in
	 * another mount namespace. */
	sync_mount(daemon);
	atomic_store(&synced, true);
	if (unmount(daemon, false) < 0) {
		log_msg(LOG_WARNING, "%s is in use: it is taken away all the same",
			daemon->options.mountpoint);
		unmount(daemon, true);
	} else if (is_disconnected(daemon, UNMOUNT_MS)) {
		return;
	} else {
		log_msg(LOG_WARNING,
			"%s is still mounted in another mount namespace, a container's, "
			"say: it stops working there",
			daemon->options.mountpoint);
	}
	session_stop(daemon);
}

static void *run_unmount(void *arg)
{
	unmount_or_cut(arg);
	return NULL;
}

/* It waits for the kernel, so on a thread of its own. Without one, we end at once. */
static void start_unmounting(struct daemon *daemon)
{
	int error;

	pthread_mutex_lock(&unmounter_lock);
	error = pthread_create(&unmounter, NULL, run_unmount, daemon);
	unmounting = error == 0;
	pthread_mutex_unlock(&unmounter_lock);
	if (error == 0)
		return;
	log_no_threads(-error);
	session_stop(daemon);
}

/* @return whether there is one, which has ended */
static bool await_unmounter(void)
{
	pthread_t thread;
	bool running;

	pthread_mutex_lock(&unmounter_lock);
	running = unmounting;
	thread = unmounter;
	pthread_mutex_unlock(&unmounter_lock);
	if (running)
		pthread_join(thread, NULL);
	return running;
}

/* --------------------------------------------------------------------- cutting */

/* As root would with umount -f, and for users, too, whose file it is. */
static void cut_connection(const struct daemon *daemon)
{
	if (connection_file_write(daemon, "abort", 1) == 0 || !is_ours(daemon))
		return;
	credentials_enter_own();
	umount2(daemon->options.mountpoint, MNT_FORCE | MNT_DETACH);
	credentials_leave();
}

void shutdown_cut(struct daemon *daemon)
{
	session_stop(daemon);
	cut_connection(daemon);
	/* It does not wait for anybody who is held up. */
	(void)unmount(daemon, true);
}

/* ----------------------------------------------------------------- supervision */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Whether nothing has got to the store for some time, counted in looks. */
struct progress {
	uint64_t writes;
	unsigned looks, idle_looks;
};

static bool is_stuck(const struct daemon *daemon, struct progress *progress)
{
	const uint64_t writes = atomic_load(&daemon->store_writes);

	if (writes != progress->writes)
		*progress = (struct progress){.writes = writes};
	progress->looks++;
	if (!own_threads_any_runnable())
		progress->idle_looks++;
	return progress->idle_looks >= STUCK_LOOKS || progress->looks >= STARVED_LOOKS;
}

static void cut_what_is_stuck(struct daemon *daemon)
{
	if (!atomic_load(&synced))
		log_msg(LOG_CRIT,
			"%s: nothing gets to the store any more: the connection is cut, "
			"and what mapped programs have stored may be lost",
			daemon->options.mountpoint);
	shutdown_cut(daemon);
}

/* What cannot be ended, ends with the process, or when the kernel lets go of it. */
static void leave_what_is_stuck(const struct daemon *daemon)
{
	struct cl_cache_stats stats = {0};

	if (daemon->cache)
		cl_cache_get_stats(daemon->cache, &stats);
	log_msg(stats.pages_dirty > 0 ? LOG_CRIT : LOG_ERR,
		"%s: threads are held up, by the store or in the kernel: ending without "
		"them; %llu pages have not been written",
		daemon->options.mountpoint, (unsigned long long)stats.pages_dirty);
	_exit(EXIT_FAILURE);
}

/* And the log's. */
static sigset_t heard_signals(void)
{
	sigset_t set = ending_signals();

	sigaddset(&set, SIGALRM);
	return set;
}

/* From the first signal, or from the end of the mount, until all has been taken down.
 */
static void supervise(struct daemon *daemon)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	const sigset_t set = heard_signals();
	const uint64_t begin_ns = now_ns();
	struct progress progress = {0};
	bool cut = false;
	int signal;

	while (!atomic_load(&done)) {
		signal = sigtimedwait(&set, NULL, &look);
		if (signal == SIGALRM) {
			log_tell_held(false);
			continue;
		}
		if (atomic_load(&finishing) && !cut) {
			cut = true;
			progress = (struct progress){0};
		} else if (signal > 0 && !cut) {
			ending_insist();
			log_msg(LOG_WARNING, "%s again: ending at once",
				strsignal(signal));
			session_stop(daemon);
		}
		if (is_stuck(daemon, &progress) ||
		    (!cut && now_ns() - begin_ns >= SYNC_NS)) {
			if (cut)
				leave_what_is_stuck(daemon);
			cut_what_is_stuck(daemon);
			cut = true;
			progress = (struct progress){0};
		}
	}
}

static void *watch(void *arg)
{
	struct daemon *daemon = arg;
	const sigset_t set = heard_signals();
	int signal = 0;

	while (sigwait(&set, &signal) != 0 || signal == SIGALRM)
		if (signal == SIGALRM)
			log_tell_held(false);
	if (!atomic_load(&finishing)) {
		ending_ask();
		log_msg(LOG_INFO, "%s: unmounting %s", strsignal(signal),
			daemon->options.mountpoint);
		start_unmounting(daemon);
	}
	supervise(daemon);
	return NULL;
}

int shutdown_watch(struct daemon *daemon)
{
	int status;

	status = pthread_create(&watcher, NULL, watch, daemon);
	watching = status == 0;
	return -status;
}

/* In place: what the kernel writes as \\040 and the like. */
static void unescape(char *text)
{
	char *to = text;
	unsigned byte;

	for (const char *from = text; *from; to++) {
		if (sscanf(from, "\\%3o", &byte) == 1) {
			*to = (char)byte;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Whether a line of mountinfo is our mount's. Its number alone does not tell: it is
 * free as soon as the mount is gone, and the next one may have it. */
static bool is_our_line(const struct daemon *daemon, char *line)
{
	unsigned major_nr, minor_nr;
	int start, end;

	if (sscanf(line, "%*u %*u %u:%u %*s %n%*s%n", &major_nr, &minor_nr, &start,
		   &end) != 2 ||
	    makedev(major_nr, minor_nr) != daemon->own_dev)
		return false;
	line[end] = '\0';
	unescape(line + start);
	return strcmp(line + start, daemon->options.mountpoint) == 0;
}

/* Whether our mount is still where it was. */
static bool is_left(const struct daemon *daemon)
{
	FILE *mounts = fopen("/proc/self/mountinfo", "re");
	bool found = false;
	char *line = NULL;
	size_t size = 0;

	while (mounts && !found && getline(&line, &size, mounts) > 0)
		found = is_our_line(daemon, line);
	free(line);
	if (mounts)
		fclose(mounts);
	return found;
}

int shutdown_finish(struct daemon *daemon)
{
	bool told_to;

	atomic_store(&finishing, true);
	if (watching)
		pthread_kill(watcher, SIGTERM);
	if (!is_disconnected(daemon, 0))
		cut_connection(daemon);
	/* With no connection the kernel lets go of it. */
	told_to = await_unmounter();
	if (!is_left(daemon))
		return 0;
	log_msg(LOG_ERR,
		"%s: a mount without a daemon is left there: remove it with 'fusermount3 "
		"-u', or 'umount' as root",
		daemon->options.mountpoint);
	/* Who aborts the connection leaves it there; who tells us to end does not. */
	return told_to ? -EBUSY : 0;
}

void shutdown_done(void)
{
	atomic_store(&done, true);
	if (!watching)
		return;
	pthread_kill(watcher, SIGTERM);
	pthread_join(watcher, NULL);
}
