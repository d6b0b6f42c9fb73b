/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_STORE_EVENT_H
#define FUSEFS_STORE_EVENT_H

/*
 * What range operations on the store, and their recovery, have to tell. The store side
 * writes no log: it calls back, and whoever mounts decides what to do with it.
 */

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum store_event_kind {
	/* While an operation runs. */
	STORE_EVENT_PROGRESS,  /* done and total are set; a long copy goes on */
	STORE_EVENT_REFUSED,   /* no journal can be made; the file is unchanged */
	STORE_EVENT_WAITING,   /* an older one waits for recovery; unchanged */
	STORE_EVENT_UNCHANGED, /* it failed; the file is as it was before */
	STORE_EVENT_PENDING, /* it failed half way; the next mount finishes or undoes */
	STORE_EVENT_STOPPED, /* likewise, because the mount ends */
	/* At the next mount. */
	STORE_EVENT_FINISHED,	 /* an interrupted operation: the file is as after it */
	STORE_EVENT_UNDONE,	 /* likewise: the file is as before it */
	STORE_EVENT_GONE,	 /* its file has been deleted since */
	STORE_EVENT_LIVE,	 /* another foldfs is at work on it just now */
	STORE_EVENT_BLOCKED,	 /* cannot be finished now: its file is not served */
	STORE_EVENT_ORPHAN,	 /* its file was not found, or is another: set aside */
	STORE_EVENT_DAMAGED,	 /* the journal makes no sense: set aside */
	STORE_EVENT_ASIDE,	 /* a journal that an earlier mount set aside */
	STORE_EVENT_NOT_OURS,	 /* not a journal that we have made: left alone */
	STORE_EVENT_UNREADABLE,	 /* a journal of ours that could not be read */
	STORE_EVENT_FOREIGN,	 /* a directory of journals that is another user's */
	STORE_EVENT_UNPROVEN,	 /* one that others may have put there */
	STORE_EVENT_NOT_REMOVED, /* a journal that is no longer needed stays: remove it
				  */
};

struct store_event {
	enum store_event_kind kind;
	const char *operation; /* "collapse", "insert", "move"; "" if not known */
	const char *path;      /* the file, relative to SOURCE; "" if not known */
	const char *journal;   /* its name below SOURCE; "" if there is none */
	uint64_t offset;       /* of the operation, bytes */
	uint64_t len;
	uint64_t done; /* bytes moved, of total; PROGRESS only */
	uint64_t total;
	int error;     /* negative errno, or 0 */
	uid_t uid;     /* whose directory: FOREIGN, UNPROVEN, NOT_OURS */
	unsigned shut; /* files that are not served for it: FOREIGN, UNPROVEN */
};

/* Room for any description. */
#define STORE_EVENT_TEXT_MAX (PATH_MAX + 1024)

/** Called from the thread that runs the operation; must not start another one on the
 *  same file. What event points to is gone when it returns. */
typedef void store_event_fn(void *arg, const struct store_event *event);

/** A sentence for people: what happened to which file and what to do now.
 *  @return as snprintf() */
int store_event_describe(const struct store_event *event, char *buf, size_t size);

/** A few words for each kind. */
const char *store_event_name(enum store_event_kind kind);

/** Why a journal could not be made (STORE_EVENT_REFUSED), for whoever asked for the
 *  operation: a sentence with the remedy. @param error  event->error */
const char *store_event_why_refused(int error);

#endif
