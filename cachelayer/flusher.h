/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_FLUSHER_H
#define CACHELAYER_FLUSHER_H

/*
 * The flusher: one thread that writes dirty pages back by age and under pressure
 * (Linux: fs/fs-writeback.c). Only in a write-back cache.
 */

#include <urcu/list.h>

#include "cond.h"

struct cl_cache;
struct cl_mapping;

struct flusher {
	struct cl_mutex lock;
	struct cl_cond changed;	    /* kicked, stopping, or a mapping is done with */
	struct cds_list_head dirty; /* mappings, oldest first; guarded by lock */
	bool kicked, stopping;	    /* guarded by lock */
	bool running;		    /* set once */
	pthread_t thread;
};

/** @return 0 or a negative errno; starts the thread of a write-back cache */
int flusher_init(struct cl_cache *cache);
void flusher_fini(struct cl_cache *cache);

/** A mapping has got its first dirty page. No lock that comes after CL_RANK_DIRTY_LIST.
 */
void flusher_add(struct cl_mapping *mapping);
/** A mapping is going away: it has left the list, and the flusher has let go of it. */
void flusher_remove(struct cl_mapping *mapping);
/** Too much is dirty: do not wait for age. */
void flusher_kick(struct cl_cache *cache);

#endif
