/* SPDX-License-Identifier: MIT */
/*
 * Session: libfuse's, with the settings that the protocol of DESIGN.md depends on.
 */

#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "background.h"
#include "background_places.h"
#include "connection_file.h"
#include "credentials.h"
#include "init_answer.h"
#include "inode_table.h"
#include "log.h"
#include "operations.h"
#include "self_check.h"
#include "serving.h"
#include "store_readahead.h"
#include "store_stat.h"
#include "temporary_copies.h"
#include "waiting_reads.h"

/* For how long a thread looks for the next request before it sleeps: about what it
 * takes to put it to sleep and wake it up again. */
#define POLL_NS_MAX 50000

/* What the page cache protocol wants from the kernel if it has it. */
#define WANTED                                                                         \
	(FUSE_CAP_ASYNC_READ | FUSE_CAP_ATOMIC_O_TRUNC | LIBFUSE_CAP_PARALLEL_DIROPS | \
	 FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_DONT_MASK |       \
	 FUSE_CAP_POSIX_ACL | FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_CACHE_SYMLINKS |      \
	 FUSE_CAP_EXPLICIT_INVAL_DATA | FUSE_CAP_SPLICE_WRITE |                        \
	 LIBFUSE_CAP_HANDLE_KILLPRIV_V2)
/*
 * And what not. AUTO_INVAL_DATA would win over EXPLICIT_INVAL_DATA and drop whole files
 * for a new mtime. WRITEBACK_CACHE would make the kernel ignore our sizes.
 * HANDLE_KILLPRIV would also have us clear the bits for those who may keep them.
 * With ASYNC_DIO the kernel completes an asynchronous direct write without dropping the
 * pages that readers have brought in meanwhile (generic_file_direct_write() does it for
 * synchronous ones, fuse_aio_complete() does not): *measured*, they were stale for
 * good. Requests are small, as a rule, and in a pipe they would cost another system
 * call: when it pays is serving.h's to say, not libfuse's. SPLICE_MOVE would take pages
 * away from the store. And no rings (FUSE_URING_ENABLE=1 turns them on): they would be
 * queues for each CPU, beside the threads that we were told to have, and a READ that is
 * parked keeps its place in one. With one place, the mount hung.
 */
#define UNWANTED                                                                       \
	(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_ASYNC_DIO |    \
	 FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_MOVE |      \
	 FUSE_CAP_IOCTL_DIR | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS |            \
	 LIBFUSE_CAP_OVER_IO_URING)

void session_init(void *userdata, struct fuse_conn_info *conn)
{
	struct daemon *daemon = userdata;
	const uint64_t wanted = libfuse_want(conn, WANTED);

	libfuse_refuse(conn, UNWANTED);
	daemon->kernel_leaves_setid = wanted & LIBFUSE_CAP_HANDLE_KILLPRIV_V2 ||
				      init_answer_added() & INIT_HANDLE_KILLPRIV_V2;
	daemon->splices = wanted & FUSE_CAP_SPLICE_WRITE;
	daemon->needs_fence =
		daemon->options.always_fence || temporary_copies_of(conn->proto_minor);
	daemon->readahead_races = store_readahead_races();
	/* An open that truncates has to be told otherwise: by SETATTR. Where there is no
	 * OPEN; and where WRITEs of what was truncated could still be on their way, for
	 * which the kernel waits before it sends SETATTR. */
	if (daemon->options.no_open || daemon->needs_fence)
		libfuse_refuse(conn, FUSE_CAP_ATOMIC_O_TRUNC);
	if (daemon->options.no_open)
		libfuse_want(conn, FUSE_CAP_NO_OPEN_SUPPORT);
	conn->max_background = BACKGROUND_PLACES_WANTED;
	conn->max_write = (unsigned)daemon->max_request_bytes;
	conn->max_read = (unsigned)daemon->max_request_bytes;
	conn->time_gran = 1;
	background_ready(daemon->options.log_level);
	self_check_log(daemon, conn);
}

/* ------------------------------------------------------------------- mounting */

/* One -o option; value may contain anything. */
static int add_option(struct fuse_args *args, const char *option)
{
	char *list = NULL;
	int status = -ENOMEM;

	if (fuse_opt_add_opt_escaped(&list, option) == 0 &&
	    fuse_opt_add_arg(args, "-o") == 0 && fuse_opt_add_arg(args, list) == 0)
		status = 0;
	free(list);
	return status;
}

static int add_options(struct daemon *daemon, struct fuse_args *args)
{
	const struct options *options = &daemon->options;
	char *fsname, max_read[32];
	int status;

	if (fuse_opt_add_arg(args, "foldfs") < 0)
		return -ENOMEM;
	/* Before the user's own, which may name it differently. */
	if (asprintf(&fsname, "fsname=%s", options->source) < 0)
		return -ENOMEM;
	status = add_option(args, fsname);
	free(fsname);
	if (status == 0)
		status = add_option(args, "subtype=foldfs");
	if (status == 0 && options->fuse_options &&
	    (fuse_opt_add_arg(args, "-o") < 0 ||
	     fuse_opt_add_arg(args, options->fuse_options) < 0))
		status = -ENOMEM;
	if (status == 0)
		status = add_option(args, "default_permissions");
	snprintf(max_read, sizeof(max_read), "max_read=%zu", daemon->max_request_bytes);
	if (status == 0)
		status = add_option(args, max_read);
	if (status == 0 && options->debug)
		status = add_option(args, "debug");
	return status;
}

/* See DESIGN.md, section 4. */
#define THREADS_HELD_UP_MAX 512
#define USER_SHARE	    32
#define DEVICE_SHARE	    (THREADS_HELD_UP_MAX / 4)
/* READs of one user that wait, parked and queued each, and are known to be readahead. */
#define READAHEAD_SHARE	    64

static void tell_subject(void *arg, uint64_t nodeid, struct serving_subject *ret)
{
	struct daemon *daemon = arg;
	struct inode *inode = inode_table_find_nodeid(daemon->inodes, nodeid);

	if (!inode)
		return;
	ret->owner = atomic_load(&inode->owner);
	ret->device = inode->mount;
	inode_put(inode, 1);
}

/* To the fence it has come and gone all the same (F4). */
static void tell_unserved(void *arg, uint64_t nodeid, uint64_t offset, uint64_t len)
{
	struct daemon *daemon = arg;
	struct inode *inode = inode_table_find_nodeid(daemon->inodes, nodeid);
	const uint64_t room = CL_RANGE_EOF - offset;

	if (!inode)
		return;
	if (inode->mapping)
		cl_gate_refused(
			inode->mapping,
			(struct cl_range){offset, offset + (len < room ? len : room)});
	inode_put(inode, 1);
}

static void count_queued(void *arg, size_t count)
{
	background_places_queued(arg, count);
}

static int create_serving(struct daemon *daemon)
{
	const unsigned pages = (unsigned)(daemon->max_request_bytes / CL_PAGE_SIZE) + 2;
	const struct serving_config config = {
		.session = daemon->session,
		.threads_max = daemon->options.threads,
		.threads_bound = daemon->options.threads + THREADS_HELD_UP_MAX,
		.share = USER_SHARE,
		.device_share = DEVICE_SHARE,
		.pages_max = daemon->data_requests_max * pages,
		.poll_ns_max = POLL_NS_MAX,
		.pipe_bytes = daemon->max_request_bytes,
		.readahead_share = READAHEAD_SHARE,
		.subject = tell_subject,
		.unserved = tell_unserved,
		.queued = count_queued,
		.arg = daemon,
	};

	return serving_create(&config, &daemon->serving);
}

int session_create(struct daemon *daemon)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	int status = add_options(daemon, &args);

	if (status == 0)
		daemon->session = fuse_session_new(&args, &operations,
						   sizeof(operations), daemon);
	else
		log_msg(LOG_ERR, "out of memory");
	if (!daemon->session)
		status = status < 0 ? status : -EINVAL; /* libfuse has said why */
	fuse_opt_free_args(&args);
	if (status == 0)
		daemon->waiting_reads = waiting_reads_create(READAHEAD_SHARE);
	if (status == 0 && !daemon->waiting_reads)
		status = -ENOMEM;
	if (status == 0)
		status = create_serving(daemon);
	return status;
}

int session_mount(struct daemon *daemon)
{
	const char *mountpoint = daemon->options.mountpoint;
	struct store_id id;
	int status;

	if (fuse_session_mount(daemon->session, mountpoint) < 0) {
		log_msg(LOG_ERR, "cannot mount on %s", mountpoint);
		return -EIO;
	}
	status = init_answer_add(daemon->session, INIT_ANSWER_LACKS);
	if (status < 0) {
		log_msg(LOG_ERR, "%s: libfuse does not let us at its requests",
			mountpoint);
		return status;
	}
	status = store_identify(AT_FDCWD, mountpoint, &id);
	if (status < 0)
		log_msg(LOG_ERR, "MOUNTPOINT %s: mounted, and gone again", mountpoint);
	else
		daemon->own_dev = id.dev;
	if (status == 0)
		connection_files_open(daemon);
	return status;
}

void session_free(struct daemon *daemon)
{
	if (!daemon->session)
		return;
	serving_free(daemon->serving);
	credentials_enter_own();
	fuse_session_unmount(daemon->session);
	credentials_leave();
	fuse_session_destroy(daemon->session);
	connection_files_close(daemon);
	waiting_reads_free(daemon->waiting_reads);
	daemon->waiting_reads = NULL;
	daemon->serving = NULL;
	daemon->session = NULL;
}

/* -------------------------------------------------------------------- serving */

int session_run(struct daemon *daemon)
{
	return serving_run(daemon->serving);
}

void session_stop(struct daemon *daemon)
{
	fuse_session_exit(daemon->session);
	serving_stop(daemon->serving);
}
