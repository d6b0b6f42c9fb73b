/* SPDX-License-Identifier: MIT */
/*
 * The page cache against an oracle.
 *
 * Some threads do everything at once to a few files: read, write, prefetch, invalidate,
 * truncate, write back, and change the store's file behind the cache's back. The cache
 * is smaller than the files. Each word of a file says which word it is and which change
 * made it; the oracle knows, for each word, which changes may be seen by a read that
 * began and ended when this one did:
 *
 *   settled  the last change that is done; nothing older may be seen
 *   issued   the last change that has begun; nothing newer may be seen
 *   zeroed   the last change that made the word zero
 *
 * Each word is written by one thread, its owner; truncation and changes behind the back
 * happen in an EXCLUSIVE entry. So the changes of a word have an order without any lock
 * of the oracle's that could hide a race of the library's.
 *
 *   cache_oracle [--writeback] [--verify] [--faults] [--without-revalidation]
 *   FOLDFS_STRESS_SECONDS  how long, 3 unless told otherwise
 *   FOLDFS_STRESS_SEED     what a failed run has printed, to try again
 */

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fake_store.h"
#include "gated.h"
#include "threads.h"

#define THREADS	    6
#define FILES	    8
#define CACHE_PAGES 256
#define FILE_PAGES  64 /* at most */
#define MAX_REQUEST ((size_t)64 << 10)
#define WORD	    sizeof(uint64_t)
#define FILE_WORDS  (FILE_PAGES * CL_PAGE_SIZE / WORD)
#define MAX_WORDS   (MAX_REQUEST / WORD)
#define MAX_CHANGED (FILE_PAGES + 2)

struct word {
	_Atomic uint32_t settled;
	_Atomic uint32_t issued;
	_Atomic uint32_t zeroed;
};

struct file {
	unsigned number;
	struct fake_store *store;
	struct cl_mapping *mapping;
	uint8_t owners[FILE_WORDS]; /* set once */
	struct word words[FILE_WORDS];
	/* Changes of the size that have begun, and that are done. */
	_Atomic uint64_t size_begun, size_done;
};

static struct {
	bool writeback, verify, faults, without_revalidation;
	unsigned long seed;
	struct timespec until;
} options;

static struct cl_cache *cache;
static struct file files[FILES];
static _Atomic uint64_t operations, errors;

/* One thread, and its buffers. */
struct worker {
	unsigned number;
	unsigned long dice;
	struct cl_read read;
	uint64_t bytes[MAX_WORDS], again[MAX_WORDS];
	uint32_t floor[MAX_WORDS];
};

__attribute__((format(printf, 1, 2), noreturn)) static void fail(const char *format,
								 ...)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	va_list args;

	pthread_mutex_lock(&once); /* for good */
	fprintf(stderr, "cache_oracle: ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\ncache_oracle: FOLDFS_STRESS_SEED=%lu\n", options.seed);
	_exit(EXIT_FAILURE);
}

static unsigned long roll(struct worker *worker, unsigned long sides)
{
	return random_next(&worker->dice) % sides;
}

/* A failed call is fine where failures were asked for. */
static bool tolerate(ssize_t status, const char *what)
{
	if (status >= 0)
		return true;
	if (!options.faults || (status != -EIO && status != -ENOSPC))
		fail("%s: %s", what, strerror((int)-status));
	atomic_fetch_add(&errors, 1);
	return false;
}

/* ------------------------------------------------------------------- the oracle */

static uint64_t stamp(const struct file *file, size_t word, uint32_t change)
{
	return (uint64_t)(file->number + 1) << 56 | (uint64_t)word << 32 | change;
}

static uint32_t begin_change(struct file *file, size_t word)
{
	const uint32_t change = atomic_load(&file->words[word].issued) + 1;

	atomic_store(&file->words[word].issued, change);
	return change;
}

static void begin_zeroing(struct file *file, size_t from)
{
	for (size_t i = from; i < FILE_WORDS; i++)
		atomic_store(&file->words[i].zeroed, begin_change(file, i));
}

/* All changes begun so far of these words are done. By whoever made the last one. */
static void settle(struct file *file, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++)
		atomic_store(&file->words[i].settled,
			     atomic_load(&file->words[i].issued));
}

static void note_floor(const struct file *file, size_t first, size_t n, uint32_t *floor)
{
	for (size_t i = 0; i < n; i++)
		floor[i] = atomic_load(&file->words[first + i].settled);
}

static void check_words(struct file *file, size_t first, size_t n, const uint64_t *got,
			const uint32_t *floor, const char *what)
{
	for (size_t i = 0; i < n; i++) {
		struct word *word = &file->words[first + i];
		const uint32_t issued = atomic_load(&word->issued);
		const uint32_t change = (uint32_t)got[i];

		if (got[i] == 0) {
			if (atomic_load(&word->zeroed) >= floor[i])
				continue;
		} else if (got[i] == stamp(file, first + i, change) &&
			   change >= floor[i] && change <= issued) {
			continue;
		}
		fail("%s: file %u page %zu word %zu: %#llx, not %#llx with a change from "
		     "%u to %u (zeroed by %u)",
		     what, file->number, (first + i) * WORD / CL_PAGE_SIZE, first + i,
		     (unsigned long long)got[i],
		     (unsigned long long)stamp(file, first + i, 0), floor[i], issued,
		     atomic_load(&word->zeroed));
	}
}

/* ------------------------------------------------------------------- operations */

/* A range of words for one request. */
static size_t random_words(struct worker *worker, size_t *ret_first)
{
	const size_t first = roll(worker, FILE_WORDS);
	const size_t longest = roll(worker, 4) ? MAX_WORDS / 16 : MAX_WORDS;
	const size_t n = 1 + roll(worker, longest);

	*ret_first = first;
	return n < FILE_WORDS - first ? n : FILE_WORDS - first;
}

static void copy_out(const struct cl_read *read, void *buf)
{
	char *at = buf;

	for (int i = 0; i < read->iovcnt; i++) {
		memcpy(at, read->iov[i].iov_base, read->iov[i].iov_len);
		at += read->iov[i].iov_len;
	}
}

/* How long a read may be, if nobody changed the size meanwhile. */
static void check_length(struct file *file, uint64_t begun, uint64_t size, size_t first,
			 size_t asked, size_t got)
{
	const uint64_t offset = first * WORD;
	const uint64_t there = size > offset ? size - offset : 0;
	const uint64_t want = asked < there ? asked : there;

	if (atomic_load(&file->size_begun) == begun && got != want)
		fail("file %u of %llu bytes: %zu bytes at %llu, not %llu", file->number,
		     (unsigned long long)size, got, (unsigned long long)offset,
		     (unsigned long long)want);
}

static void do_read(struct worker *worker, struct file *file)
{
	struct cl_gate_entry entry;
	size_t first;
	const size_t n = random_words(worker, &first);
	const uint64_t done = atomic_load(&file->size_done);
	const uint64_t begun = atomic_load(&file->size_begun);
	const uint64_t size = cl_mapping_size(file->mapping);

	note_floor(file, first, n, worker->floor);
	gated_enter(file->mapping, &entry, CL_GATE_FILL,
		    (struct cl_range){first * WORD, (first + n) * WORD});
	if (tolerate(
		    cl_read_begin(file->mapping, first * WORD, n * WORD, &worker->read),
		    "read")) {
		const size_t bytes = worker->read.bytes;

		copy_out(&worker->read, worker->bytes);
		check_words(file, first, bytes / WORD, worker->bytes, worker->floor,
			    "read");
		if (begun == done)
			check_length(file, begun, size, first, n * WORD, bytes);
		if (roll(worker, 4) == 0)
			sched_yield();
		/* What is pinned stands still, whoever writes. */
		copy_out(&worker->read, worker->again);
		if (memcmp(worker->bytes, worker->again, bytes) != 0)
			fail("bytes changed under a reader of file %u", file->number);
		cl_read_end(&worker->read);
	}
	cl_gate_leave(file->mapping, &entry);
}

/* The words from `first` on that this thread owns, n at most. */
static size_t owned(const struct worker *worker, const struct file *file, size_t *first,
		    size_t n)
{
	size_t i;

	while (*first < FILE_WORDS && file->owners[*first] != worker->number)
		(*first)++;
	for (i = *first; i < FILE_WORDS && i < *first + n; i++)
		if (file->owners[i] != worker->number)
			break;
	return i - *first;
}

static void do_write(struct worker *worker, struct file *file)
{
	struct cl_gate_entry entry;
	size_t first;
	const size_t wanted = random_words(worker, &first);
	const size_t n = owned(worker, file, &first, wanted);

	if (n == 0)
		return;
	gated_enter(file->mapping, &entry, CL_GATE_WRITE,
		    (struct cl_range){first * WORD, (first + n) * WORD});

	const bool grows = (first + n) * WORD > cl_mapping_size(file->mapping);

	for (size_t i = 0; i < n; i++)
		worker->bytes[i] =
			stamp(file, first + i, begin_change(file, first + i));
	if (grows)
		atomic_fetch_add(&file->size_begun, 1);

	const ssize_t written =
		cl_write(file->mapping, worker->bytes, n * WORD, first * WORD);

	if (grows)
		atomic_fetch_add(&file->size_done, 1);
	if (tolerate(written, "write"))
		settle(file, first, first + (size_t)written / WORD);
	cl_gate_leave(file->mapping, &entry);
}

static void do_prefetch(struct worker *worker, struct file *file)
{
	size_t first;
	const size_t n = random_words(worker, &first);

	gated_prefetch(file->mapping,
		       (struct cl_range){first * WORD, (first + n) * WORD});
}

static void do_writeback(struct worker *worker, struct file *file)
{
	size_t first;
	const size_t n = random_words(worker, &first);

	tolerate(gated_writeback(file->mapping,
				 (struct cl_range){first * WORD, (first + n) * WORD}),
		 "writeback");
}

static void do_invalidate(struct worker *worker, struct file *file)
{
	struct cl_gate_entry entry;
	size_t first;
	const size_t n = random_words(worker, &first);
	const struct cl_range range = {first * WORD, (first + n) * WORD};

	gated_enter(file->mapping, &entry, CL_GATE_EXCLUSIVE, range);
	/* It drops dirty bytes; so there must be none. */
	if (tolerate(cl_writeback(file->mapping, entry.range), "writeback"))
		tolerate(cl_invalidate(file->mapping, range), "invalidate");
	cl_gate_leave(file->mapping, &entry);
}

static void do_truncate(struct worker *worker, struct file *file)
{
	const size_t words = roll(worker, FILE_WORDS + 1);
	struct cl_gate_entry entry;
	uint64_t old;

	/* The size may have changed while we waited for the entry that it asks for. */
	for (;;) {
		old = cl_mapping_size(file->mapping);
		const uint64_t from = old < words * WORD ? old : words * WORD;

		gated_enter(file->mapping, &entry, CL_GATE_EXCLUSIVE,
			    (struct cl_range){from, CL_RANGE_EOF});
		if (cl_mapping_size(file->mapping) >= from)
			break;
		cl_gate_leave(file->mapping, &entry);
	}
	atomic_fetch_add(&file->size_begun, 1);
	begin_zeroing(file, words);
	fake_store_resize(file->store, words * WORD);
	cl_mapping_set_size(file->mapping, words * WORD);
	settle(file, words, FILE_WORDS);
	atomic_fetch_add(&file->size_done, 1);
	cl_gate_leave(file->mapping, &entry);
}

/* ------------------------------------------------------------- behind the back */

struct changes {
	struct cl_range ranges[MAX_CHANGED];
	size_t n;
};

static void note_changed(void *arg, struct cl_range range)
{
	struct changes *changes = arg;

	if (changes->n == MAX_CHANGED)
		fail("more changed ranges than there are pages");
	changes->ranges[changes->n++] = range;
}

static void check_reported(const struct changes *changes, const struct cl_range *range)
{
	const struct cl_range pages = cl_range_page_align(*range);

	for (size_t i = 0; i < changes->n; i++)
		if (cl_range_contains(changes->ranges[i], pages))
			return;
	fail("a change of [%llu, %llu) was not reported",
	     (unsigned long long)range->start, (unsigned long long)range->end);
}

/* Somebody else writes to the store's file, and may cut it or add to it. Returns the
 * first word behind it that was made zero. */
static size_t change_store(struct worker *worker, struct file *file, size_t first,
			   size_t n)
{
	for (size_t i = 0; i < n; i++)
		worker->bytes[i] =
			stamp(file, first + i, begin_change(file, first + i));
	fake_store_poke(file->store, worker->bytes, n * WORD, first * WORD);
	if (roll(worker, 4))
		return FILE_WORDS;

	const size_t words = first + n + roll(worker, FILE_WORDS - first - n + 1);

	begin_zeroing(file, words);
	fake_store_resize(file->store, words * WORD);
	return words;
}

static void do_change(struct worker *worker, struct file *file)
{
	struct changes changes = {.n = 0};
	struct cl_gate_entry entry;
	size_t first;
	const size_t n = random_words(worker, &first);
	const struct cl_range range = {first * WORD, (first + n) * WORD};

	gated_enter(file->mapping, &entry, CL_GATE_EXCLUSIVE, whole_file);
	/* Dirty pages would be newer than what we change. */
	if (tolerate(cl_writeback(file->mapping, whole_file), "writeback")) {
		atomic_fetch_add(&file->size_begun, 1);
		const size_t words = change_store(worker, file, first, n);

		if (!options.without_revalidation) {
			tolerate(cl_revalidate(file->mapping,
					       fake_store_size(file->store),
					       note_changed, &changes),
				 "revalidate");
			check_reported(&changes, &range);
		}
		settle(file, first, first + n);
		settle(file, words, FILE_WORDS);
		atomic_fetch_add(&file->size_done, 1);
	}
	cl_gate_leave(file->mapping, &entry);
}

static void do_something(struct worker *worker)
{
	struct file *file = &files[roll(worker, FILES)];
	const unsigned long what = roll(worker, 100);

	if (what < 50)
		do_read(worker, file);
	else if (what < 80)
		do_write(worker, file);
	else if (what < 86)
		do_prefetch(worker, file);
	else if (what < 91)
		do_writeback(worker, file);
	else if (what < 95)
		do_invalidate(worker, file);
	else if (what < 98)
		do_truncate(worker, file);
	else
		do_change(worker, file);
	atomic_fetch_add(&operations, 1);
}

static bool time_is_up(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > options.until.tv_sec ||
	       (now.tv_sec == options.until.tv_sec &&
		now.tv_nsec > options.until.tv_nsec);
}

static void work(struct member *member)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker || cl_read_init(cache, &worker->read))
		fail("no memory");
	worker->number = member->number;
	worker->dice = options.seed * THREADS + member->number + 1;
	for (unsigned i = 0; i % 64 || !time_is_up(); i++)
		do_something(worker);
	cl_read_fini(&worker->read);
	free(worker);
}

/* --------------------------------------------------------- before and afterwards */

static void on_event(void *arg, const struct cl_event *event)
{
	(void)arg;
	if (event->kind == CL_EVENT_WRITEBACK_FAILED && options.faults)
		return;
	fail("event %d: page %llu, %s", (int)event->kind,
	     (unsigned long long)event->page, strerror(-event->error));
}

static void inject(struct fake_store *store)
{
	fake_store_fail(store, (struct fake_failure){.name = "eio-now-and-then",
						     .call = FAKE_READ,
						     .error = -EIO,
						     .times = FAKE_FOR_EVER,
						     .per_million = 20000});
	fake_store_fail(store, (struct fake_failure){.name = "eio-now-and-then",
						     .call = FAKE_WRITE,
						     .error = -EIO,
						     .times = FAKE_FOR_EVER,
						     .per_million = 20000});
}

/* Words belong to threads in stretches of all lengths, across page boundaries. */
static void share_out(struct file *file, unsigned long *dice)
{
	for (size_t i = 0; i < FILE_WORDS;) {
		const uint8_t owner = (uint8_t)(random_next(dice) % THREADS);
		const size_t longest = random_next(dice) % 4 ? 200 : 6000;
		size_t n = 1 + random_next(dice) % longest;

		for (; n > 0 && i < FILE_WORDS; n--)
			file->owners[i++] = owner;
	}
}

static void open_files(void)
{
	const struct cl_cache_config config = {.size_bytes = CACHE_PAGES * CL_PAGE_SIZE,
					       .max_request_bytes = MAX_REQUEST,
					       .max_requests = THREADS,
					       .verify = options.verify,
					       .writeback = options.writeback,
					       .writeback_age_ms = 5,
					       .page_lock_unfairness =
						       CL_PAGE_LOCK_UNFAIRNESS,
					       .on_event = on_event};
	unsigned long dice = options.seed;

	if (cl_cache_create(&config, &cache))
		fail("no cache");
	for (unsigned i = 0; i < FILES; i++) {
		struct file *file = &files[i];

		file->number = i;
		file->store = fake_store_new(0);
		share_out(file, &dice);
		if (cl_mapping_create(cache, &fake_store_ops, file->store, 0,
				      &file->mapping))
			fail("no mapping");
		if (options.faults)
			inject(file->store);
	}
}

/* Nobody is at work any more: cache, store and oracle agree on every byte. */
static void check_file(struct file *file, struct worker *worker)
{
	const uint64_t size = cl_mapping_size(file->mapping);

	fake_store_mend(file->store);
	if (gated_writeback(file->mapping, whole_file) ||
	    cl_mapping_dirty_pages(file->mapping) > 0)
		fail("file %u cannot be written back", file->number);
	if (fake_store_size(file->store) != size)
		fail("file %u has %llu bytes, its store %llu", file->number,
		     (unsigned long long)size,
		     (unsigned long long)fake_store_size(file->store));
	for (size_t first = 0; first * WORD < size; first += MAX_WORDS) {
		const uint64_t left = size - first * WORD;
		const size_t bytes = left < MAX_REQUEST ? (size_t)left : MAX_REQUEST;

		note_floor(file, first, bytes / WORD, worker->floor);
		if (gated_read(file->mapping, &worker->read, worker->bytes, bytes,
			       first * WORD) != (ssize_t)bytes)
			fail("file %u is not whole", file->number);
		fake_store_peek(file->store, worker->again, bytes, first * WORD);
		check_words(file, first, bytes / WORD, worker->bytes, worker->floor,
			    "cache");
		check_words(file, first, bytes / WORD, worker->again, worker->floor,
			    "store");
		if (memcmp(worker->bytes, worker->again, bytes) != 0)
			fail("cache and store of file %u differ", file->number);
	}
}

static void check_and_close(void)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct cl_cache_stats stats;

	if (!worker || cl_read_init(cache, &worker->read))
		fail("no memory");
	for (unsigned i = 0; i < FILES; i++)
		check_file(&files[i], worker);
	cl_cache_get_stats(cache, &stats);
	if (stats.pages_dirty || stats.pages_writeback || stats.hash_mismatches ||
	    stats.pages_used > stats.pages_total)
		fail("%llu pages are dirty, %llu under writeback, %llu of %llu used",
		     (unsigned long long)stats.pages_dirty,
		     (unsigned long long)stats.pages_writeback,
		     (unsigned long long)stats.pages_used,
		     (unsigned long long)stats.pages_total);
	for (unsigned i = 0; i < FILES; i++) {
		if (cl_gate_parked(files[i].mapping))
			fail("somebody is parked for ever");
		cl_mapping_free(files[i].mapping);
		fake_store_free(files[i].store);
	}
	cl_cache_get_stats(cache, &stats);
	if (stats.pages_used)
		fail("%llu pages are still in use",
		     (unsigned long long)stats.pages_used);
	printf("cache_oracle: %llu operations, %llu of them failed; %llu pages reclaimed, "
	       "%llu copied on write\n",
	       (unsigned long long)atomic_load(&operations),
	       (unsigned long long)atomic_load(&errors),
	       (unsigned long long)stats.reclaimed,
	       (unsigned long long)stats.copied_on_write);
	cl_cache_free(cache);
	cl_read_fini(&worker->read);
	free(worker);
}

static void parse(int argc, char **argv)
{
	const char *seconds = getenv("FOLDFS_STRESS_SECONDS");
	const char *seed = getenv("FOLDFS_STRESS_SEED");

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--writeback"))
			options.writeback = true;
		else if (!strcmp(argv[i], "--verify"))
			options.verify = true;
		else if (!strcmp(argv[i], "--faults"))
			options.faults = true;
		else if (!strcmp(argv[i], "--without-revalidation"))
			options.without_revalidation = true;
		else
			fail("what is %s?", argv[i]);
	}
	clock_gettime(CLOCK_MONOTONIC, &options.until);
	options.seed =
		seed ? strtoul(seed, NULL, 10) : (unsigned long)options.until.tv_nsec;
	options.seed += options.seed == 0;
	options.until.tv_sec += seconds ? atoi(seconds) : 3;
}

int main(int argc, char **argv)
{
	struct team team;

	parse(argc, argv);
	open_files();
	team_start(&team, THREADS, work, NULL);
	team_join(&team);
	check_and_close();
	return EXIT_SUCCESS;
}
