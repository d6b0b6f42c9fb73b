/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_RESIZE_H
#define FUSEFS_RESIZE_H

/* Setting a file's size, in the store and in the page cache. */

#include "parked_request.h"

/** Embedded in whatever is to go on afterwards. */
struct resize {
	struct parked_request parked;
	uint64_t size; /* bytes */
	/** Called once, no lock and no gate held, on this or another thread that may
	 * wait for the store; may free the resize. */
	void (*done)(struct resize *resize, int status);
};

/**
 * Set the size of a file, open or not.
 * @param resize  size and done set
 * done() gets 0, or what the store said: then nothing has changed
 */
void resize_start(struct resize *resize, struct inode *inode, fuse_req_t req);

#endif
