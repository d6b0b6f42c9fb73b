/* SPDX-License-Identifier: MIT */
/*
 * Operations as system calls.
 */

#include "perform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <foldfs.h>

#include "random.h"
#include "touch.h"

static int status(int result)
{
	return result < 0 ? -errno : 0;
}

/* Until all is there, or the end of the file, or an error. */
static int read_all(int fd, uint8_t *data, uint64_t len, uint64_t offset,
		    uint64_t *ret_done)
{
	ssize_t n = 1;

	*ret_done = 0;
	while (*ret_done < len && n > 0) {
		n = pread(fd, data + *ret_done, len - *ret_done,
			  (off_t)(offset + *ret_done));
		if (n > 0)
			*ret_done += (uint64_t)n;
	}
	return n < 0 ? -errno : 0;
}

static int write_all(int fd, const uint8_t *data, uint64_t len, uint64_t offset,
		     uint64_t *ret_done)
{
	ssize_t n = 1;

	*ret_done = 0;
	while (*ret_done < len && n > 0) {
		n = pwrite(fd, data + *ret_done, len - *ret_done,
			   (off_t)(offset + *ret_done));
		if (n > 0)
			*ret_done += (uint64_t)n;
	}
	return n < 0 ? -errno : 0;
}

static int copy_all(int fd, const struct operation *op, uint64_t *ret_done)
{
	ssize_t n = 1;

	*ret_done = 0;
	while (*ret_done < op->len && n > 0) {
		off_t from = (off_t)(op->offset + *ret_done);
		off_t to = (off_t)(op->destination + *ret_done);

		n = copy_file_range(fd, &from, fd, &to, op->len - *ret_done, 0);
		if (n > 0)
			*ret_done += (uint64_t)n;
	}
	return n < 0 ? -errno : 0;
}

/* Only foldfs moves in one step. In two, on a file system that can at least punch. */
static int move(struct worker *worker, const struct operation *op, bool *ret_emulated)
{
	const off_t offset = (off_t)op->offset, len = (off_t)op->len;
	uint64_t done;
	int err = status(
		foldfs_move_range(worker->fd, offset, len, (off_t)op->destination));

	if (err != -EOPNOTSUPP)
		return err;
	err = read_all(worker->fd, worker->scratch, op->len, op->offset, &done);
	if (err == 0)
		err = write_all(worker->fd, worker->scratch, done, op->destination,
				&done);
	if (err == 0)
		err = status(foldfs_punch_hole(worker->fd, offset, len));
	*ret_emulated = true;
	return err;
}

static int synchronize(struct worker *worker, const struct operation *op)
{
	return status(op->seed % 2 ? fdatasync(worker->fd) : fsync(worker->fd));
}

static int msync_mapping(uint8_t *at, const struct operation *op)
{
	static const int flags[] = {MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE};

	return status(msync(at, op->len, flags[op->seed % 3]));
}

static int advise_mapping(uint8_t *at, const struct operation *op)
{
	static const int advice[] = {MADV_DONTNEED, MADV_WILLNEED, MADV_COLD,
				     MADV_PAGEOUT};
	const int err = status(madvise(at, op->len, advice[op->seed % 4]));

	/* Older kernels, and kernels without swap. It is advice, after all. */
	return err == -EINVAL && op->seed % 4 >= 2 ? 0 : err;
}

static int advise_file(struct worker *worker, const struct operation *op)
{
	static const int advice[] = {POSIX_FADV_DONTNEED, POSIX_FADV_WILLNEED,
				     POSIX_FADV_RANDOM, POSIX_FADV_NORMAL};

	return -posix_fadvise(worker->fd, (off_t)op->offset, (off_t)op->len,
			      advice[op->seed % 4]);
}

/* Those that go through a mapping. */
static void perform_mapped(struct worker *worker, const struct operation *op,
			   struct outcome *outcome, uint8_t *data)
{
	uint8_t *at = worker->mappings[op->mapping] + op->offset;

	switch (op->kind) {
	case OP_MAPREAD:
		outcome->done = touch_copy(data, at, op->len, at);
		outcome->faulted = outcome->done < op->len;
		break;
	case OP_MAPWRITE:
		content_fill(worker->scratch, op->len, op->seed);
		outcome->done = touch_copy(at, worker->scratch, op->len, at);
		outcome->faulted = outcome->done < op->len;
		break;
	case OP_MSYNC:
		outcome->err = msync_mapping(at, op);
		break;
	default:
		outcome->err = advise_mapping(at, op);
		break;
	}
}

/* Those that change which bytes there are. */
static int perform_range(struct worker *worker, const struct operation *op,
			 bool *ret_emulated)
{
	const int keep_size = op->seed % 2 ? FALLOC_FL_KEEP_SIZE : 0;
	const int fd = worker->fd;
	const off_t offset = (off_t)op->offset, len = (off_t)op->len;

	switch (op->kind) {
	case OP_TRUNCATE:
		return status(ftruncate(fd, len));
	case OP_PUNCH:
		return status(foldfs_punch_hole(fd, offset, len));
	case OP_ZERO:
		return status(foldfs_zero_range(fd, offset, len));
	case OP_COLLAPSE:
		return status(foldfs_collapse_range(fd, offset, len));
	case OP_INSERT:
		return status(foldfs_insert_range(fd, offset, len));
	case OP_MOVE:
		return move(worker, op, ret_emulated);
	case OP_ALLOCATE:
		return status(fallocate(fd, keep_size, offset, len));
	case OP_FPUNCH:
		return status(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					offset, len));
	default:
		return status(
			fallocate(fd, FALLOC_FL_ZERO_RANGE | keep_size, offset, len));
	}
}

void perform(struct worker *worker, const struct operation *op,
	     struct outcome *ret_outcome, uint8_t *data)
{
	struct outcome outcome = {0};
	struct stat st;

	switch (op->kind) {
	case OP_READ:
		outcome.err =
			read_all(worker->fd, data, op->len, op->offset, &outcome.done);
		break;
	case OP_WRITE:
		content_fill(worker->scratch, op->len, op->seed);
		outcome.err = write_all(worker->fd, worker->scratch, op->len,
					op->offset, &outcome.done);
		break;
	case OP_MAPREAD:
	case OP_MAPWRITE:
	case OP_MSYNC:
	case OP_MADVISE:
		perform_mapped(worker, op, &outcome, data);
		break;
	case OP_COPY:
		outcome.err = copy_all(worker->fd, op, &outcome.done);
		break;
	case OP_FSYNC:
		outcome.err = synchronize(worker, op);
		break;
	case OP_FADVISE:
		outcome.err = advise_file(worker, op);
		break;
	case OP_REOPEN:
		outcome.err = worker_reopen(worker);
		break;
	case OP_RENAME:
		outcome.err = worker_rename(worker, op->seed % 2);
		break;
	case OP_UNLINK:
		outcome.err = worker_unlink(worker);
		break;
	case OP_RECREATE:
		outcome.err = worker_create(worker);
		break;
	default:
		outcome.err = perform_range(worker, op, &outcome.emulated);
		break;
	}
	if (fstat(worker->fd, &st) == 0)
		outcome.size = (uint64_t)st.st_size;
	else if (outcome.err == 0)
		outcome.err = -errno;
	*ret_outcome = outcome;
}

int worker_init(struct worker *worker, struct board *board, const struct limits *limits)
{
	*worker = (struct worker){
		.board = board,
		.limits = *limits,
		.mapping_bytes = team_mapping_bytes(limits),
		.fd = -1,
		.scratch = malloc(team_mapping_bytes(limits)),
		.random = (uint64_t)getpid(),
	};
	return worker->scratch ? touch_init() : -ENOMEM;
}

void worker_obey(struct worker *worker, struct station *station)
{
	struct outcome *outcome = &station->outcome;

	switch (station->order) {
	case ORDER_OPERATION:
		perform(worker, &station->op, outcome, station->data);
		break;
	case ORDER_STEP:
		perform_step(worker, station);
		break;
	case ORDER_TOGETHER:
		perform_together(worker, station);
		break;
	case ORDER_CREATE:
		*outcome = (struct outcome){.err = worker_create(worker)};
		outcome->on_foldfs = foldfs_is_mount(worker->fd) > 0;
		break;
	case ORDER_OPEN:
		*outcome = (struct outcome){.err = worker_open(worker)};
		break;
	case ORDER_REMOVE:
		*outcome = (struct outcome){.err = worker_remove(worker)};
		break;
	}
}
