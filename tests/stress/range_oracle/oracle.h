/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_ORACLE_H
#define RANGE_ORACLE_ORACLE_H

/*
 * What the parts of the oracle share. All of it is in memory that the processes inherit
 * at the same address, so pointers are good in every one of them.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "latency.h"
#include "model.h"
#include "page.h"

#define WORKERS_MAX   128
#define PROCESSES_MAX 16

/** How the operations are done. */
enum method {
	METHOD_FOLDFS_H,   /* as any program should */
	METHOD_COPY_SHIFT, /* wrongly: pread and pwrite under the live mappings */
};

struct settings {
	const char *directory;
	const char *store; /* the same directory behind the mount, or NULL */
	uint64_t seed;
	unsigned seconds;
	unsigned processes;
	unsigned threads; /* in each */
	uint32_t pages;
	unsigned pause_us; /* between operations, on average */
	unsigned hang_s;   /* an access or operation older than this has failed */
	unsigned checkpoint_ms;
	unsigned accesses; /* bits 1 << enum access_kind */
	enum method method;
	bool native; /* not on foldfs: test the kernel's own file system */
	bool links;
	bool unlinked;
};

/*
 * Three zones, in page indices:
 *
 *   [0, hot_begin)        cold: gaps and holes appear only here, and get an identity
 *                         before any later operation can move them up
 *   [hot_begin, hot_end)  hot: never a page of zeros, never past the end
 *   [hot_end, max_pages)  tail: may be past the end; touched expecting SIGBUS
 */
struct zones {
	uint32_t hot_begin;
	uint32_t hot_end;
	uint32_t max_pages;
};

/** The accounts of one identity: what must be found on its page. */
struct account {
	_Atomic uint32_t adds[PAGE_CELLS];
	_Atomic uint32_t slot[PAGE_SLOTS];
	_Atomic uint32_t
		open; /* 1 once the page is stamped; before, nobody adds to it */
};

enum access_kind {
	ACCESS_ADD,	     /* fetch_add through the mapping, hot zone */
	ACCESS_ADD_ANYWHERE, /* load, then compare-and-swap; hot and cold */
	ACCESS_LOAD,	     /* through the mapping */
	ACCESS_LOAD_PRIVATE, /* through a private mapping that nobody writes to */
	ACCESS_READ,	     /* read(2) of a page */
	ACCESS_READ_DIRECT,  /* likewise, O_DIRECT */
	ACCESS_WRITE,	     /* write(2) of a slot, hot zone */
	ACCESS_TAIL,	     /* load where the file may have ended */
	ACCESS_STAT,
	ACCESS_DISTURB, /* msync, fsync, fadvise, madvise: squeeze caches */
	ACCESS_KINDS,
};

extern const char *const access_name[ACCESS_KINDS];

/** One thread. Written by it alone; the atomics are read by the watchdog meanwhile. */
struct worker {
	_Atomic uint64_t busy_since_ns; /* 0: between accesses */
	_Atomic int busy_kind;
	_Atomic uint32_t busy_index;
	uint64_t skipped;  /* met a page of zeros, or one just made */
	uint64_t unjudged; /* too slow: the states it may have seen are gone */
	uint64_t resolved; /* writes that raced with an operation, looked up afterwards
			    */
	struct latency during_op[ACCESS_KINDS];
	struct latency otherwise[ACCESS_KINDS];
};

struct oracle {
	struct settings settings;
	struct zones zones;
	struct model *model;
	struct account *accounts; /* indexed by identity */
	struct worker *workers;
	unsigned nworkers;

	/* Operations are done under this; whoever needs a moment without one takes it.
	 * The shifting thread stands back while anybody is queueing. */
	pthread_mutex_t op_lock;
	_Atomic unsigned queueing;

	_Atomic unsigned running; /* workers that have not ended yet */
	_Atomic bool stop;
	_Atomic bool pause;	   /* asks the workers to stand still ... */
	_Atomic unsigned standing; /* ... and counts those who do */
	_Atomic unsigned violations;
	_Atomic uint64_t shifter_busy_since_ns;
};

/** One process's view of the file. */
struct view {
	int fd;
	int direct_fd;	  /* -1: the file system has no O_DIRECT */
	uint64_t *shared; /* max_pages of them mapped, also past the end */
	const uint64_t *private;
};

uint64_t now_ns(void);

/** xorshift; *state is not 0. */
uint64_t random_next(uint64_t *state);
/** Less than bound, which is not 0. */
uint32_t random_below(uint64_t *state, uint32_t bound);

/** Report what must not be. Prints the first few; all are counted, and end the run. */
__attribute__((format(printf, 2, 3))) void violation(struct oracle *oracle,
						     const char *format, ...);

#endif
