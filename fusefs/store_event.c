/* SPDX-License-Identifier: MIT */
/*
 * Events of the store side in words.
 */

#include "store_event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What happened, after "PATH: OPERATION of LEN bytes at OFFSET". */
static const char *const outcome[] = {
	[STORE_EVENT_PROGRESS] = "is under way",
	[STORE_EVENT_REFUSED] =
		"refused, the file is unchanged: this store can only copy the bytes, and "
		"no journal can be made in SOURCE/.foldfs, which needs a SOURCE directory "
		"that the daemon may write and a .foldfs that belongs to its user",
	[STORE_EVENT_UNCHANGED] = "failed, the file is as it was before",
	[STORE_EVENT_PENDING] =
		"failed half way and could not be undone: the file is not served until "
		"the next mount has finished or undone it; make room on the store or "
		"mend it, then mount again",
	[STORE_EVENT_FINISHED] =
		"was interrupted and has been finished: the file is as after it",
	[STORE_EVENT_UNDONE] =
		"was interrupted and has been undone: the file is as before it",
	[STORE_EVENT_GONE] = "was interrupted, and its file has been deleted since",
	[STORE_EVENT_LIVE] =
		"is being done by another foldfs on this SOURCE; left alone",
	[STORE_EVENT_BLOCKED] =
		"was interrupted and can be neither finished nor undone now: make room on "
		"the store, let the daemon's user write the file, or mend the disk, then "
		"mount again",
	[STORE_EVENT_ORPHAN] =
		"was interrupted, and its file is not to be found below SOURCE or has been "
		"replaced or resized since; the journal is kept in SOURCE/.foldfs: remove "
		"it if the file was deleted, or put the file back, take the .aside from "
		"the journal's name, and mount again",
	[STORE_EVENT_DAMAGED] =
		"left a journal that is damaged; no file was touched, the journal is kept "
		"in SOURCE/.foldfs: check the file, then remove it",
	[STORE_EVENT_ASIDE] =
		"left a journal that an earlier mount could not make use of: check the "
		"file, then remove the journal",
	[STORE_EVENT_FOREIGN] =
		"may wait to be finished, but SOURCE/.foldfs or the journal in it belongs "
		"to another user, or others may write it: mount as its owner or as root, "
		"or remove it",
	[STORE_EVENT_NOT_REMOVED] =
		"is complete, but its journal could not be removed: remove it by hand "
		"before the next mount",
};

int store_event_describe(const struct store_event *event, char *buf, size_t size)
{
	const char *path = event->path[0] ? event->path : "(unknown file)";
	char what[128] = "a range operation";
	char journal[320] = "";
	char reason[160] = "";

	if (event->operation[0])
		snprintf(what, sizeof(what),
			 "%s of %" PRIu64 " bytes at offset %" PRIu64, event->operation,
			 event->len, event->offset);
	if (event->journal[0])
		snprintf(journal, sizeof(journal), " [.foldfs/%s]", event->journal);
	if (event->error)
		snprintf(reason, sizeof(reason), " (%s)", strerror(-event->error));
	if (event->kind == STORE_EVENT_PROGRESS)
		return snprintf(buf, size,
				"%s: %s: %" PRIu64 " of %" PRIu64 " bytes moved", path,
				what, event->done, event->total);
	return snprintf(buf, size, "%s: %s %s%s%s", path, what, outcome[event->kind],
			reason, journal);
}
