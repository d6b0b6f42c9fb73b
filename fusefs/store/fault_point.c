/* SPDX-License-Identifier: MIT */
/*
 * Faults on demand; see the header.
 */

#include "fault_point.h"

#ifdef FOLDFS_TEST_POINTS

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* The calls that a fault is about. */
enum {
	ON_READ = 1,
	ON_WRITE = 2,
	ON_SYNC = 4,
	ON_RANGE = 8,
	ON_NOTIFICATION = 16,
	ON_STORE = ON_READ | ON_WRITE | ON_SYNC | ON_RANGE,
};

enum effect { FAILS, FALLS_SHORT, FILLS_UP, TAKES_TIME, HOLDS };

struct fault {
	const char *name;
	unsigned calls;
	enum effect effect;
	int error; /* negative errno */
	bool once;
};

static const struct fault faults[] = {
	{"store-read-eio-once", ON_READ, FAILS, -EIO, true},
	{"store-read-eio", ON_READ, FAILS, -EIO, false},
	{"store-read-short", ON_READ, FALLS_SHORT, 0, false},
	{"store-write-eio-once", ON_WRITE, FAILS, -EIO, true},
	{"store-write-eio", ON_WRITE, FAILS, -EIO, false},
	{"store-write-short", ON_WRITE, FALLS_SHORT, 0, false},
	{"store-enospc", ON_WRITE | ON_RANGE, FILLS_UP, -ENOSPC, false},
	{"store-fsync-eio-once", ON_SYNC, FAILS, -EIO, true},
	{"store-fsync-enosys-once", ON_SYNC, FAILS, -ENOSYS, true},
	{"store-range-eio", ON_RANGE, FAILS, -EIO, false},
	{"store-range-never", ON_RANGE, HOLDS, FAULT_HOLDS, false},
	{"store-slow", ON_STORE, TAKES_TIME, 0, false},
	{"kernel-enoent", ON_NOTIFICATION, FAILS, -ENOENT, false},
	{"kernel-enotconn", ON_NOTIFICATION, FAILS, -ENOTCONN, false},
	{"kernel-eagain", ON_NOTIFICATION, FAILS, -EAGAIN, false},
	{"kernel-slow", ON_NOTIFICATION, TAKES_TIME, 0, false},
	{"kernel-never", ON_NOTIFICATION, HOLDS, FAULT_HOLDS, false},
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by mutex. */
static struct {
	const struct fault *fault; /* NULL: none */
	uint64_t number;	   /* what followed the '=': bytes left, milliseconds */
	bool all_files;
	bool by_owner; /* all files of this user */
	uid_t owner;
	dev_t dev;
	ino_t ino;
	uint64_t struck;
} armed;

/* ------------------------------------------------------------------------- arming */

static bool takes_number(const struct fault *fault)
{
	return fault->effect == FILLS_UP || fault->effect == TAKES_TIME;
}

/* @return 0, with NULL for "none", or -EINVAL */
static int parse(const char *value, const struct fault **ret_fault,
		 uint64_t *ret_number)
{
	const size_t len = strcspn(value, "=");
	char *end = NULL;

	*ret_fault = NULL;
	*ret_number = 0;
	if (strcmp(value, "none") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (strlen(faults[i].name) == len &&
		    memcmp(faults[i].name, value, len) == 0)
			*ret_fault = &faults[i];
	if (!*ret_fault || takes_number(*ret_fault) != (value[len] == '='))
		return -EINVAL;
	if (!takes_number(*ret_fault))
		return 0;
	*ret_number = strtoumax(value + len + 1, &end, 10);
	return end == value + len + 1 || *end != '\0' ? -EINVAL : 0;
}

int fault_arm(int fd, const char *value)
{
	const struct fault *fault;
	struct stat attr = {0};
	uint64_t number;
	int status = parse(value, &fault, &number);

	if (status == 0 && fd >= 0 && fstat(fd, &attr) < 0)
		status = -errno;
	if (status < 0)
		return status;
	pthread_mutex_lock(&mutex);
	armed.fault = fault;
	armed.number = number;
	armed.all_files = fd < 0;
	armed.by_owner = fd >= 0 && S_ISDIR(attr.st_mode);
	armed.owner = attr.st_uid;
	armed.dev = attr.st_dev;
	armed.ino = attr.st_ino;
	armed.struck = 0;
	pthread_mutex_unlock(&mutex);
	return 0;
}

void fault_describe(char *text, size_t size)
{
	pthread_mutex_lock(&mutex);
	if (armed.fault)
		snprintf(text, size, "%s %" PRIu64, armed.fault->name, armed.struck);
	else
		snprintf(text, size, "none");
	pthread_mutex_unlock(&mutex);
}

/* ----------------------------------------------------------------------- striking */

/* Required: mutex. */
static bool is_for(int fd)
{
	struct stat attr;

	if (armed.all_files || fstat(fd, &attr) < 0)
		return armed.all_files;
	return armed.by_owner ? attr.st_uid == armed.owner
			      : attr.st_dev == armed.dev && attr.st_ino == armed.ino;
}

/* Required: mutex. What is left of the disk takes the call, or some of it. */
static int fill_up(size_t *len)
{
	if (*len > 0 && armed.number >= *len) {
		armed.number -= *len;
		return 0;
	}
	armed.struck++;
	if (*len == 0 || armed.number == 0)
		return -ENOSPC;
	*len = (size_t)armed.number;
	armed.number = 0;
	return 0;
}

static void sleep_ms(uint64_t ms)
{
	const struct timespec time = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

	nanosleep(&time, NULL);
}

/*
 * What becomes of a call.
 * @param len  bytes that it is to move, 0 if it moves none; lowered if it falls short
 * @return 0: it is made; otherwise that is its result
 */
static int strike(unsigned call, int fd, size_t *len)
{
	uint64_t ms = 0;
	int status = 0;

	pthread_mutex_lock(&mutex);
	if (armed.fault && armed.fault->calls & call && is_for(fd) &&
	    !(armed.fault->once && armed.struck > 0)) {
		switch (armed.fault->effect) {
		case FALLS_SHORT:
			if (*len > 1) {
				*len /= 2;
				armed.struck++;
			}
			break;
		case FILLS_UP:
			status = fill_up(len);
			break;
		case TAKES_TIME:
			ms = armed.number;
			armed.struck++;
			break;
		case FAILS:
		case HOLDS:
			status = armed.fault->error;
			armed.struck++;
			break;
		}
	}
	pthread_mutex_unlock(&mutex);
	if (ms > 0)
		sleep_ms(ms);
	return status;
}

static size_t bytes_of(const struct iovec *iov, int iovcnt)
{
	size_t len = 0;

	for (int i = 0; i < iovcnt; i++)
		len += iov[i].iov_len;
	return len;
}

/* The first len bytes of iov. @return how many elements */
static int cut(struct iovec *to, const struct iovec *iov, size_t len)
{
	int n = 0;

	for (; len > 0; n++) {
		to[n] = iov[n];
		if (to[n].iov_len > len)
			to[n].iov_len = len;
		len -= to[n].iov_len;
	}
	return n;
}

static ssize_t vectored(unsigned call, int fd, const struct iovec *iov, int iovcnt,
			off_t offset)
{
	const size_t wanted = bytes_of(iov, iovcnt);
	struct iovec part[IOV_MAX];
	size_t len = wanted;
	const int status = strike(call, fd, &len);

	if (status < 0) {
		errno = -status;
		return -1;
	}
	if (len < wanted) {
		iovcnt = cut(part, iov, len);
		iov = part;
	}
	return call == ON_READ ? preadv(fd, iov, iovcnt, offset)
			       : pwritev(fd, iov, iovcnt, offset);
}

ssize_t fault_preadv(int fd, const struct iovec *iov, int iovcnt, off_t offset)
{
	return vectored(ON_READ, fd, iov, iovcnt, offset);
}

ssize_t fault_pwritev(int fd, const struct iovec *iov, int iovcnt, off_t offset)
{
	return vectored(ON_WRITE, fd, iov, iovcnt, offset);
}

ssize_t fault_append(int fd, const void *buf, size_t len, off_t end)
{
	const int status = strike(ON_WRITE, fd, &len);
	const struct iovec iov = {(void *)(uintptr_t)buf, len};

	if (status < 0) {
		errno = -status;
		return -1;
	}
	return pwritev2(fd, &iov, 1, end, RWF_APPEND);
}

ssize_t fault_pread(int fd, void *buf, size_t len, off_t offset)
{
	const struct iovec iov = {buf, len};

	return vectored(ON_READ, fd, &iov, 1, offset);
}

ssize_t fault_pwrite(int fd, const void *buf, size_t len, off_t offset)
{
	const struct iovec iov = {(void *)(uintptr_t)buf, len};

	return vectored(ON_WRITE, fd, &iov, 1, offset);
}

ssize_t fault_splice_to(int pipe_fd, int fd, off_t *offset, size_t len)
{
	const int status = strike(ON_WRITE, fd, &len);

	if (status < 0) {
		errno = -status;
		return -1;
	}
	return splice(pipe_fd, NULL, fd, offset, len, 0);
}

/* A call that moves nothing. @return 0, or -1 with errno set */
static int plain(unsigned call, int fd)
{
	size_t len = 0;
	int status;

	while ((status = strike(call, fd, &len)) == FAULT_HOLDS)
		sleep_ms(FAULT_POLL_MS);
	if (status < 0)
		errno = -status;
	return status < 0 ? -1 : 0;
}

int fault_fsync(int fd)
{
	return plain(ON_SYNC, fd) < 0 ? -1 : fsync(fd);
}

int fault_fdatasync(int fd)
{
	return plain(ON_SYNC, fd) < 0 ? -1 : fdatasync(fd);
}

int fault_range(int fd)
{
	return plain(ON_RANGE, fd);
}

int fault_notification(int fd)
{
	size_t len = 0;

	return strike(ON_NOTIFICATION, fd, &len);
}

#endif
