/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks have a mount do: one kind of access, timed, as a line of JSON.
 *
 *   client WORK PATH [NAME=VALUE]...
 *
 * The works are in the table below; what they take:
 *
 *   bytes    of the file (or of the part that is used), from its start
 *   chunk    bytes of one access, a multiple of 4096
 *   count    accesses, of each thread; 0: once through the file
 *   order    sequential or random (a permutation: nothing comes twice)
 *   threads  each with its own descriptor, and its own part of the file
 *   cold     1: have the kernel drop the file's clean pages first, not the daemon's
 *   warm     1: go through it once before the clock runs (load and read)
 *   advice   of madvise: normal, random or sequential
 *   seed     of the random order
 *
 * Every latency is kept and sorted, so percentiles are exact. Bytes that are read are
 * added up, so that no access can be left out.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct setting {
	const char *path;
	uint64_t bytes, chunk, count, threads, seed;
	bool cold, warm, random;
	int advice;
};

/* One thread's part. */
struct part {
	const struct setting *setting;
	void (*run)(struct part *part);
	uint64_t start, chunks; /* of the file: bytes, and chunks from there on */
	uint64_t *order;	/* chunk numbers */
	uint64_t count;
	uint64_t *latency_ns;
	uint64_t sum;
	uint64_t begin_ns, end_ns;
	pthread_barrier_t *barrier;
	pthread_t thread;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void *need(void *memory)
{
	if (!memory)
		errx(1, "out of memory");
	return memory;
}

static int open_file(const struct setting *setting, int flags)
{
	const int fd = open(setting->path, flags | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", setting->path);
	return fd;
}

/* ------------------------------------------------------------------ the accesses */

static char *map_file(const struct setting *setting, bool writable)
{
	const int fd = open_file(setting, writable ? O_RDWR : O_RDONLY);
	char *map = mmap(NULL, setting->bytes, PROT_READ | (writable ? PROT_WRITE : 0),
			 MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		err(1, "mmap of %s", setting->path);
	close(fd);
	if (setting->advice && madvise(map, setting->bytes, setting->advice) < 0)
		err(1, "madvise");
	return map;
}

static void start_together(struct part *part)
{
	pthread_barrier_wait(part->barrier);
	part->begin_ns = now_ns();
}

/* Reads a word of each chunk: the cost of having the page. */
static void run_touch(struct part *part)
{
	char *map = map_file(part->setting, false);
	uint64_t before, after;

	start_together(part);
	before = part->begin_ns;
	for (uint64_t i = 0; i < part->count; i++) {
		part->sum +=
			*(volatile uint64_t *)(void *)(map + part->start +
						       part->order[i] *
							       part->setting->chunk);
		after = now_ns();
		part->latency_ns[i] = after - before;
		before = after;
	}
	part->end_ns = before;
	munmap(map, part->setting->bytes);
}

static void load_all(struct part *part, const char *map)
{
	const uint64_t chunk = part->setting->chunk;

	for (uint64_t i = 0; i < part->count; i++) {
		const uint64_t *word =
			(const void *)(map + part->start + part->order[i] * chunk);

		for (uint64_t k = 0; k < chunk / sizeof(*word); k++)
			part->sum += word[k];
	}
}

/* Reads every byte of each chunk. */
static void run_load(struct part *part)
{
	char *map = map_file(part->setting, false);

	if (part->setting->warm)
		load_all(part, map);
	start_together(part);
	load_all(part, map);
	part->end_ns = now_ns();
	munmap(map, part->setting->bytes);
}

/* Stores to each chunk, then msync. */
static void run_store(struct part *part)
{
	char *map = map_file(part->setting, true);
	const uint64_t chunk = part->setting->chunk;

	start_together(part);
	for (uint64_t i = 0; i < part->count; i++)
		memset(map + part->start + part->order[i] * chunk, (int)i, chunk);
	if (msync(map, part->setting->bytes, MS_SYNC) < 0)
		err(1, "msync");
	part->end_ns = now_ns();
	munmap(map, part->setting->bytes);
}

static void access_chunk(const struct part *part, int fd, char *buf, uint64_t i,
			 bool writes)
{
	const size_t chunk = part->setting->chunk;
	const off_t offset = (off_t)(part->start + part->order[i] * chunk);
	const ssize_t n =
		writes ? pwrite(fd, buf, chunk, offset) : pread(fd, buf, chunk, offset);

	if (n != (ssize_t)chunk)
		err(1, "%s at %jd", writes ? "write" : "read", (intmax_t)offset);
}

static void run_io(struct part *part, bool writes, bool syncs)
{
	const struct setting *setting = part->setting;
	const int fd = open_file(setting, writes ? O_RDWR : O_RDONLY);
	char *buf = need(aligned_alloc(4096, setting->chunk));
	uint64_t before, after;

	memset(buf, (int)setting->seed, setting->chunk);
	for (uint64_t i = 0; setting->warm && i < part->count; i++)
		access_chunk(part, fd, buf, i, writes);
	start_together(part);
	before = part->begin_ns;
	for (uint64_t i = 0; i < part->count; i++) {
		access_chunk(part, fd, buf, i, writes);
		if (syncs && fdatasync(fd) < 0)
			err(1, "fdatasync");
		part->sum += (unsigned char)buf[0];
		after = now_ns();
		part->latency_ns[i] = after - before;
		before = after;
	}
	part->end_ns = before;
	free(buf);
	close(fd);
}

static void run_read(struct part *part)
{
	run_io(part, false, false);
}

static void run_write(struct part *part)
{
	run_io(part, true, false);
}

static void run_log(struct part *part)
{
	run_io(part, true, true);
}

/* Files named 0, 1, … in directories of 100. */
static void small_name(char *name, size_t size, const struct setting *setting,
		       uint64_t i)
{
	snprintf(name, size, "%s/%" PRIu64 "/%" PRIu64, setting->path, i / 100, i);
}

static void run_small(struct part *part)
{
	char name[4096], buf[16384];
	uint64_t before, after;

	start_together(part);
	before = part->begin_ns;
	for (uint64_t i = 0; i < part->count; i++) {
		int fd;

		small_name(name, sizeof(name), part->setting,
			   part->start + part->order[i]);
		fd = open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, buf, sizeof(buf)) < 0)
			err(1, "%s", name);
		part->sum += (unsigned char)buf[0];
		close(fd);
		after = now_ns();
		part->latency_ns[i] = after - before;
		before = after;
	}
	part->end_ns = before;
}

static void run_stat(struct part *part)
{
	uint64_t before, after;
	struct stat attr;
	char name[4096];

	start_together(part);
	before = part->begin_ns;
	for (uint64_t i = 0; i < part->count; i++) {
		small_name(name, sizeof(name), part->setting,
			   part->start + part->order[i]);
		if (stat(name, &attr) < 0)
			err(1, "%s", name);
		part->sum += (uint64_t)attr.st_size;
		after = now_ns();
		part->latency_ns[i] = after - before;
		before = after;
	}
	part->end_ns = before;
}

static void run_make(struct part *part)
{
	char name[4096], buf[4096];

	memset(buf, 'x', sizeof(buf));
	start_together(part);
	for (uint64_t i = 0; i < part->count; i++) {
		const uint64_t file = part->start + part->order[i];
		int fd;

		if (file % 100 == 0) {
			snprintf(name, sizeof(name), "%s/%" PRIu64, part->setting->path,
				 file / 100);
			if (mkdir(name, 0755) < 0)
				err(1, "%s", name);
		}
		small_name(name, sizeof(name), part->setting, file);
		fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		if (fd < 0 ||
		    write(fd, buf, part->setting->chunk % sizeof(buf) + 1) < 0)
			err(1, "%s", name);
		close(fd);
	}
	part->end_ns = now_ns();
}

/* --------------------------------------------------------------------- the works */

static const struct work {
	const char *name;
	void (*run)(struct part *part);
	bool counts_files; /* count is files, and nothing is known of their bytes */
	bool latencies;
} works[] = {
	{"touch", run_touch, false, true},  {"load", run_load, false, false},
	{"store", run_store, false, false}, {"read", run_read, false, true},
	{"write", run_write, false, true},  {"log", run_log, false, true},
	{"small", run_small, true, true},   {"stat", run_stat, true, true},
	{"make", run_make, true, false},
};

static void make_order(struct part *part, uint64_t seed)
{
	part->order = need(calloc(part->chunks, sizeof(*part->order)));
	for (uint64_t i = 0; i < part->chunks; i++)
		part->order[i] = i;
	for (uint64_t i = part->chunks; part->setting->random && i > 1; i--) {
		const uint64_t k = next_random(&seed) % i, chosen = part->order[k];

		part->order[k] = part->order[i - 1];
		part->order[i - 1] = chosen;
	}
}

static void prepare(struct part *part, const struct setting *setting,
		    const struct work *work, uint64_t number)
{
	const uint64_t all =
		work->counts_files ? setting->count : setting->bytes / setting->chunk;
	const uint64_t each = all / setting->threads;

	part->setting = setting;
	part->run = work->run;
	part->chunks = each;
	part->start = number * each * (work->counts_files ? 1 : setting->chunk);
	part->count = !work->counts_files && setting->count > 0 && setting->count < each
			      ? setting->count
			      : each;
	make_order(part, setting->seed + number);
	part->latency_ns = need(calloc(part->count, sizeof(*part->latency_ns)));
	memset(part->latency_ns, 0, part->count * sizeof(*part->latency_ns));
}

static void drop_clean_pages(const struct setting *setting)
{
	const int fd = open_file(setting, O_RDONLY);

	errno = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (errno)
		err(1, "posix_fadvise");
	close(fd);
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void print_latencies(const struct part *parts, uint64_t threads)
{
	uint64_t n = 0, *all;

	for (uint64_t i = 0; i < threads; i++)
		n += parts[i].count;
	all = need(calloc(n, sizeof(*all)));
	n = 0;
	for (uint64_t i = 0; i < threads; i++) {
		memcpy(all + n, parts[i].latency_ns, parts[i].count * sizeof(*all));
		n += parts[i].count;
	}
	qsort(all, n, sizeof(*all), compare);
	printf(", \"p50_ns\": %" PRIu64 ", \"p90_ns\": %" PRIu64
	       ", \"p99_ns\": %" PRIu64 ", \"p999_ns\": %" PRIu64
	       ", \"max_ns\": %" PRIu64,
	       all[n / 2], all[n * 90 / 100], all[n * 99 / 100], all[n * 999 / 1000],
	       all[n - 1]);
	free(all);
}

static void print_result(const struct setting *setting, const struct work *work,
			 const struct part *parts)
{
	uint64_t begin = UINT64_MAX, end = 0, count = 0, sum = 0;
	struct rusage usage;

	for (uint64_t i = 0; i < setting->threads; i++) {
		begin = parts[i].begin_ns < begin ? parts[i].begin_ns : begin;
		end = parts[i].end_ns > end ? parts[i].end_ns : end;
		count += parts[i].count;
		sum += parts[i].sum;
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"work\": \"%s\", \"count\": %" PRIu64 ", \"ns\": %" PRIu64
	       ", \"bytes\": %" PRIu64 ", \"sum\": %" PRIu64
	       ", \"user_us\": %ld, \"system_us\": %ld",
	       work->name, count, end - begin,
	       work->counts_files ? 0 : count * setting->chunk, sum,
	       usage.ru_utime.tv_sec * 1000000L + usage.ru_utime.tv_usec,
	       usage.ru_stime.tv_sec * 1000000L + usage.ru_stime.tv_usec);
	if (work->latencies)
		print_latencies(parts, setting->threads);
	printf("}\n");
}

static void *thread(void *arg)
{
	struct part *part = arg;

	part->run(part);
	return NULL;
}

static void run(const struct setting *setting, const struct work *work)
{
	struct part *parts = need(calloc(setting->threads, sizeof(*parts)));
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, (unsigned)setting->threads);
	if (setting->cold)
		drop_clean_pages(setting);
	for (uint64_t i = 0; i < setting->threads; i++) {
		prepare(&parts[i], setting, work, i);
		parts[i].barrier = &barrier;
	}
	for (uint64_t i = 0; i < setting->threads; i++)
		if (pthread_create(&parts[i].thread, NULL, thread, &parts[i]))
			errx(1, "cannot start a thread");
	for (uint64_t i = 0; i < setting->threads; i++)
		pthread_join(parts[i].thread, NULL);
	print_result(setting, work, parts);
}

/* ---------------------------------------------------------------- the command line */

static int advice_of(const char *name)
{
	if (strcmp(name, "random") == 0)
		return MADV_RANDOM;
	return strcmp(name, "sequential") == 0 ? MADV_SEQUENTIAL : MADV_NORMAL;
}

static void set(struct setting *setting, const char *argument)
{
	const char *value = strchr(argument, '=');
	const size_t len = value ? (size_t)(value++ - argument) : 0;
	const struct {
		const char *name;
		uint64_t *number;
	} numbers[] = {
		{"bytes", &setting->bytes}, {"chunk", &setting->chunk},
		{"count", &setting->count}, {"threads", &setting->threads},
		{"seed", &setting->seed},
	};

	for (size_t i = 0; len > 0 && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strlen(numbers[i].name) == len &&
		    strncmp(argument, numbers[i].name, len) == 0) {
			*numbers[i].number = strtoull(value, NULL, 0);
			return;
		}
	}
	if (len == 4 && strncmp(argument, "cold", len) == 0)
		setting->cold = strcmp(value, "1") == 0;
	else if (len == 4 && strncmp(argument, "warm", len) == 0)
		setting->warm = strcmp(value, "1") == 0;
	else if (len == 5 && strncmp(argument, "order", len) == 0)
		setting->random = strcmp(value, "random") == 0;
	else if (len == 6 && strncmp(argument, "advice", len) == 0)
		setting->advice = advice_of(value);
	else
		errx(2, "%s: not a setting", argument);
}

int main(int argc, char *argv[])
{
	struct setting setting = {
		.chunk = 4096, .threads = 1, .seed = 1, .advice = MADV_NORMAL};
	struct stat attr;

	if (argc < 3)
		errx(2, "usage: client WORK PATH [NAME=VALUE]...");
	setting.path = argv[2];
	for (int i = 3; i < argc; i++)
		set(&setting, argv[i]);
	if (setting.bytes == 0 && stat(setting.path, &attr) == 0)
		setting.bytes = (uint64_t)attr.st_size;
	if (setting.threads == 0 || setting.chunk < 4096 || setting.chunk % 4096 != 0)
		errx(2, "threads and chunk must not be 0, chunk a multiple of 4096");
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (strcmp(works[i].name, argv[1]) == 0) {
			run(&setting, &works[i]);
			return 0;
		}
	}
	errx(2, "%s: not a work", argv[1]);
}
