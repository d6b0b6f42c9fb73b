/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_COPIES_PROBE_H
#define FUSEFS_COPIES_PROBE_H

/*
 * Trying out whether the kernel writes mapped pages back from temporary copies
 * (temporary_copies.h): versions of distributions' kernels are mixed.
 */

#include "daemon.h"

/** What was seen. */
enum copies {
	COPIES_UNKNOWN, /* nothing that would prove either */
	COPIES_MADE,	/* a page was dropped while a WRITE of it was on its way */
	COPIES_NONE,	/* to drop it, the kernel waits for that WRITE */
};

/** The requests that the trial is made of: a directory with one file of one page. */
extern const struct fuse_lowlevel_ops copies_probe_ops;

/**
 * A program stores to a page through a mapping, and has the kernel begin to write it
 * back. While that WRITE is not answered, the kernel is told to drop the page: it does
 * at once, or not before the answer.
 * @param session     of copies_probe_ops; mounted, INIT has been answered
 * @param mountpoint  where
 * @return what was seen, within some seconds. For a process with one thread, which
 *         nobody else needs: a child.
 */
enum copies copies_probe(struct fuse_session *session, const char *mountpoint);

#endif
