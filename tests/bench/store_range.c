/* SPDX-License-Identifier: MIT */
/*
 * What a range operation on a store costs.
 *
 *	bench-store-range SOURCE SIZE_MIB OPERATION LEN_KIB
 *			  [WAY [WINDOW_MIB [STAGE_BELOW_KIB]]]
 *
 * OPERATION is collapse, insert or move; WAY is native (what the store has), reflink or
 * copy. A file of SIZE_MIB is written and synced; the operation is done at its start
 * (move: to its end), three times, and timed with the journal and all syncs, by the
 * clock and in processor time; calls of the store are counted. The file is removed.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shift_recover.h"
#include "store_range.h"

#define RUNS 3

static struct {
	uint64_t read_bytes;
	uint64_t written_bytes;
	unsigned long syncs;
	unsigned long clones;
} count;

static ssize_t counting_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	count.read_bytes += len;
	return store_io_system.pread(fd, buf, len, offset);
}

static ssize_t counting_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	count.written_bytes += len;
	return store_io_system.pwrite(fd, buf, len, offset);
}

static int counting_fdatasync(int fd)
{
	count.syncs++;
	return store_io_system.fdatasync(fd);
}

static int counting_fsync_dir(int fd)
{
	count.syncs++;
	return store_io_system.fsync_dir(fd);
}

static int counting_clone(int to_fd, uint64_t to, int from_fd, uint64_t from,
			  uint64_t len)
{
	count.clones++;
	return store_io_system.clone(to_fd, to, from_fd, from, len);
}

static int make_file(int source_fd, uint64_t size)
{
	static char buf[1 << 20];
	const int fd = openat(source_fd, "bench-store-range.tmp",
			      O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 2654435761u >> 13);
	for (uint64_t at = 0; at < size && fd >= 0; at += sizeof(buf))
		if (pwrite(fd, buf, sizeof(buf), (off_t)at) != sizeof(buf))
			return -1;
	return fd < 0 || fsync(fd) < 0 ? -1 : fd;
}

static double now_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int operate(const struct store_range_ctx *ctx, int fd, const char *operation,
		   uint64_t size, uint64_t len)
{
	if (strcmp(operation, "collapse") == 0)
		return store_collapse(ctx, fd, 0, len);
	if (strcmp(operation, "insert") == 0)
		return store_insert(ctx, fd, 0, len);
	return store_move(ctx, fd, 0, len, size - len);
}

static int bench(struct store_range_ctx *ctx, uint64_t size, const char *operation,
		 uint64_t len)
{
	const int fd = make_file(ctx->source_fd, size);

	if (fd < 0) {
		perror("cannot write the file");
		return 1;
	}
	for (int run = 0; run < RUNS; run++) {
		const double start = now_ms(CLOCK_MONOTONIC);
		const double start_cpu = now_ms(CLOCK_PROCESS_CPUTIME_ID);
		int err;

		memset(&count, 0, sizeof(count));
		err = operate(ctx, fd, operation, size, len);
		if (err) {
			fprintf(stderr, "%s: %s\n", operation, strerror(-err));
			return 1;
		}
		printf("%9.1f ms  cpu %7.1f ms  read %llu MiB  written %llu MiB  syncs %lu  "
		       "clones %lu\n",
		       now_ms(CLOCK_MONOTONIC) - start,
		       now_ms(CLOCK_PROCESS_CPUTIME_ID) - start_cpu,
		       (unsigned long long)count.read_bytes >> 20,
		       (unsigned long long)count.written_bytes >> 20, count.syncs,
		       count.clones);
	}
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct store_io io = store_io_system;
	struct store_range_ctx ctx = {.io = &io, .probe = store_probe_new()};
	const char *way = argc > 5 ? argv[5] : "native";
	int status;

	if (argc < 5 || !ctx.probe) {
		fprintf(stderr,
			"usage: %s SOURCE SIZE_MIB collapse|insert|move LEN_KIB "
			"[native|reflink|copy [WINDOW_MIB [STAGE_BELOW_KIB]]]\n",
			argv[0]);
		return 2;
	}
	io.pread = counting_pread;
	io.pwrite = counting_pwrite;
	io.fdatasync = counting_fdatasync;
	io.fsync_dir = counting_fsync_dir;
	io.clone = counting_clone;
	if (strcmp(way, "native") != 0)
		ctx.avoid |= STORE_AVOID_NATIVE;
	if (strcmp(way, "copy") == 0)
		ctx.avoid |= STORE_AVOID_REFLINK;
	if (argc > 6)
		ctx.window_bytes = strtoull(argv[6], NULL, 10) << 20;
	if (argc > 7)
		ctx.stage_below_bytes = strtoull(argv[7], NULL, 10) << 10;
	ctx.source_fd = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ctx.source_fd < 0) {
		perror(argv[1]);
		return 1;
	}
	status = bench(&ctx, strtoull(argv[2], NULL, 10) << 20, argv[3],
		       strtoull(argv[4], NULL, 10) << 10);
	unlinkat(ctx.source_fd, "bench-store-range.tmp", 0);
	shift_recover_cleanup(ctx.source_fd);
	store_probe_free(ctx.probe);
	return status;
}
