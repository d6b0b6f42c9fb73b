/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_FILL_H
#define CACHELAYER_FILL_H

/*
 * Filling: pages that are in the table, LOCKED and not UPTODATE get their bytes.
 */

#include "cachelayer/mapping.h"
#include "page.h"

/** Pages with consecutive indexes that wait to be filled together. */
struct fill_run {
	struct cl_page **pages;
	size_t npages;
	uint64_t index; /* of the first */
	bool aside;	/* the upper cache has not asked for them */
};

/**
 * Fill a run with one vectored read of the store, and unlock its pages. The caller's
 * pins stay. On an error the pages are removed, and whoever waits for one gets the
 * error.
 * @param iov  room for run->npages
 * @return 0 or the store's error
 */
int fill_run(struct cl_mapping *mapping, struct fill_run *run, struct iovec *iov);

/** Append a piece of memory, merged with the one before it if they touch. */
void iov_append(struct iovec *iov, int *iovcnt, void *base, size_t len);

#endif
