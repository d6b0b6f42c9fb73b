/* SPDX-License-Identifier: MIT */
/*
 * Trial mount: a child does it, so that whatever happens to it can be waited for, a
 * bounded time, and ended.
 */

#include "trial_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "copies_probe.h"

/* ------------------------------------------------------------------- in the child */

static void note_init(void *userdata, struct fuse_conn_info *conn)
{
	struct trial *trial = userdata;

	trial->proto_major = conn->proto_major;
	trial->proto_minor = conn->proto_minor;
	trial->capable = conn->capable;
	libfuse_refuse(conn, FUSE_CAP_WRITEBACK_CACHE);
}

/* Nobody else is to see it. In a container that may not be allowed; then somebody
 * does, for a moment. */
static void go_apart(void)
{
	if (unshare(CLONE_NEWNS) == 0)
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int receive_init(struct fuse_session *session, const struct trial *trial)
{
	struct pollfd fd = {.fd = fuse_session_fd(session), .events = POLLIN};
	struct fuse_buf buf = {0};

	while (trial->proto_major == 0 && !fuse_session_exited(session)) {
		if (poll(&fd, 1, TRIAL_MOUNT_MS) == 0)
			break;
		if (fuse_session_receive_buf(session, &buf) > 0)
			fuse_session_process_buf(session, &buf);
	}
	free(buf.mem);
	return trial->proto_major ? 0 : -EPROTO;
}

static int try_mount(const char *mountpoint, struct trial *ret_trial)
{
	struct fuse_lowlevel_ops trial_ops = copies_probe_ops;
	char *argv[] = {"foldfs", "-o",		  "fsname=foldfs-check,subtype=foldfs",
			"-o",	  "auto_unmount", NULL};
	/* Root needs no helper, and has a namespace that ends with us. */
	struct fuse_args args = FUSE_ARGS_INIT(geteuid() == 0 ? 3 : 5, argv);
	struct fuse_session *session;
	int status = -EIO;

	if (geteuid() == 0)
		go_apart();
	trial_ops.init = note_init;
	session = fuse_session_new(&args, &trial_ops, sizeof(trial_ops), ret_trial);
	if (!session)
		return -EIO;
	if (fuse_session_mount(session, mountpoint) == 0) {
		status = receive_init(session, ret_trial);
		if (status == 0)
			ret_trial->copies = copies_probe(session, mountpoint);
		fuse_session_unmount(session);
	}
	fuse_session_destroy(session);
	return status;
}

struct outcome {
	int status;
	struct trial trial;
};

static void run_child(const char *mountpoint, int fd)
{
	struct outcome outcome = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	outcome.status = try_mount(mountpoint, &outcome.trial);
	_exit(write(fd, &outcome, sizeof(outcome)) == sizeof(outcome) ? EXIT_SUCCESS
								      : EXIT_FAILURE);
}

/* ------------------------------------------------------------------- in the parent */

static int read_outcome(int fd, struct trial *ret_trial)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	struct outcome outcome;

	if (poll(&poll_fd, 1, TRIAL_MOUNT_MS) <= 0)
		return -ETIMEDOUT;
	if (read(fd, &outcome, sizeof(outcome)) != sizeof(outcome))
		return -EIO;
	if (outcome.status == 0)
		*ret_trial = outcome.trial;
	return outcome.status;
}

static int run_in_child(const char *mountpoint, struct trial *ret_trial)
{
	int fds[2], status;
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		run_child(mountpoint, fds[1]);
	status = child < 0 ? -errno : 0;
	close(fds[1]);
	if (child > 0) {
		status = read_outcome(fds[0], ret_trial);
		if (status == -ETIMEDOUT)
			kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	close(fds[0]);
	return status;
}

static int make_directory(char *ret_path, size_t size)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(ret_path, size, "%s/foldfs-check.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	return mkdtemp(ret_path) ? 0 : -errno;
}

int trial_mount(const char *mountpoint, struct trial *ret_trial)
{
	char made[PATH_MAX];
	sigset_t ending, before;
	int status = 0;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, &before);
	if (!mountpoint)
		status = make_directory(made, sizeof(made));
	if (status == 0)
		status = run_in_child(mountpoint ? mountpoint : made, ret_trial);
	if (!mountpoint)
		(void)rmdir(made);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}
