/* SPDX-License-Identifier: MIT */
/*
 * The flusher.
 *
 * It enters each mapping's gate only if it can do so at once: one long range operation
 * must not keep the pages of other files from their store.
 */

#include "flusher.h"

#include <errno.h>

#include "mapping_internal.h"
#include "test_point.h"

#define NS_PER_MS 1000000u

static void flush_mapping(struct cl_mapping *mapping)
{
	struct cl_gate_entry entry = {.range = {0, CL_RANGE_EOF},
				      .kind = CL_GATE_WRITE};

	if (!cl_gate_try_enter(mapping, &entry))
		return;
	/* The error is in the mapping's error sequence, and told to the owner. */
	(void)cl_writeback(mapping, entry.range);
	cl_gate_leave(mapping, &entry);
}

/**
 * Flush the oldest mapping if it is due.
 * @return whether there was one; its place is then at the end of the list
 */
static bool flush_oldest(struct cl_cache *cache, bool pressure)
{
	struct flusher *f = &cache->flusher;
	const uint64_t age_ns = (uint64_t)cache->config.writeback_age_ms * NS_PER_MS;

	cl_mutex_assert_held(&f->lock);
	if (cds_list_empty(&f->dirty))
		return false;

	struct cl_mapping *m =
		cds_list_first_entry(&f->dirty, struct cl_mapping, dirty_link);
	const uint64_t now = cl_now_ns();

	if (!pressure && cl_elapsed_ns(m->dirtied_ns, now) < age_ns)
		return false;
	m->flushing = true;
	m->dirtied_ns = now;
	cl_mutex_unlock(&f->lock);
	flush_mapping(m);
	cl_mutex_lock(&f->lock);
	m->flushing = false;
	cds_list_del_init(&m->dirty_link);
	if (atomic_load(&m->ndirty) > 0)
		cds_list_add_tail(&m->dirty_link, &f->dirty);
	cl_cond_broadcast(&f->changed);
	return true;
}

/** Flush what is due; under pressure each mapping once. */
static void flush_round(struct cl_cache *cache, bool pressure)
{
	struct flusher *f = &cache->flusher;
	struct cds_list_head *pos;
	size_t budget = 0;

	cds_list_for_each(pos, &f->dirty)
		budget++;
	while (budget-- > 0 && flush_oldest(cache, pressure))
		;
}

static void *flusher_main(void *arg)
{
	struct cl_cache *cache = arg;
	struct flusher *f = &cache->flusher;
	const uint64_t period_ns =
		(uint64_t)cache->config.writeback_age_ms * NS_PER_MS / 2;

	cl_mutex_lock(&f->lock);
	while (!f->stopping) {
		const bool pressure = f->kicked;

		f->kicked = false;
		flush_round(cache, pressure);
		if (f->stopping || f->kicked)
			continue;

		const uint64_t until =
			cl_now_ns() + (period_ns > NS_PER_MS ? period_ns : NS_PER_MS);

		cl_cond_wait_until(&f->changed, &f->lock, until);
	}
	cl_mutex_unlock(&f->lock);
	return NULL;
}

int flusher_init(struct cl_cache *cache)
{
	struct flusher *f = &cache->flusher;

	cl_mutex_init(&f->lock, CL_RANK_DIRTY_LIST, "dirty list");
	cl_cond_init(&f->changed);
	CDS_INIT_LIST_HEAD(&f->dirty);
	if (!cache->config.writeback)
		return 0;

	const int error = cl_thread_start(&f->thread, flusher_main, cache);

	f->running = error == 0;
	return -error;
}

void flusher_fini(struct cl_cache *cache)
{
	struct flusher *f = &cache->flusher;

	if (f->running) {
		cl_mutex_lock(&f->lock);
		f->stopping = true;
		cl_cond_broadcast(&f->changed);
		cl_mutex_unlock(&f->lock);
		cl_thread_join(f->thread);
	}
	cl_cond_destroy(&f->changed);
	cl_mutex_destroy(&f->lock);
}

void flusher_add(struct cl_mapping *mapping)
{
	struct flusher *f = &mapping->cache->flusher;

	cl_mutex_lock(&f->lock);
	if (cds_list_empty(&mapping->dirty_link)) {
		mapping->dirtied_ns = cl_now_ns();
		cds_list_add_tail(&mapping->dirty_link, &f->dirty);
	}
	cl_mutex_unlock(&f->lock);
}

void flusher_remove(struct cl_mapping *mapping)
{
	struct flusher *f = &mapping->cache->flusher;

	cl_mutex_lock(&f->lock);
	while (mapping->flushing)
		cl_cond_wait(&f->changed, &f->lock);
	cds_list_del_init(&mapping->dirty_link);
	cl_mutex_unlock(&f->lock);
}

void flusher_kick(struct cl_cache *cache)
{
	struct flusher *f = &cache->flusher;

	cl_mutex_lock(&f->lock);
	f->kicked = true;
	cl_cond_broadcast(&f->changed);
	cl_mutex_unlock(&f->lock);
}
