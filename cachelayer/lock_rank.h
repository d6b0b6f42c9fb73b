/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_LOCK_RANK_H
#define CACHELAYER_LOCK_RANK_H

/*
 * Lock ranks, and mutexes that know theirs (after Linux lockdep, with ranks declared
 * instead of learned: the tree is small and stands in DESIGN.md).
 *
 * A thread may wait only for a lock of a higher rank than every lock it holds. Page
 * locks share one rank and are ordered by (mapping address, index). A trylock cannot
 * deadlock and is only recorded.
 *
 * With -Ddebug_locks=true a violation prints both acquisition sites and aborts;
 * without, all of this compiles to plain pthread calls.
 */

#include <pthread.h>

#include "cachelayer/types.h"
#include "config.h"

enum cl_lock_rank {
	CL_RANK_OP_MONITOR = 5,	   /* op_monitor.c: which range operations run */
	CL_RANK_GATE = 10,	   /* invalidate_gate.c: one gate's queues */
	CL_RANK_PAGE = 20,	   /* page_lock.c */
	CL_RANK_PAGE_TABLE = 30,   /* page_table.c: one mapping's tree and tags */
	CL_RANK_DIRTY_LIST = 40,   /* flusher.c: which mappings are dirty */
	CL_RANK_RECLAIM = 50,	   /* reclaim.c: the queues */
	CL_RANK_ARENA = 60,	   /* arena.c: the free list */
	CL_RANK_PAGE_WAITERS = 70, /* page_waiters.c: one bucket; a leaf */
};

/** Ordering key of a lock inside its rank; compared major first, unless one has none. */
struct cl_lock_key {
	uint64_t major;
	uint64_t minor;
};

struct cl_mutex {
	pthread_mutex_t mutex;
#ifdef CL_DEBUG_LOCKS
	enum cl_lock_rank rank;
	const char *name;
#endif
};

/** For a mutex of static storage. */
#ifdef CL_DEBUG_LOCKS
#define CL_MUTEX_INITIALIZER(rank_, name_)                                             \
	{                                                                              \
		.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = (rank_), .name = (name_)   \
	}
#else
#define CL_MUTEX_INITIALIZER(rank_, name_)                                             \
	{                                                                              \
		.mutex = PTHREAD_MUTEX_INITIALIZER                                     \
	}
#endif

void cl_mutex_init(struct cl_mutex *m, enum cl_lock_rank rank, const char *name);
void cl_mutex_destroy(struct cl_mutex *m);

#define CL_LOCK_STRINGIFY_(x) #x
#define CL_LOCK_STRINGIFY(x)  CL_LOCK_STRINGIFY_(x)
#define CL_LOCK_SITE	      __FILE__ ":" CL_LOCK_STRINGIFY(__LINE__)

#ifdef CL_DEBUG_LOCKS
/** Before waiting: abort if the caller holds this lock, or one that comes after it. */
void cl_lock_debug_wait(const void *lock, enum cl_lock_rank rank, const char *name,
			struct cl_lock_key key, const char *site);
/** After acquiring, by whatever means. */
void cl_lock_debug_acquired(const void *lock, enum cl_lock_rank rank, const char *name,
			    struct cl_lock_key key, const char *site);
/** Before releasing: abort if the caller does not hold it. */
void cl_lock_debug_release(const void *lock, const char *name, const char *site);
void cl_lock_debug_assert_held(const void *lock, const char *name, const char *site);
void cl_lock_debug_assert_not_held(enum cl_lock_rank rank, const char *site);

void cl_mutex_lock_at(struct cl_mutex *m, const char *site);
void cl_mutex_unlock_at(struct cl_mutex *m, const char *site);
#define cl_mutex_lock(m)	      cl_mutex_lock_at(m, CL_LOCK_SITE)
#define cl_mutex_unlock(m)	      cl_mutex_unlock_at(m, CL_LOCK_SITE)
#define cl_mutex_assert_held(m)	      cl_lock_debug_assert_held(m, (m)->name, CL_LOCK_SITE)
/** The caller holds no lock of this rank. */
#define cl_rank_assert_not_held(rank) cl_lock_debug_assert_not_held(rank, CL_LOCK_SITE)
#else
static inline void cl_mutex_lock(struct cl_mutex *m)
{
	pthread_mutex_lock(&m->mutex);
}
static inline void cl_mutex_unlock(struct cl_mutex *m)
{
	pthread_mutex_unlock(&m->mutex);
}
#define cl_mutex_assert_held(m)	      ((void)(m))
#define cl_rank_assert_not_held(rank) ((void)0)
#endif

#endif
