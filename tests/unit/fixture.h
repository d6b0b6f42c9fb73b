/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_FIXTURE_H
#define TESTS_UNIT_FIXTURE_H

/*
 * What nearly every unit test stands on: a small cache, one file in a fake store with
 * known bytes, a mapping of it, and a record of the events.
 */

#include <check.h>
#include <pthread.h>

#include "fake_store.h"
#include "gated.h"
#include "threads.h"

#define FIXTURE_PAGES	    256u /* in the arena: the smallest there is */
#define FIXTURE_MAX_REQUEST ((size_t)64 << 10)
#define FIXTURE_SEED	    1u	     /* of the pattern in the store's file */
#define NEVER_MS	    3600000u /* no test takes an hour */

/** Offset and length of whole pages. */
#define PAGES(n) ((size_t)(n)*CL_PAGE_SIZE)

static inline struct cl_range page_range(uint64_t first, uint64_t end)
{
	return (struct cl_range){PAGES(first), PAGES(end)};
}

/* ck_assert() for loops: Check writes to a file each time that one of its own holds. */
#define ASSERT(condition)                                                              \
	do {                                                                           \
		if (!(condition))                                                      \
			ck_abort_msg("%s", #condition);                                \
	} while (0)

#define MAX_EVENTS 256

struct fixture {
	struct cl_cache *cache;
	struct fake_store *store;
	struct cl_mapping *mapping;
	struct cl_read read; /* of the main thread */

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct cl_event events[MAX_EVENTS]; /* guarded by mutex */
	size_t nevents;			    /* likewise; may be larger */
};

/** Write-through, no verify, FIXTURE_PAGES pages, four requests at once. */
struct cl_cache_config fixture_config(void);
/** The same, keeping dirty pages for ever. */
struct cl_cache_config fixture_writeback_config(void);

/** Set up, with a file of `size` bytes of the pattern FIXTURE_SEED. */
void fixture_open(struct fixture *fx, struct cl_cache_config config, uint64_t size);
/** Tear down; everything may be NULL. */
void fixture_close(struct fixture *fx);

struct cl_cache_stats fixture_stats(const struct fixture *fx);
/** How many events of a kind there were. */
size_t fixture_events(struct fixture *fx, enum cl_event_kind kind);
/** The first event of a kind. Fails the test if there is none. */
struct cl_event fixture_event(struct fixture *fx, enum cl_event_kind kind);
/** Wait for one. */
void fixture_await_event(struct fixture *fx, enum cl_event_kind kind);

/** Read through the cache, in requests of a size that it takes. Fails the test unless
 *  all of it comes. */
void fixture_read(struct fixture *fx, void *buf, size_t len, uint64_t offset);
/** Write through the cache likewise. */
void fixture_write(struct fixture *fx, const void *buf, size_t len, uint64_t offset);
/** Write the pattern of a seed through the cache. */
void fixture_write_pattern(struct fixture *fx, struct cl_range range, unsigned seed);
/** Have pages of a range cached. */
void fixture_touch(struct fixture *fx, struct cl_range range);

/** The range reads through the cache as the pattern of a seed, or as zeros. */
void assert_reads_pattern(struct fixture *fx, struct cl_range range, unsigned seed);
void assert_reads_zeros(struct fixture *fx, struct cl_range range);
/** The same of the store. */
void assert_store_pattern(struct fixture *fx, struct cl_range range, unsigned seed);
/** The cache and the store show the same bytes, and the same size. */
void assert_cache_is_store(struct fixture *fx);

/** cl_mapping_set_size() in the order and with the entry of its contract; the store is
 *  resized, too. */
void fixture_truncate(struct fixture *fx, uint64_t size);

/** A suite with one case and a time-out that fits sanitizers. */
Suite *suite_with(const char *name, TCase **ret_tcase);
/** Run it; the exit status of main(). */
int suite_run(Suite *suite);

#endif
