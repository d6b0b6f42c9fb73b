/* SPDX-License-Identifier: MIT */
/*
 * Prefetch: the library says what a sequential reader wants next, a thread of the
 * continuations pool fetches it. One at a time per open file, and only if the gate lets
 * it in at once: it is a favour, not a request.
 */

#include "prefetch.h"

#include <stdlib.h>

#include "account.h"
#include "worker_pool.h"

struct prefetch {
	struct job job;
	struct open_file *file; /* with a reference */
	struct cl_range range;
};

static void run(struct job *job)
{
	struct prefetch *prefetch = (struct prefetch *)job;
	struct open_file *file = prefetch->file;
	struct cl_mapping *mapping = file->inode->mapping;
	struct cl_gate_entry entry = {
		.range = prefetch->range,
		.kind = CL_GATE_FILL,
	};

	if (cl_gate_try_enter(mapping, &entry)) {
		cl_prefetch(mapping, prefetch->range);
		cl_gate_leave(mapping, &entry);
	}
	free(prefetch);
	pthread_mutex_lock(&file->lock);
	file->prefetching = false;
	pthread_mutex_unlock(&file->lock);
	open_file_put(file);
}

/* Whether to fetch *ret_range now. */
static bool claim(struct open_file *file, uint64_t offset, size_t len,
		  struct cl_range *ret_range)
{
	struct cl_mapping *mapping = file->inode->mapping;
	struct cl_readahead next;
	bool wanted;

	pthread_mutex_lock(&file->lock);
	next = file->readahead;
	wanted = cl_readahead_next(mapping, &next, offset, len, ret_range);
	if (wanted && file->prefetching) {
		/* Not now; so the window has not moved. */
		file->readahead.next_offset = next.next_offset;
		wanted = false;
	} else {
		file->readahead = next;
		file->prefetching |= wanted;
	}
	pthread_mutex_unlock(&file->lock);
	return wanted;
}

void prefetch_after(struct open_file *file, uint64_t offset, size_t len_bytes)
{
	struct prefetch *prefetch;
	struct cl_range range;

	if (!claim(file, offset, len_bytes, &range))
		return;
	prefetch = malloc(sizeof(*prefetch));
	if (!prefetch) {
		pthread_mutex_lock(&file->lock);
		file->prefetching = false;
		pthread_mutex_unlock(&file->lock);
		return;
	}
	open_file_ref(file);
	*prefetch = (struct prefetch){
		{.run = run, .account = account_of(NULL, file->inode)}, file, range};
	worker_pool_submit(file->inode->daemon->continuations, &prefetch->job);
}
