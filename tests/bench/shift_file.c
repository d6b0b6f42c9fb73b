/* SPDX-License-Identifier: MIT */
/*
 * One range operation on one file, timed, while others hammer mappings of it.
 *
 *   bench-shift OPERATION PATH [NAME=VALUE]...
 *
 * OPERATION: collapse and insert (at `at`), move (from `at` to the end of what is
 * used), and rename: what people do who have no collapse, copy the rest of the file
 * with read(2) and write(2) and rename the copy over it.
 *
 *   at, len   bytes
 *   bytes     of the file; it is made anew, with data in the first `data` bytes
 *   state     of the pages in the kernel's cache: none, clean or dirty
 *   below     where the file lies if PATH is on a mount of foldfs: its pages there are
 *             dropped first, too. (Those that were written are in small folios on ext4,
 *             which cost four times as much to drop as those that were read.)
 *   hammers   processes that load and store at random places, in their own mappings
 *
 * Prints a line of JSON: the call's time, and the longest that one access of a hammer
 * took which had begun or ended during the call.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <foldfs.h>

#define PAGE	    4096
#define COPY_BYTES  ((size_t)1 << 20)
#define HAMMERS_MAX 64

enum phase { BEFORE, DURING, AFTER };

/* In memory shared with the hammers. */
struct shared {
	_Atomic int phase;
	_Atomic int ready;
	struct {
		_Atomic uint64_t longest_ns, accesses;
	} hammer[HAMMERS_MAX];
};

struct setting {
	const char *operation, *path, *state, *below;
	uint64_t bytes, data, at, len, hammers;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void must(bool works, const char *what)
{
	if (!works)
		err(1, "%s", what);
}

/* ----------------------------------------------------------------------- the file */

static int make_file(const struct setting *setting)
{
	const int fd =
		open(setting->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	char *buf = malloc(COPY_BYTES);

	must(fd >= 0 && buf, setting->path);
	memset(buf, 'x', COPY_BYTES);
	for (uint64_t at = 0; at < setting->data; at += COPY_BYTES) {
		const uint64_t left = setting->data - at;
		const size_t n = left < COPY_BYTES ? (size_t)left : COPY_BYTES;

		must(pwrite(fd, buf, n, (off_t)at) == (ssize_t)n, "write");
	}
	must(ftruncate(fd, (off_t)setting->bytes) == 0, "ftruncate");
	must(fsync(fd) == 0, "fsync");
	free(buf);
	return fd;
}

static void drop_below(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, path);
	close(fd);
}

/* Have the kernel hold the pages with data in the wanted state. */
static void bring_to_state(const struct setting *setting, int fd, char *map)
{
	const bool dirty = strcmp(setting->state, "dirty") == 0;
	uint64_t sum = 0;

	must(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "posix_fadvise");
	if (setting->below)
		drop_below(setting->below);
	if (strcmp(setting->state, "none") == 0)
		return;
	for (uint64_t at = 0; at < setting->data; at += PAGE) {
		sum += *(volatile unsigned char *)(map + at);
		if (dirty)
			map[at] = (char)sum;
	}
}

/* -------------------------------------------------------------------- the hammers */

static void note(_Atomic uint64_t *longest, uint64_t ns)
{
	if (ns > atomic_load(longest))
		atomic_store(longest, ns);
}

static void hammer(const struct setting *setting, struct shared *shared,
		   unsigned number)
{
	/* What stays within the file whatever happens to it. */
	const uint64_t span =
		setting->data -
		(setting->len < setting->data / 2 ? setting->len : setting->data / 2);
	const int fd = open(setting->path, O_RDWR | O_CLOEXEC);
	uint64_t random = number + 1, before, after, last, count = 0;
	int phase_before;
	char *map;

	must(fd >= 0, setting->path);
	map = mmap(NULL, span, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED, "mmap");
	atomic_fetch_add(&shared->ready, 1);
	do {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		last = random >> 16;
		phase_before = atomic_load(&shared->phase);
		before = now_ns();
		map[last % span]++;
		after = now_ns();
		count++;
		if (phase_before == DURING || atomic_load(&shared->phase) == DURING)
			note(&shared->hammer[number].longest_ns, after - before);
	} while (phase_before != AFTER);
	atomic_store(&shared->hammer[number].accesses, count);
	_exit(0);
}

static void start_hammers(const struct setting *setting, struct shared *shared)
{
	const pid_t parent = getpid();

	for (unsigned i = 0; i < setting->hammers; i++) {
		const pid_t pid = fork();

		must(pid >= 0, "fork");
		if (pid == 0 && getppid() == parent)
			hammer(setting, shared, i);
	}
	while (atomic_load(&shared->ready) < (int)setting->hammers)
		usleep(1000);
	if (setting->hammers > 0)
		usleep(50000); /* until they have come to speed */
}

/* ------------------------------------------------------------------ the operations */

static void copy_and_rename(const struct setting *setting, int fd)
{
	char *name, *buf = malloc(COPY_BYTES);
	off_t from = (off_t)(setting->at + setting->len);
	off_t to = (off_t)setting->at;
	ssize_t n;
	int copy;

	must(asprintf(&name, "%s.new", setting->path) >= 0 && buf, "memory");
	copy = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	must(copy >= 0, name);
	while ((n = pread(fd, buf, COPY_BYTES, from)) > 0) {
		must(pwrite(copy, buf, (size_t)n, to) == n, "write");
		from += n;
		to += n;
	}
	must(n == 0, "read");
	must(rename(name, setting->path) == 0, "rename");
	close(copy);
	free(buf);
	free(name);
}

/* @return whether it could be done at all */
static bool operate(const struct setting *setting, int fd)
{
	const off_t at = (off_t)setting->at, len = (off_t)setting->len;
	int status = 0;

	if (strcmp(setting->operation, "collapse") == 0)
		status = foldfs_collapse_range(fd, at, len);
	else if (strcmp(setting->operation, "insert") == 0)
		status = foldfs_insert_range(fd, at, len);
	else if (strcmp(setting->operation, "move") == 0)
		status = foldfs_move_range(fd, at, len,
					   (off_t)(setting->bytes - setting->len));
	else if (strcmp(setting->operation, "rename") == 0)
		copy_and_rename(setting, fd);
	else
		errx(2, "%s: not an operation", setting->operation);
	if (status < 0 && errno != EOPNOTSUPP)
		err(1, "%s", setting->operation);
	return status == 0;
}

static void run(const struct setting *setting)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const int fd = make_file(setting);
	uint64_t begin, end, longest = 0, accesses = 0;
	bool done;
	char *map;

	must(shared != MAP_FAILED, "mmap");
	map = mmap(NULL, setting->data, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(map != MAP_FAILED, "mmap");
	start_hammers(setting, shared);
	bring_to_state(setting, fd, map);
	atomic_store(&shared->phase, DURING);
	begin = now_ns();
	done = operate(setting, fd);
	end = now_ns();
	atomic_store(&shared->phase, AFTER);
	while (wait(NULL) > 0 || errno == EINTR)
		continue;
	for (unsigned i = 0; i < setting->hammers; i++) {
		note(&shared->hammer[i].longest_ns, 0);
		if (shared->hammer[i].longest_ns > longest)
			longest = shared->hammer[i].longest_ns;
		accesses += shared->hammer[i].accesses;
	}
	printf("{\"operation\": \"%s\", \"done\": %s, \"ns\": %" PRIu64
	       ", \"longest_ns\": %" PRIu64 ", \"accesses\": %" PRIu64 "}\n",
	       setting->operation, done ? "true" : "false", end - begin, longest,
	       accesses);
	munmap(map, setting->data);
	close(fd);
	unlink(setting->path);
}

static void set(struct setting *setting, const char *argument)
{
	const char *value = strchr(argument, '=');
	const struct {
		const char *name;
		uint64_t *number;
	} numbers[] = {
		{"at", &setting->at},		{"len", &setting->len},
		{"bytes", &setting->bytes},	{"data", &setting->data},
		{"hammers", &setting->hammers},
	};

	if (!value)
		errx(2, "%s: not a setting", argument);
	if (strncmp(argument, "state=", 6) == 0) {
		setting->state = value + 1;
		return;
	}
	if (strncmp(argument, "below=", 6) == 0) {
		setting->below = value + 1;
		return;
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const size_t n = (size_t)(value - argument);

		if (strlen(numbers[i].name) == n &&
		    strncmp(argument, numbers[i].name, n) == 0) {
			*numbers[i].number = strtoull(value + 1, NULL, 0);
			return;
		}
	}
	errx(2, "%s: not a setting", argument);
}

int main(int argc, char *argv[])
{
	struct setting setting = {.state = "none", .len = PAGE};

	if (argc < 3)
		errx(2, "usage: bench-shift OPERATION PATH [NAME=VALUE]...");
	setting.operation = argv[1];
	setting.path = argv[2];
	for (int i = 3; i < argc; i++)
		set(&setting, argv[i]);
	if (setting.data == 0 || setting.data > setting.bytes)
		setting.data = setting.bytes;
	if (setting.hammers > HAMMERS_MAX || setting.data < 2 * PAGE)
		errx(2, "too many hammers, or too small a file");
	run(&setting);
	return 0;
}
