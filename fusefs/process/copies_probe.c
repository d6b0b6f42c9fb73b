/* SPDX-License-Identifier: MIT */
/*
 * The trial: three parties. A child process stores to the page; a thread tells the
 * kernel to drop it; the caller serves, and holds the WRITE until it has seen what
 * becomes of that.
 */

#include "copies_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "own_threads.h"

#define PAGE	    4096
#define NAME	    "page"
#define PAGE_NODEID 2
#define ALL_MS	    5000
/* Between two looks; and so often it has to be seen waiting in the kernel. */
#define LOOK_MS	    10
#define SEEN_ASLEEP 10

/* One trial in a process. */
static struct {
	fuse_req_t held; /* the WRITE */
	struct fuse_session *session;
	pthread_t dropper;
	_Atomic pid_t dropper_tid;
	_Atomic bool dropped;
} trial;

/* ---------------------------------------------------------------- the file system */

static struct stat attributes(fuse_ino_t ino)
{
	return (struct stat){
		.st_ino = ino,
		.st_mode = ino == PAGE_NODEID ? S_IFREG | 0600 : S_IFDIR | 0700,
		.st_nlink = 1,
		.st_uid = geteuid(),
		.st_gid = getegid(),
		.st_size = ino == PAGE_NODEID ? PAGE : 0,
	};
}

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct fuse_entry_param entry = {.ino = PAGE_NODEID,
					       .attr = attributes(PAGE_NODEID),
					       .attr_timeout = 60};

	(void)parent;
	if (strcmp(name, NAME) == 0)
		fuse_reply_entry(req, &entry);
	else
		fuse_reply_err(req, ENOENT);
}

static void getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct stat attr = attributes(ino);

	(void)fi;
	fuse_reply_attr(req, &attr, 60);
}

static void open_page(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fuse_reply_open(req, fi);
}

static void read_page(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		      struct fuse_file_info *fi)
{
	static const char zeros[PAGE];

	(void)ino;
	(void)fi;
	if (offset < 0 || offset >= PAGE)
		size = 0;
	else if (size > (size_t)(PAGE - offset))
		size = (size_t)(PAGE - offset);
	fuse_reply_buf(req, zeros, size);
}

static void write_page(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		       off_t offset, struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)offset;
	if (fi->writepage && size == PAGE && !trial.held)
		trial.held = req;
	else
		fuse_reply_write(req, size);
}

const struct fuse_lowlevel_ops copies_probe_ops = {
	.lookup = lookup,
	.getattr = getattr,
	.open = open_page,
	.read = read_page,
	.write = write_page,
};

/* ------------------------------------------------------------------- the program */

/* Says when it has done all that it does, and ends when the other end of `until` does. */
static void store_to_page(const char *mountpoint, int until, int say)
{
	char path[4096], end;
	char *page;
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), "%s/" NAME, mountpoint);
	fd = open(path, O_RDWR);
	page = fd < 0 ? MAP_FAILED
		      : mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		_exit(EXIT_FAILURE);
	*(volatile char *)page = 1;
	/* Begins, and does not wait. */
	(void)sync_file_range(fd, 0, PAGE, SYNC_FILE_RANGE_WRITE);
	(void)!write(say, "", 1);
	(void)!read(until, &end, 1);
	_exit(EXIT_SUCCESS);
}

/* -------------------------------------------------------------------- the dropping */

static void *drop_page(void *arg)
{
	atomic_store(&trial.dropper_tid, (pid_t)syscall(SYS_gettid));
	(void)fuse_lowlevel_notify_inval_inode(trial.session, PAGE_NODEID, 0, 0);
	atomic_store(&trial.dropped, true);
	return arg;
}

/* ------------------------------------------------------------------------ serving */

static void serve_for_a_moment(struct fuse_session *session, struct fuse_buf *buf)
{
	struct pollfd fd = {.fd = fuse_session_fd(session), .events = POLLIN};

	if (poll(&fd, 1, LOOK_MS) > 0 && fuse_session_receive_buf(session, buf) > 0)
		fuse_session_process_buf(session, buf);
}

static enum copies look_on(struct fuse_session *session, struct fuse_buf *buf)
{
	int asleep = 0;

	for (int ms = 0; ms < ALL_MS; ms += LOOK_MS) {
		serve_for_a_moment(session, buf);
		if (atomic_load(&trial.dropped))
			return COPIES_MADE;
		asleep = own_thread_state(atomic_load(&trial.dropper_tid)) == 'D'
				 ? asleep + 1
				 : 0;
		if (asleep == SEEN_ASLEEP)
			return COPIES_NONE;
	}
	return COPIES_UNKNOWN;
}

static enum copies try_to_drop(struct fuse_session *session, struct fuse_buf *buf)
{
	enum copies seen;

	trial.session = session;
	if (pthread_create(&trial.dropper, NULL, drop_page, NULL) != 0)
		return COPIES_UNKNOWN;
	seen = look_on(session, buf);
	fuse_reply_write(trial.held, PAGE);
	pthread_join(trial.dropper, NULL);
	return seen;
}

static void serve_until_gone(struct fuse_session *session, struct fuse_buf *buf,
			     pid_t program)
{
	for (int ms = 0; ms < ALL_MS && waitpid(program, NULL, WNOHANG) == 0;
	     ms += LOOK_MS)
		serve_for_a_moment(session, buf);
}

/*
 * The WRITE is held, and the program has come back from sending it: where there are copies,
 * the page is under writeback until then, and a program that has no processor just there
 * would make it look as if there were none.
 */
static bool is_ready(int said)
{
	struct pollfd fd = {.fd = said, .events = POLLIN};

	return trial.held && poll(&fd, 1, 0) > 0;
}

static enum copies probe(struct fuse_session *session, const char *mountpoint,
			 const int until[2], const int said[2])
{
	enum copies seen = COPIES_UNKNOWN;
	const pid_t program = fork();
	struct fuse_buf buf = {0};

	if (program == 0) {
		close(until[1]);
		store_to_page(mountpoint, until[0], said[1]);
	}
	for (int ms = 0; program > 0 && ms < ALL_MS && !is_ready(said[0]);
	     ms += LOOK_MS)
		serve_for_a_moment(session, &buf);
	if (is_ready(said[0]))
		seen = try_to_drop(session, &buf);
	close(until[1]);
	if (program > 0)
		serve_until_gone(session, &buf, program);
	free(buf.mem);
	return seen;
}

enum copies copies_probe(struct fuse_session *session, const char *mountpoint)
{
	enum copies seen = COPIES_UNKNOWN;
	int until[2], said[2];

	if (pipe2(until, O_CLOEXEC) < 0)
		return COPIES_UNKNOWN;
	if (pipe2(said, O_CLOEXEC) == 0) {
		seen = probe(session, mountpoint, until, said);
		close(said[0]);
		close(said[1]);
	} else {
		close(until[1]);
	}
	close(until[0]);
	return seen;
}
