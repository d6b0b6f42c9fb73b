/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAKE_STORE_H
#define TESTS_SUPPORT_FAKE_STORE_H

/*
 * A store in memory, with named failures, counters, and places to stop.
 *
 * It stands under the library where the daemon has a file (after littlefs's emubd): a
 * test says which call fails, how, and how often; it holds a call in flight while it
 * looks at what everybody else does; and it changes the file behind the library's back.
 * The bytes live in a memfd, so an 8 TiB sparse file costs nothing. Everything may be
 * called from any thread. With FOLDFS_FAKE_TRACE set, each failure that strikes says so
 * on stderr by its name.
 */

#include "cachelayer/store.h"

struct fake_store;

enum fake_call {
	FAKE_READ,
	FAKE_WRITE,
	FAKE_SYNC,
	FAKE_CALLS, /* how many there are */
};

/** Where a call can be held: on its way in, or with the bytes moved and the answer
 *  not given yet. */
enum fake_point {
	FAKE_READ_BEGINS,
	FAKE_READ_ENDS,
	FAKE_WRITE_BEGINS,
	FAKE_WRITE_ENDS,
	FAKE_POINTS, /* how many there are */
};

extern const struct cl_store_ops fake_store_ops;

/** A file of `size` zero bytes. Ends the program if that cannot be had. */
struct fake_store *fake_store_new(uint64_t size);
void fake_store_free(struct fake_store *store);

/* ------------------------------------------------------- behind the library's back */

/** The byte that fake_store_fill() puts at `offset` for `seed`; never 0. */
uint8_t fake_store_byte(unsigned seed, uint64_t offset);
/** Likewise for a whole buffer. */
void fake_store_pattern(void *buf, size_t len, uint64_t offset, unsigned seed);

void fake_store_fill(struct fake_store *store, struct cl_range range, unsigned seed);
void fake_store_poke(struct fake_store *store, const void *buf, size_t len,
		     uint64_t offset);
/** Bytes past the end read as zeros. */
void fake_store_peek(struct fake_store *store, void *buf, size_t len, uint64_t offset);
uint64_t fake_store_size(struct fake_store *store);
void fake_store_resize(struct fake_store *store, uint64_t size);

/* ------------------------------------------------------------------------ counters */

struct fake_counters {
	uint64_t calls;	   /* finished ones, failed ones too */
	uint64_t bytes;	   /* moved */
	uint64_t vectors;  /* elements of iov */
	uint64_t failures; /* that struck */
	uint64_t longest;  /* most bytes asked for in one call */
};

struct fake_counters fake_store_counters(struct fake_store *store, enum fake_call call);
/** Wait until so many calls have finished since the beginning. */
void fake_store_await_calls(struct fake_store *store, enum fake_call call,
			    uint64_t calls);

/* ------------------------------------------------------------------ named failures */

#define FAKE_FOR_EVER UINT64_MAX

struct fake_failure {
	const char *name;
	enum fake_call call;
	int error;	       /* negative errno; 0: the call only moves too little */
	uint64_t times;	       /* how often it strikes, at most */
	uint64_t credit;       /* bytes that still pass before it strikes, in sum */
	bool torn;	       /* moves half of the bytes all the same */
	unsigned per_million;  /* how likely it strikes; 0: always */
	struct cl_range range; /* strikes only calls that touch it; {0, 0}: all */
};

/** Arm a failure; each kind of call has one at a time, the newest. */
void fake_store_fail(struct fake_store *store, struct fake_failure failure);
/** Disarm all of them. */
void fake_store_mend(struct fake_store *store);
/** Make every call take so long. */
void fake_store_slow(struct fake_store *store, unsigned delay_us);

static inline struct fake_failure fake_eio_once(enum fake_call call)
{
	return (struct fake_failure){
		.name = "eio-once", .call = call, .error = -5, .times = 1};
}

static inline struct fake_failure fake_eio_for_ever(enum fake_call call)
{
	return (struct fake_failure){.name = "eio-for-ever",
				     .call = call,
				     .error = -5,
				     .times = FAKE_FOR_EVER};
}

/** Some bad sectors: calls that touch the range fail. */
static inline struct fake_failure fake_eio_in(enum fake_call call,
					      struct cl_range range)
{
	return (struct fake_failure){.name = "eio-in-range",
				     .call = call,
				     .error = -5,
				     .times = FAKE_FOR_EVER,
				     .range = range};
}

/** The device dies in the middle of a write: half of the bytes are on it. */
static inline struct fake_failure fake_torn_write_once(void)
{
	return (struct fake_failure){.name = "torn-write-once",
				     .call = FAKE_WRITE,
				     .error = -5,
				     .times = 1,
				     .torn = true};
}

/** The disk is full after so many more bytes. */
static inline struct fake_failure fake_enospc_after(uint64_t bytes)
{
	return (struct fake_failure){.name = "enospc-after",
				     .call = FAKE_WRITE,
				     .error = -28,
				     .times = FAKE_FOR_EVER,
				     .credit = bytes};
}

/** One read or write moves so many bytes and no more. */
static inline struct fake_failure fake_short_once(enum fake_call call, uint64_t bytes)
{
	return (struct fake_failure){
		.name = "short-once", .call = call, .times = 1, .credit = bytes};
}

static inline struct fake_failure fake_sync_fails_once(void)
{
	return (struct fake_failure){
		.name = "sync-fails-once", .call = FAKE_SYNC, .error = -5, .times = 1};
}

/* ------------------------------------------------------------------ places to stop */

/** From now on calls stop at this point. */
void fake_store_hold(struct fake_store *store, enum fake_point point);
/** Wait until so many calls stand there at once. */
void fake_store_await_held(struct fake_store *store, enum fake_point point,
			   unsigned calls);
/** Let go of those that stand there, and hold no more. */
void fake_store_release(struct fake_store *store, enum fake_point point);

#endif
