/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_EVENT_H
#define FUSEFS_STORE_EVENT_H

/*
 * What range operations on the store, and their recovery, have to tell. The store side
 * writes no log: it calls back, and whoever mounts decides what to do with it.
 */

#include <stddef.h>
#include <stdint.h>

enum store_event_kind {
	/* While an operation runs. */
	STORE_EVENT_PROGRESS,  /* done and total are set; a long copy goes on */
	STORE_EVENT_REFUSED,   /* no journal can be made; the file is unchanged */
	STORE_EVENT_UNCHANGED, /* it failed; the file is as it was before */
	STORE_EVENT_PENDING, /* it failed half way; the next mount finishes or undoes */
	/* At the next mount. */
	STORE_EVENT_FINISHED,	 /* an interrupted operation: the file is as after it */
	STORE_EVENT_UNDONE,	 /* likewise: the file is as before it */
	STORE_EVENT_GONE,	 /* its file has been deleted since */
	STORE_EVENT_LIVE,	 /* another foldfs is at work on it just now */
	STORE_EVENT_BLOCKED,	 /* cannot be finished now: nothing may be served */
	STORE_EVENT_ORPHAN,	 /* its file was not found, or is another: set aside */
	STORE_EVENT_DAMAGED,	 /* the journal makes no sense: set aside */
	STORE_EVENT_ASIDE,	 /* a journal that an earlier mount set aside */
	STORE_EVENT_FOREIGN,	 /* another user's: nothing may be served */
	STORE_EVENT_NOT_REMOVED, /* a journal that is no longer needed stays: remove it
				  */
};

struct store_event {
	enum store_event_kind kind;
	const char *operation; /* "collapse", "insert", "move"; "" if not known */
	const char *path;      /* the file, relative to SOURCE; "" if not known */
	const char *journal;   /* name in SOURCE/.foldfs; "" if there is none */
	uint64_t offset;       /* of the operation, bytes */
	uint64_t len;
	uint64_t done; /* bytes moved, of total; PROGRESS only */
	uint64_t total;
	int error; /* negative errno, or 0 */
};

/** Called from the thread that runs the operation; must not start another one on the
 *  same file. What event points to is gone when it returns. */
typedef void store_event_fn(void *arg, const struct store_event *event);

/** A sentence for people: what happened to which file and what to do now.
 *  @return as snprintf() */
int store_event_describe(const struct store_event *event, char *buf, size_t size);

#endif
