/* SPDX-License-Identifier: MIT */
/*
 * The store in memory. One mutex guards everything but the bytes; those are moved
 * outside it by the kernel, so that calls overlap as they do on a real file.
 */

#include "fake_store.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct fake_store {
	int fd; /* a memfd; set once */
	bool trace;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Guarded by mutex. */
	struct fake_counters counters[FAKE_CALLS];
	struct fake_failure failures[FAKE_CALLS];
	bool hold[FAKE_POINTS];
	unsigned held[FAKE_POINTS];
	uint64_t releases[FAKE_POINTS];
	uint64_t dice;
	unsigned delay_us;
};

static void die(const char *what)
{
	fprintf(stderr, "fake_store: %s: %s\n", what, strerror(errno));
	abort();
}

struct fake_store *fake_store_new(uint64_t size)
{
	struct fake_store *store = calloc(1, sizeof(*store));

	if (!store)
		die("calloc");
	store->fd = memfd_create("fake_store", MFD_CLOEXEC);
	if (store->fd < 0)
		die("memfd_create");
	store->trace = getenv("FOLDFS_FAKE_TRACE") != NULL;
	store->dice = 88172645463325252u;
	pthread_mutex_init(&store->mutex, NULL);
	pthread_cond_init(&store->changed, NULL);
	fake_store_resize(store, size);
	return store;
}

void fake_store_free(struct fake_store *store)
{
	if (!store)
		return;
	close(store->fd);
	pthread_cond_destroy(&store->changed);
	pthread_mutex_destroy(&store->mutex);
	free(store);
}

/* ------------------------------------------------------- behind the library's back */

/* SplitMix64's finaliser: neighbouring words have nothing in common. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Eight bytes of the pattern, none of them zero. */
static uint64_t pattern_word(unsigned seed, uint64_t offset)
{
	return mix((offset / 8) ^ ((uint64_t)seed << 40)) | 0x0101010101010101u;
}

uint8_t fake_store_byte(unsigned seed, uint64_t offset)
{
	uint8_t bytes[8];
	const uint64_t word = pattern_word(seed, offset);

	memcpy(bytes, &word, sizeof(bytes));
	return bytes[offset % 8];
}

void fake_store_pattern(void *buf, size_t len, uint64_t offset, unsigned seed)
{
	uint8_t *at = buf;

	while (len > 0) {
		const uint64_t word = pattern_word(seed, offset);
		const size_t skip = offset % 8;
		const size_t n = 8 - skip < len ? 8 - skip : len;

		memcpy(at, (const uint8_t *)&word + skip, n);
		at += n;
		offset += n;
		len -= n;
	}
}

void fake_store_fill(struct fake_store *store, struct cl_range range, unsigned seed)
{
	uint8_t buf[CL_PAGE_SIZE];

	while (range.start < range.end) {
		const uint64_t left = range.end - range.start;
		const size_t len = left < sizeof(buf) ? (size_t)left : sizeof(buf);

		fake_store_pattern(buf, len, range.start, seed);
		fake_store_poke(store, buf, len, range.start);
		range.start += len;
	}
}

void fake_store_poke(struct fake_store *store, const void *buf, size_t len,
		     uint64_t offset)
{
	if (pwrite(store->fd, buf, len, (off_t)offset) != (ssize_t)len)
		die("poke");
}

void fake_store_peek(struct fake_store *store, void *buf, size_t len, uint64_t offset)
{
	const ssize_t n = pread(store->fd, buf, len, (off_t)offset);

	if (n < 0)
		die("peek");
	memset((char *)buf + n, 0, len - (size_t)n);
}

uint64_t fake_store_size(struct fake_store *store)
{
	const off_t size = lseek(store->fd, 0, SEEK_END);

	if (size < 0)
		die("size");
	return (uint64_t)size;
}

void fake_store_resize(struct fake_store *store, uint64_t size)
{
	if (ftruncate(store->fd, (off_t)size))
		die("resize");
}

/* ------------------------------------------------------------------------ counters */

struct fake_counters fake_store_counters(struct fake_store *store, enum fake_call call)
{
	struct fake_counters counters;

	pthread_mutex_lock(&store->mutex);
	counters = store->counters[call];
	pthread_mutex_unlock(&store->mutex);
	return counters;
}

void fake_store_await_calls(struct fake_store *store, enum fake_call call,
			    uint64_t calls)
{
	pthread_mutex_lock(&store->mutex);
	while (store->counters[call].calls < calls)
		pthread_cond_wait(&store->changed, &store->mutex);
	pthread_mutex_unlock(&store->mutex);
}

static void count_call(struct fake_store *store, enum fake_call call, size_t asked,
		       size_t moved, int vectors)
{
	pthread_mutex_lock(&store->mutex);

	struct fake_counters *counters = &store->counters[call];

	counters->calls++;
	counters->vectors += (uint64_t)vectors;
	counters->bytes += moved;
	if (asked > counters->longest)
		counters->longest = asked;
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->mutex);
}

/* ---------------------------------------------------------------------- failures */

void fake_store_fail(struct fake_store *store, struct fake_failure failure)
{
	pthread_mutex_lock(&store->mutex);
	store->failures[failure.call] = failure;
	pthread_mutex_unlock(&store->mutex);
}

void fake_store_mend(struct fake_store *store)
{
	pthread_mutex_lock(&store->mutex);
	memset(store->failures, 0, sizeof(store->failures));
	pthread_mutex_unlock(&store->mutex);
}

void fake_store_slow(struct fake_store *store, unsigned delay_us)
{
	pthread_mutex_lock(&store->mutex);
	store->delay_us = delay_us;
	pthread_mutex_unlock(&store->mutex);
}

/* What becomes of one call. */
struct verdict {
	size_t allowed; /* bytes to move */
	int error;	/* to answer, whatever was moved */
};

static bool concerns(struct fake_store *store, const struct fake_failure *failure,
		     struct cl_range range)
{
	if (failure->times == 0)
		return false;
	if (failure->range.end > 0 && !cl_range_overlaps(failure->range, range))
		return false;
	if (failure->per_million == 0)
		return true;
	store->dice = mix(store->dice + 0x9e3779b97f4a7c15u);
	return store->dice % 1000000 < failure->per_million;
}

/* A failure with an error uses its credit up over many calls and then fails those that
 * come; one without cuts each call to its credit. */
static struct verdict strike(struct fake_failure *failure, size_t len)
{
	struct verdict verdict = {len, 0};

	if (failure->error && failure->credit > 0) {
		verdict.allowed = failure->credit < len ? (size_t)failure->credit : len;
		failure->credit -= verdict.allowed;
	} else if (failure->error) {
		verdict.allowed = failure->torn ? len / 2 : 0;
		verdict.error = failure->error;
	} else if (failure->credit < len) {
		verdict.allowed = (size_t)failure->credit;
	}
	return verdict;
}

static struct verdict judge(struct fake_store *store, enum fake_call call,
			    uint64_t offset, size_t len)
{
	struct fake_failure *failure = &store->failures[call];
	struct verdict verdict = {len, 0};
	unsigned delay_us;

	pthread_mutex_lock(&store->mutex);
	delay_us = store->delay_us;
	if (concerns(store, failure, (struct cl_range){offset, offset + len}))
		verdict = strike(failure, len);
	if (verdict.error || verdict.allowed < len) {
		failure->times -= failure->times == FAKE_FOR_EVER ? 0 : 1;
		store->counters[call].failures++;
		if (store->trace)
			fprintf(stderr, "fake_store: %s strikes %llu+%zu\n",
				failure->name, (unsigned long long)offset, len);
	}
	pthread_mutex_unlock(&store->mutex);

	if (delay_us > 0)
		usleep(delay_us);
	return verdict;
}

/* ------------------------------------------------------------------ places to stop */

void fake_store_hold(struct fake_store *store, enum fake_point point)
{
	pthread_mutex_lock(&store->mutex);
	store->hold[point] = true;
	pthread_mutex_unlock(&store->mutex);
}

void fake_store_await_held(struct fake_store *store, enum fake_point point,
			   unsigned calls)
{
	pthread_mutex_lock(&store->mutex);
	while (store->held[point] < calls)
		pthread_cond_wait(&store->changed, &store->mutex);
	pthread_mutex_unlock(&store->mutex);
}

void fake_store_release(struct fake_store *store, enum fake_point point)
{
	pthread_mutex_lock(&store->mutex);
	store->hold[point] = false;
	store->releases[point]++;
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->mutex);
}

static void stop_at(struct fake_store *store, enum fake_point point)
{
	pthread_mutex_lock(&store->mutex);
	if (store->hold[point]) {
		const uint64_t release = store->releases[point] + 1;

		store->held[point]++;
		pthread_cond_broadcast(&store->changed);
		while (store->releases[point] < release)
			pthread_cond_wait(&store->changed, &store->mutex);
		store->held[point]--;
	}
	pthread_mutex_unlock(&store->mutex);
}

/* -------------------------------------------------------------------- the store */

static size_t sum(const struct iovec *iov, int iovcnt)
{
	size_t bytes = 0;

	for (int i = 0; i < iovcnt; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* Move the bytes of one element. */
static size_t move(struct fake_store *store, enum fake_call call, void *base,
		   size_t len, uint64_t offset)
{
	const ssize_t n = call == FAKE_READ
				  ? pread(store->fd, base, len, (off_t)offset)
				  : pwrite(store->fd, base, len, (off_t)offset);

	if (n < 0)
		die("transfer");
	return (size_t)n;
}

static ssize_t transfer(struct fake_store *store, enum fake_call call,
			const struct iovec *iov, int iovcnt, uint64_t offset)
{
	const size_t asked = sum(iov, iovcnt);
	const struct verdict verdict = judge(store, call, offset, asked);
	size_t moved = 0;

	if (iovcnt > IOV_MAX || asked == 0) {
		errno = EINVAL;
		die("a call that no file would take");
	}
	for (int i = 0; i < iovcnt && moved < verdict.allowed; i++) {
		const size_t left = verdict.allowed - moved;
		const size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;
		const size_t n =
			move(store, call, iov[i].iov_base, len, offset + moved);

		moved += n;
		if (n < len)
			break;
	}
	count_call(store, call, asked, moved, iovcnt);
	return verdict.error ? verdict.error : (ssize_t)moved;
}

static ssize_t fake_preadv(void *arg, const struct iovec *iov, int iovcnt,
			   uint64_t offset)
{
	struct fake_store *store = arg;

	stop_at(store, FAKE_READ_BEGINS);

	const ssize_t n = transfer(store, FAKE_READ, iov, iovcnt, offset);

	stop_at(store, FAKE_READ_ENDS);
	return n;
}

static ssize_t fake_pwritev(void *arg, const struct iovec *iov, int iovcnt,
			    uint64_t offset)
{
	struct fake_store *store = arg;

	stop_at(store, FAKE_WRITE_BEGINS);

	const ssize_t n = transfer(store, FAKE_WRITE, iov, iovcnt, offset);

	stop_at(store, FAKE_WRITE_ENDS);
	return n;
}

static int fake_sync(void *arg, bool data_only)
{
	struct fake_store *store = arg;
	const struct verdict verdict = judge(store, FAKE_SYNC, 0, 1);

	(void)data_only;
	count_call(store, FAKE_SYNC, 0, 0, 0);
	return verdict.error;
}

const struct cl_store_ops fake_store_ops = {
	.preadv = fake_preadv,
	.pwritev = fake_pwritev,
	.sync = fake_sync,
};
