/* SPDX-License-Identifier: MIT */
/*
 * Events of the store side in words.
 */

#include "store_event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What happened, after "PATH: OPERATION of LEN bytes at OFFSET". */
static const char *const outcome[] = {
	[STORE_EVENT_PROGRESS] = "is under way",
	[STORE_EVENT_REFUSED] =
		"refused, the file is unchanged: this store can only copy the bytes, and "
		"no journal can be made",
	[STORE_EVENT_WAITING] =
		"refused, the file is unchanged: an earlier operation on it was interrupted "
		"and waits to be finished or undone by the next mount",
	[STORE_EVENT_UNCHANGED] = "failed, the file is as it was before",
	[STORE_EVENT_PENDING] =
		"failed half way and could not be undone: the file is not served until "
		"the next mount has finished or undone it; make room on the store or "
		"mend it, then mount again",
	[STORE_EVENT_STOPPED] =
		"was under way when the mount was ended: the next one finishes it before "
		"it serves anything",
	[STORE_EVENT_FINISHED] =
		"was interrupted and has been finished: the file is as after it",
	[STORE_EVENT_UNDONE] =
		"was interrupted and has been undone: the file is as before it",
	[STORE_EVENT_GONE] = "was interrupted, and its file has been deleted since",
	[STORE_EVENT_LIVE] =
		"is being done by another foldfs on this SOURCE; left alone",
	[STORE_EVENT_BLOCKED] =
		"was interrupted and can be neither finished nor undone now, so the file is "
		"not served (EIO): make room on the store, let the daemon's user read "
		"every directory and write the file, or mend the disk, then mount again; "
		"if the file was deleted, remove the journal",
	[STORE_EVENT_ORPHAN] =
		"was interrupted, and its file is not to be found below SOURCE or has been "
		"replaced or resized since; the journal is kept: remove "
		"it if the file was deleted, or put the file back, take the .aside from "
		"the journal's name, and mount again",
	[STORE_EVENT_DAMAGED] =
		"left a journal that is damaged; recovery has not touched the file, the "
		"journal is kept: check the file, then remove it",
	[STORE_EVENT_ASIDE] =
		"left a journal that an earlier mount could not make use of: check the "
		"file, then remove the journal",
	[STORE_EVENT_NOT_OURS] =
		"is not what this is: it belongs to another user than its directory, or is "
		"no regular file; left alone",
	[STORE_EVENT_UNREADABLE] =
		"may be half way on some file, since its journal cannot be read: mend that, "
		"or remove the journal, before the next mount",
	[STORE_EVENT_NOT_REMOVED] =
		"is complete, but its journal could not be removed: remove it by hand "
		"before the next mount",
};

const char *store_event_name(enum store_event_kind kind)
{
	static const char *const names[] = {
		[STORE_EVENT_PROGRESS] = "range operation: progress",
		[STORE_EVENT_REFUSED] = "range operation refused",
		[STORE_EVENT_WAITING] = "range operation refused: recovery is due",
		[STORE_EVENT_UNCHANGED] = "range operation failed",
		[STORE_EVENT_PENDING] = "range operation failed half way",
		[STORE_EVENT_STOPPED] = "range operation left to the next mount",
		[STORE_EVENT_FINISHED] = "interrupted operation finished",
		[STORE_EVENT_UNDONE] = "interrupted operation undone",
		[STORE_EVENT_GONE] = "interrupted operation: file deleted",
		[STORE_EVENT_LIVE] = "range operation of another foldfs",
		[STORE_EVENT_BLOCKED] = "interrupted operation: file not served",
		[STORE_EVENT_ORPHAN] = "interrupted operation: file not found",
		[STORE_EVENT_DAMAGED] = "interrupted operation: journal damaged",
		[STORE_EVENT_ASIDE] = "interrupted operation: journal set aside",
		[STORE_EVENT_NOT_OURS] = "not a journal of ours",
		[STORE_EVENT_UNREADABLE] = "journal cannot be read",
		[STORE_EVENT_FOREIGN] = "journals of another user",
		[STORE_EVENT_UNPROVEN] = "journals that may not be ours",
		[STORE_EVENT_NOT_REMOVED] = "journal not removed",
	};

	return names[kind];
}

const char *store_event_why_refused(int error)
{
	switch (error) {
	case -EACCES:
		return "the daemon's user may not write the directory that is served";
	case -EROFS:
		return "the file system below the mount is read-only";
	case -EPERM:
		return "the daemon may not have a directory .foldfs of its own in the "
		       "directory that is served: somebody else has made those names, "
		       "others may rename there and the store keeps no trusted "
		       "attributes to tell by, or it is itself the root of a foldfs mount "
		       "(serve a directory below that, or what that one serves)";
	default:
		return "no directory .foldfs can be made in the directory that is served";
	}
}

static const char *foreign_words(const struct store_event *event)
{
	if (event->kind == STORE_EVENT_UNPROVEN)
		return "others may have put it there, so what it says is not acted upon: "
		       "check the files that its journals are about, then remove it";
	if (event->error)
		return "it cannot be looked into: what was interrupted there only a mount by "
		       "that user, or by root, can finish";
	return "what it says is not acted upon: only a mount by that user can finish what "
	       "was interrupted there";
}

/* A directory as a whole. */
static int describe_dir(const struct store_event *event, char *buf, size_t size)
{
	char shut[96] = "";

	if (event->shut > 0)
		snprintf(shut, sizeof(shut),
			 "; %u files may be half way and are not served (EIO)%s",
			 event->shut,
			 event->kind == STORE_EVENT_FOREIGN ? " if they are his" : "");
	return snprintf(buf, size, "SOURCE/%s belongs to uid %u: %s%s", event->journal,
			(unsigned)event->uid, foreign_words(event), shut);
}

int store_event_describe(const struct store_event *event, char *buf, size_t size)
{
	const char *path = event->path[0] ? event->path : "(unknown file)";
	char what[128] = "a range operation";
	char journal[320] = "";
	char reason[600] = "";

	if (event->kind == STORE_EVENT_FOREIGN || event->kind == STORE_EVENT_UNPROVEN)
		return describe_dir(event, buf, size);
	if (event->operation[0])
		snprintf(what, sizeof(what),
			 "%s of %" PRIu64 " bytes at offset %" PRIu64, event->operation,
			 event->len, event->offset);
	if (event->journal[0])
		snprintf(journal, sizeof(journal), " [%s]", event->journal);
	if (event->kind == STORE_EVENT_REFUSED)
		snprintf(reason, sizeof(reason), ": %s (%s)",
			 store_event_why_refused(event->error),
			 strerror(-event->error));
	else if (event->error)
		snprintf(reason, sizeof(reason), " (%s)", strerror(-event->error));
	if (event->kind == STORE_EVENT_PROGRESS)
		return snprintf(buf, size,
				"%s: %s: %" PRIu64 " of %" PRIu64 " bytes moved", path,
				what, event->done, event->total);
	return snprintf(buf, size, "%s: %s %s%s%s", path, what, outcome[event->kind],
			reason, journal);
}
