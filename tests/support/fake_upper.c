/* SPDX-License-Identifier: MIT */
/* An upper cache in memory. */

#include "fake_upper.h"

#include <stdlib.h>
#include <string.h>

#include "gated.h"

void fake_upper_init(struct fake_upper *upper, struct cl_mapping *mapping,
		     uint64_t size)
{
	memset(upper, 0, sizeof(*upper));
	upper->mapping = mapping;
	upper->size = size;
	pthread_mutex_init(&upper->mutex, NULL);
	pthread_cond_init(&upper->changed, NULL);
}

void fake_upper_fini(struct fake_upper *upper)
{
	pthread_cond_destroy(&upper->changed);
	pthread_mutex_destroy(&upper->mutex);
}

static void wait_while(struct fake_upper *upper, const bool *flag)
{
	while (*flag)
		pthread_cond_wait(&upper->changed, &upper->mutex);
}

/* ----------------------------------------------------------------------- faults */

/** READ: the folio is locked, the mutex is not held. */
static void read_folio(struct fake_upper *upper, struct fake_folio *folio,
		       uint64_t page)
{
	struct cl_gate_entry entry = {
		.range = {page << CL_PAGE_SHIFT, (page + 1) << CL_PAGE_SHIFT},
		.kind = CL_GATE_FILL,
		.caches = true,
	};
	struct cl_read read;
	size_t done = 0;

	/* The mapping's cache is not ours to know: a read of one page fits any. */
	if (cl_read_init(cl_mapping_cache(upper->mapping), &read) < 0)
		abort();
	cl_gate_enter_wait(upper->mapping, &entry);
	if (cl_read_begin(upper->mapping, entry.range.start, CL_PAGE_SIZE, &read) < 0)
		abort();
	memset(folio->bytes, 0, CL_PAGE_SIZE); /* what is past the end is padded */
	for (int i = 0; i < read.iovcnt; i++) {
		memcpy(folio->bytes + done, read.iov[i].iov_base, read.iov[i].iov_len);
		done += read.iov[i].iov_len;
	}
	cl_read_end(&read);
	/* The answer has arrived before the gate is left. */
	pthread_mutex_lock(&upper->mutex);
	folio->cached = true;
	pthread_mutex_unlock(&upper->mutex);
	cl_gate_leave(upper->mapping, &entry);
	cl_read_fini(&read);
}

int fake_upper_load(struct fake_upper *upper, uint64_t page)
{
	struct fake_folio *folio = &upper->folios[page];
	int byte;

	pthread_mutex_lock(&upper->mutex);
	wait_while(upper, &folio->locked);
	folio->locked = true;
	if (!folio->cached && page << CL_PAGE_SHIFT < upper->size) {
		upper->faults++;
		pthread_cond_broadcast(&upper->changed);
		pthread_mutex_unlock(&upper->mutex);
		read_folio(upper, folio, page);
		pthread_mutex_lock(&upper->mutex);
	}
	/* The size is looked at again when the folio is locked and has its bytes. */
	byte = page << CL_PAGE_SHIFT < upper->size ? folio->bytes[0] : -1;
	folio->locked = false;
	pthread_cond_broadcast(&upper->changed);
	pthread_mutex_unlock(&upper->mutex);
	return byte;
}

void fake_upper_await_faults(struct fake_upper *upper, unsigned faults)
{
	pthread_mutex_lock(&upper->mutex);
	while (upper->faults < faults)
		pthread_cond_wait(&upper->changed, &upper->mutex);
	pthread_mutex_unlock(&upper->mutex);
}

/* ---------------------------------------------------------------- as the library's */

/** Mutex held. */
static void drop(struct fake_upper *upper, uint64_t first, uint64_t end, bool truncates)
{
	for (uint64_t page = first; page < end && page < FAKE_UPPER_PAGES; page++) {
		struct fake_folio *folio = &upper->folios[page];

		upper->truncates_waiting += truncates && folio->locked;
		if (folio->locked)
			pthread_cond_broadcast(&upper->changed);
		wait_while(upper, &folio->locked);
		if (folio->cached && upper->keeps > 0)
			upper->keeps--;
		else
			folio->cached = false;
	}
}

static int invalidate(void *arg, struct cl_range range)
{
	struct fake_upper *upper = arg;

	pthread_mutex_lock(&upper->mutex);
	const unsigned number = ++upper->invalidations;

	pthread_cond_broadcast(&upper->changed);
	while (upper->hold_from != 0 && number >= upper->hold_from)
		pthread_cond_wait(&upper->changed, &upper->mutex);
	drop(upper, range.start >> CL_PAGE_SHIFT, range.end >> CL_PAGE_SHIFT, false);
	pthread_mutex_unlock(&upper->mutex);
	return 0;
}

static void forget_attributes(void *arg)
{
	(void)arg;
}

static int adopt_size(void *arg, uint64_t size)
{
	struct fake_upper *upper = arg;

	pthread_mutex_lock(&upper->mutex);
	wait_while(upper, &upper->holds_adoptions);
	upper->size = size;
	cl_size_told(upper->mapping);
	drop(upper, (size + CL_PAGE_SIZE - 1) >> CL_PAGE_SHIFT, FAKE_UPPER_PAGES, true);
	pthread_mutex_unlock(&upper->mutex);
	return 0;
}

static int find_cached(void *arg, struct cl_range range, uint64_t *ret_offset)
{
	struct fake_upper *upper = arg;
	int found = 0;

	pthread_mutex_lock(&upper->mutex);
	for (uint64_t page = range.start >> CL_PAGE_SHIFT;
	     page < FAKE_UPPER_PAGES && page < range.end >> CL_PAGE_SHIFT && !found;
	     page++) {
		if (!upper->folios[page].cached)
			continue;
		*ret_offset = page << CL_PAGE_SHIFT;
		found = 1;
	}
	pthread_mutex_unlock(&upper->mutex);
	return found;
}

static int fence(void *arg)
{
	struct fake_upper *upper = arg;

	return upper->at_fence(upper, ++upper->fences);
}

const struct cl_upper_ops fake_upper_ops = {
	.invalidate = invalidate,
	.forget_attributes = forget_attributes,
	.adopt_size = adopt_size,
	.find_cached = find_cached,
};

const struct cl_upper_ops fake_upper_fenced_ops = {
	.invalidate = invalidate,
	.fence = fence,
	.forget_attributes = forget_attributes,
	.adopt_size = adopt_size,
	.find_cached = find_cached,
};

void fake_upper_await_truncate(struct fake_upper *upper)
{
	pthread_mutex_lock(&upper->mutex);
	while (upper->truncates_waiting == 0)
		pthread_cond_wait(&upper->changed, &upper->mutex);
	pthread_mutex_unlock(&upper->mutex);
}

void fake_upper_await_invalidations(struct fake_upper *upper, unsigned invalidations)
{
	pthread_mutex_lock(&upper->mutex);
	while (upper->invalidations < invalidations)
		pthread_cond_wait(&upper->changed, &upper->mutex);
	pthread_mutex_unlock(&upper->mutex);
}

void fake_upper_hold_invalidations(struct fake_upper *upper, unsigned from)
{
	pthread_mutex_lock(&upper->mutex);
	upper->hold_from = from;
	pthread_cond_broadcast(&upper->changed);
	pthread_mutex_unlock(&upper->mutex);
}

void fake_upper_hold_adoptions(struct fake_upper *upper, bool hold)
{
	pthread_mutex_lock(&upper->mutex);
	upper->holds_adoptions = hold;
	pthread_cond_broadcast(&upper->changed);
	pthread_mutex_unlock(&upper->mutex);
}
