/* SPDX-License-Identifier: MIT */
/*
 * A load that remembers what it was promised, and a check of the promises.
 *
 *	acknowledged load [--fsync] DIRECTORY LOG    until the directory fails; makes
 *	                                             LOG.ready when changes begin
 *	acknowledged check DIRECTORY LOG
 *
 * Each of some threads owns a directory and does three things in turn: it overwrites
 * records of a file with pwrite, stores records through a mapping and calls msync, and
 * makes, renames and removes small files. Before each change it notes in the log what
 * it is about to do, after the call has returned that it is done. The log is a mapping
 * of a file that has nothing to do with DIRECTORY.
 *
 * The check demands what was done, and allows of what was being done any part: every
 * eight bytes of a record carry the number of their change, and that number is at least
 * the last one acknowledged and at most the last one begun. With --fsync a change
 * counts as done when the next fsync has returned; without, when its own call has.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKERS	    4
#define RECORDS	    200
#define RECORD	    5000 /* bytes: straddles pages, a multiple of eight */
#define WORDS	    (RECORD / sizeof(uint64_t))
#define KEPT	    20 /* of the small files */
#define FSYNC_EVERY 16
/* A load that nothing stops ends by itself, as a failure. */
#define CHANGES_MAX 20000000u

/* Two sides of one number: as begun, as acknowledged. */
struct promise {
	_Atomic uint32_t begun;
	_Atomic uint32_t done;
};

struct worker_log {
	struct promise written[RECORDS];
	struct promise stored[RECORDS];
	struct promise made;	/* small files 1 ... n exist under their last name, */
	struct promise removed; /* but 1 ... m no longer */
};

struct worker {
	struct worker_log *log;
	int number;
	bool with_fsync;
	int file;	 /* for pwrite */
	int mapped_file; /* for stores */
	char *mapping;
	uint32_t change; /* number of the last change begun */
	uint32_t random;
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* ------------------------------------------------------------------ records */

static void fill_record(uint64_t *words, int worker, uint32_t record, uint32_t change)
{
	for (size_t i = 0; i < WORDS; i++)
		words[i] = (uint64_t)change << 32 | (uint64_t)worker << 24 |
			   record << 12 | (i & 0xfff);
}

/* Returns the number of words that no promise explains. */
static size_t wrong_words(const uint64_t *words, int worker, uint32_t record,
			  const struct promise *promise)
{
	size_t wrong = 0;

	for (size_t i = 0; i < WORDS; i++) {
		const uint32_t change = (uint32_t)(words[i] >> 32);
		uint64_t expected = (uint64_t)change << 32 | (uint64_t)worker << 24 |
				    record << 12 | (i & 0xfff);

		if (change == 0)
			expected = 0;
		wrong += words[i] != expected || change < promise->done ||
			 change > promise->begun;
	}
	return wrong;
}

/* --------------------------------------------------------------------- load */

/* The mount is gone: what was to come after a kill. Anything else is a failure. A write
 * cut short is part of the end too: it leaves errno as it was, which is 0. */
static bool is_the_end(void)
{
	return errno == 0 || errno == ENOTCONN || errno == ECONNABORTED || errno == EIO;
}

static void acknowledge_all(struct promise *promises)
{
	for (int i = 0; i < RECORDS; i++)
		promises[i].done = promises[i].begun;
}

static uint32_t next_random(struct worker *w, uint32_t bound)
{
	w->random = w->random * 1664525u + 1013904223u;
	return (w->random >> 8) % bound;
}

static bool write_one(struct worker *w)
{
	const uint32_t record = next_random(w, RECORDS);
	struct promise *promise = &w->log->written[record];
	uint64_t words[WORDS];

	fill_record(words, w->number, record, ++w->change);
	promise->begun = w->change;
	if (pwrite(w->file, words, RECORD, (off_t)record * RECORD) != RECORD)
		return false;
	if (!w->with_fsync)
		promise->done = w->change;
	else if (w->change % FSYNC_EVERY == 0) {
		if (fsync(w->file) == -1)
			return false;
		acknowledge_all(w->log->written);
	}
	return true;
}

static bool store_one(struct worker *w)
{
	const uint32_t record = next_random(w, RECORDS);
	struct promise *promise = &w->log->stored[record];
	char *at = w->mapping + (size_t)record * RECORD;
	char *page = (char *)((uintptr_t)at & ~(uintptr_t)4095);
	uint64_t words[WORDS];

	fill_record(words, w->number, record, ++w->change);
	promise->begun = w->change;
	memcpy(at, words, RECORD);
	/* msync is fsync to a mount that keeps dirty pages. */
	if (msync(page, (size_t)(at + RECORD - page), MS_SYNC) == -1)
		return false;
	promise->done = w->change;
	return true;
}

static bool make_one(struct worker *w)
{
	char new_name[64], last_name[64];
	const uint32_t n = w->log->made.begun + 1;
	int fd;
	bool ok;

	snprintf(new_name, sizeof(new_name), "%d/new", w->number);
	snprintf(last_name, sizeof(last_name), "%d/file-%" PRIu32, w->number, n);
	w->log->made.begun = n;
	fd = open(new_name, O_CREAT | O_EXCL | O_WRONLY, 0644);
	if (fd == -1)
		return false;
	ok = write(fd, &n, sizeof(n)) == sizeof(n) &&
	     (!w->with_fsync || fsync(fd) == 0);
	ok = close(fd) == 0 && ok;
	if (!ok || rename(new_name, last_name) == -1)
		return false;
	w->log->made.done = n;
	if (n <= KEPT)
		return true;
	snprintf(last_name, sizeof(last_name), "%d/file-%" PRIu32, w->number, n - KEPT);
	w->log->removed.begun = n - KEPT;
	if (unlink(last_name) == -1)
		return false;
	w->log->removed.done = n - KEPT;
	return true;
}

static int open_of(const struct worker *w, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%d/%s", w->number, name);
	fd = open(path, flags, 0644);
	if (fd == -1)
		die(path);
	return fd;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (w->change < CHANGES_MAX) {
		const uint32_t what = next_random(w, 10);

		errno = 0;
		const bool ok = what < 6   ? write_one(w)
				: what < 9 ? store_one(w)
					   : make_one(w);

		if (!ok) {
			if (!is_the_end())
				die("a change");
			return NULL;
		}
	}
	fprintf(stderr, "nobody has stopped the load\n");
	exit(2);
}

static void set_up(struct worker *w, struct worker_log *log, int number,
		   bool with_fsync)
{
	char name[16];

	*w = (struct worker){.log = log,
			     .number = number,
			     .with_fsync = with_fsync,
			     .random = (uint32_t)(getpid() + number)};
	snprintf(name, sizeof(name), "%d", number);
	if (mkdir(name, 0755) == -1)
		die(name);
	w->file = open_of(w, "written", O_CREAT | O_EXCL | O_RDWR);
	w->mapped_file = open_of(w, "stored", O_CREAT | O_EXCL | O_RDWR);
	if (ftruncate(w->file, RECORDS * RECORD) == -1 ||
	    ftruncate(w->mapped_file, RECORDS * RECORD) == -1)
		die("ftruncate");
	w->mapping = mmap(NULL, RECORDS * RECORD, PROT_READ | PROT_WRITE, MAP_SHARED,
			  w->mapped_file, 0);
	if (w->mapping == MAP_FAILED)
		die("mmap");
}

/* A store to a page that is gone with the mount is SIGBUS: an end like any other, for
 * this one process. All that it has to tell is in the log. */
static int load(struct worker_log *logs, bool with_fsync, const char *log_path)
{
	static struct worker workers[WORKERS];
	pthread_t threads[WORKERS];
	char ready[4096];

	for (int i = 0; i < WORKERS; i++)
		set_up(&workers[i], &logs[i], i, with_fsync);
	snprintf(ready, sizeof(ready), "%s.ready", log_path);
	if (close(open(ready, O_CREAT | O_WRONLY, 0644)) == -1)
		die(ready);
	for (int i = 0; i < WORKERS; i++)
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			die("pthread_create");
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

/* -------------------------------------------------------------------- check */

static size_t check_records(const struct worker *w, const char *name,
			    const struct promise *promises)
{
	const int fd = open_of(w, name, O_RDONLY);
	uint64_t words[WORDS];
	size_t wrong = 0;

	for (uint32_t record = 0; record < RECORDS; record++) {
		const struct promise *promise = &promises[record];
		size_t bad;

		if (pread(fd, words, RECORD, (off_t)record * RECORD) != RECORD)
			die(name);
		bad = wrong_words(words, w->number, record, promise);
		if (bad > 0)
			printf("%d/%s, record %" PRIu32 ": %zu of %zu words are not of "
			       "changes %" PRIu32 " to %" PRIu32 "\n",
			       w->number, name, record, bad, WORDS, promise->done,
			       promise->begun);
		wrong += bad > 0;
	}
	close(fd);
	return wrong;
}

static size_t check_file(const struct worker *w, uint32_t n)
{
	char path[64];
	uint32_t content = 0;
	int fd;

	snprintf(path, sizeof(path), "%d/file-%" PRIu32, w->number, n);
	fd = open(path, O_RDONLY);
	if (fd == -1 && n > w->log->removed.begun && n <= w->log->made.done) {
		printf("%s is missing\n", path);
		return 1;
	}
	if (fd == -1)
		return 0;
	if (n <= w->log->removed.done || n > w->log->made.begun) {
		printf("%s is there again\n", path);
		return 1;
	}
	if (read(fd, &content, sizeof(content)) != sizeof(content) || content != n) {
		printf("%s holds %" PRIu32 "\n", path, content);
		return 1;
	}
	close(fd);
	return 0;
}

static int check(struct worker_log *logs)
{
	uint64_t changes = 0;
	size_t wrong = 0;

	for (int i = 0; i < WORKERS; i++) {
		struct worker w = {.log = &logs[i], .number = i};

		wrong += check_records(&w, "written", w.log->written);
		wrong += check_records(&w, "stored", w.log->stored);
		for (uint32_t n = 1; n <= w.log->made.begun + 1; n++)
			wrong += check_file(&w, n);
		for (int r = 0; r < RECORDS; r++)
			changes += (unsigned)(w.log->written[r].done > 0) +
				   (unsigned)(w.log->stored[r].done > 0);
		changes += w.log->made.done + w.log->removed.done;
	}
	printf("%zu promises broken, of at least %" PRIu64 "\n", wrong, changes);
	return wrong > 0;
}

static struct worker_log *open_log(const char *path, bool create)
{
	const size_t size = WORKERS * sizeof(struct worker_log);
	const int fd = open(path, O_RDWR | (create ? O_CREAT | O_EXCL : 0), 0644);
	struct worker_log *logs;

	if (fd == -1 || (create && ftruncate(fd, (off_t)size) == -1))
		die(path);
	logs = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (logs == MAP_FAILED)
		die(path);
	return logs;
}

int main(int argc, char **argv)
{
	const bool with_fsync = argc == 5 && strcmp(argv[2], "--fsync") == 0;
	struct worker_log *logs;
	bool loading;

	if (argc != 4 && !with_fsync) {
		fprintf(stderr,
			"usage: acknowledged load|check [--fsync] DIRECTORY LOG\n");
		return 2;
	}
	loading = strcmp(argv[1], "load") == 0;

	logs = open_log(argv[argc - 1], loading);
	if (chdir(argv[argc - 2]) == -1)
		die(argv[argc - 2]);
	return loading ? load(logs, with_fsync, argv[argc - 1]) : check(logs);
}
