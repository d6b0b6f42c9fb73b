/* SPDX-License-Identifier: MIT */
/*
 * The floor: what FUSE itself costs.
 *
 * One file, `data`, that reads as one constant buffer again and again, and takes writes
 * without looking at them. Whatever a mount of something real does comes on top. With
 * the same threads as foldfs (fusefs/serve/serving.c), looking for the next request for as
 * long before they sleep, and one round trip for a write, as there (fusefs/process/init_answer.c).
 *
 *   bench-floor MOUNTPOINT FILE_BYTES SPIN_US [THREADS]       in the foreground
 */

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init_answer.h"
#include "serving.h"

#define DATA_INO      2
#define REQUEST_BYTES ((size_t)1 << 20)
#define FOREVER_S     86400.0

static char buffer[REQUEST_BYTES];
static off_t file_bytes;

static void fill_attr(fuse_ino_t ino, struct stat *attr)
{
	const bool is_data = ino == DATA_INO;

	*attr = (struct stat){
		.st_ino = ino,
		.st_mode = is_data ? S_IFREG | 0666 : S_IFDIR | 0755,
		.st_nlink = 1,
		.st_uid = getuid(),
		.st_gid = getgid(),
		.st_size = is_data ? file_bytes : 0,
	};
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {
		.ino = DATA_INO, .attr_timeout = FOREVER_S, .entry_timeout = FOREVER_S};

	if (parent != FUSE_ROOT_ID || strcmp(name, "data") != 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill_attr(DATA_INO, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat attr;

	(void)fi;
	fill_attr(ino, &attr);
	fuse_reply_attr(req, &attr, FOREVER_S);
}

static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	(void)attr;
	(void)to_set;
	op_getattr(req, ino, fi);
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->keep_cache = 1;
#if LIBFUSE_HAS_NOFLUSH
	fi->noflush = 1;
#endif
	fuse_reply_open(req, fi);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *fi)
{
	struct iovec iov = {buffer, size};

	(void)ino;
	(void)fi;
	if (offset >= file_bytes)
		iov.iov_len = 0;
	else if ((off_t)size > file_bytes - offset)
		iov.iov_len = (size_t)(file_bytes - offset);
	fuse_reply_iov(req, &iov, 1);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
		     off_t offset, struct fuse_file_info *fi)
{
	(void)ino;
	(void)buf;
	(void)offset;
	(void)fi;
	fuse_reply_write(req, size);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync,
		     struct fuse_file_info *fi)
{
	(void)ino;
	(void)datasync;
	(void)fi;
	fuse_reply_err(req, 0);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	(void)ino;
	(void)name;
	(void)size;
	fuse_reply_err(req, ENODATA); /* as a file system with attributes would */
}

static void init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	/* As foldfs, in so far as it concerns reading and writing. */
	libfuse_want(conn, FUSE_CAP_ASYNC_READ | FUSE_CAP_ASYNC_DIO |
				   FUSE_CAP_EXPLICIT_INVAL_DATA |
				   LIBFUSE_CAP_PARALLEL_DIROPS |
				   LIBFUSE_CAP_HANDLE_KILLPRIV_V2);
	libfuse_refuse(conn, FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ |
				     FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
				     FUSE_CAP_HANDLE_KILLPRIV |
				     LIBFUSE_CAP_OVER_IO_URING);
	conn->max_background = 1024;
	conn->max_write = conn->max_read = (unsigned)REQUEST_BYTES;
}

static const struct fuse_lowlevel_ops operations = {
	.init = init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.getxattr = op_getxattr,
};

int main(int argc, char *argv[])
{
	const char *mount_argv[] = {
		"bench-floor", "-o",
		"fsname=floor,default_permissions,max_read=1048576"};
	struct fuse_args args = FUSE_ARGS_INIT(3, (char **)(uintptr_t)mount_argv);
	struct fuse_session *session;
	struct serving_config config = {.share = UINT_MAX, .device_share = UINT_MAX};
	struct serving *serving;
	int status;

	if (argc < 4)
		errx(2, "usage: bench-floor MOUNTPOINT FILE_BYTES SPIN_US [THREADS]");
	file_bytes = (off_t)strtoll(argv[2], NULL, 0);
	session = fuse_session_new(&args, &operations, sizeof(operations), NULL);
	if (!session || fuse_session_mount(session, argv[1]) != 0 ||
	    init_answer_add(session, INIT_ANSWER_LACKS) < 0)
		return 1;
	config.session = session;
	config.threads_max = argc > 4 ? (unsigned)atoi(argv[4]) : 8;
	config.threads_bound = config.threads_max;
	config.poll_ns_max = (unsigned)atoi(argv[3]) * 1000;
	status = serving_create(&config, &serving);
	if (status == 0) {
		status = serving_run(serving);
		serving_free(serving);
	}
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	fuse_opt_free_args(&args);
	return status < 0;
}
