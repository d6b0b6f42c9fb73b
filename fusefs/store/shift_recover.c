/* SPDX-License-Identifier: MIT */
/*
 * Every journal in SOURCE's directories of ours: finished, undone, set aside, or its file
 * shut. Of everybody else's: what they are about.
 */

#include "shift_recover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shift_dir.h"
#include "shift_journal.h"
#include "shift_run.h"

/* Of a directory that is not ours, so many names are looked at: whoever fills it with
 * more gains nothing by it, and we lose no time. */
#define MAX_FOREIGN_NAMES 256

struct recovery {
	const struct store_io *io;
	const struct shift_recover_calls *calls;
	int source_fd;
};

static void tell(const struct recovery *recovery, const struct shift_journal *journal,
		 enum store_event_kind kind, int err)
{
	struct store_event event = shift_journal_event(journal, kind);

	event.error = err;
	if (recovery->calls->event)
		recovery->calls->event(recovery->calls->arg, &event);
}

/* A directory, or what is in it under a name that is not a journal we could open. */
static void tell_of_name(const struct recovery *recovery, const struct shift_dir *dir,
			 const char *name, struct store_event event)
{
	char shown[SHIFT_JOURNAL_SHOWN_MAX];

	snprintf(shown, sizeof(shown), "%s%s%s", dir->name, name[0] ? "/" : "", name);
	event.operation = event.path = "";
	event.journal = shown;
	event.uid = dir->owner;
	if (recovery->calls->event)
		recovery->calls->event(recovery->calls->arg, &event);
}

static bool must_stop(const struct recovery *recovery)
{
	return recovery->calls->stop && recovery->calls->stop(recovery->calls->arg);
}

/* ------------------------------------------------------------------ a journal of ours */

static void discard(const struct recovery *recovery, struct shift_journal *journal)
{
	const int err = shift_journal_remove(journal);

	if (err < 0)
		tell(recovery, journal, STORE_EVENT_NOT_REMOVED, err);
}

static void set_aside(const struct recovery *recovery, struct shift_journal *journal,
		      enum store_event_kind kind)
{
	shift_journal_set_aside(journal);
	tell(recovery, journal, kind, 0);
}

/* The sizes that the file can have at the journal's latest record. */
static bool size_is_possible(const struct shift_journal *journal, uint64_t size)
{
	const struct shift_geometry *g = &journal->geometry;
	const bool before = size == g->size;
	const bool after = size == shift_new_size(g);

	/* A collapse is cut at its very end, and then cannot be undone any more. */
	if (g->op == SHIFT_COLLAPSE &&
	    (journal->record.state == SHIFT_RUNNING || journal->record.undo))
		return before;
	return before || after;
}

/* 0; -ENOENT: not the file it was. */
static int check_target(const struct shift_journal *journal, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return size_is_possible(journal, (uint64_t)st.st_size) ? 0 : -ENOENT;
}

/* Whether the staged bytes are those that the record speaks of: 0, -EBADMSG, or what
 * reading them said. */
static int check_staged(struct shift_run *run)
{
	const struct shift_record *rec = &run->journal->record;
	uint64_t sum;
	int err;

	if (rec->state != SHIFT_RUNNING || !rec->staged || rec->stage_cloned)
		return 0;
	err = store_copy_sum(
		&run->copy,
		(struct store_place){run->journal->fd,
				     shift_journal_area_at(run->journal, rec->area)},
		rec->bytes, &sum);
	if (err == 0 && sum != rec->stage_sum)
		err = -EBADMSG;
	return err;
}

static enum shift_wish wish(void *arg)
{
	return must_stop(arg) ? SHIFT_STOP : SHIFT_GO_ON;
}

/* 0: the file is whole, or the journal set aside; negative: it is between. */
static int run_journal(struct recovery *recovery, struct shift_journal *journal, int fd)
{
	struct shift_run run = {
		.io = recovery->io,
		.journal = journal,
		.fd = fd,
		.event = recovery->calls->event,
		.event_arg = recovery->calls->arg,
		.wish = wish,
		.wish_arg = recovery,
	};
	enum shift_outcome outcome = SHIFT_IS_BETWEEN;
	int err = store_copy_init(&run.copy, recovery->io,
				  journal->record.stage_cloned ||
					  journal->record.saved_cloned);

	if (err < 0)
		return err;
	err = check_staged(&run);
	if (err == 0)
		outcome = shift_run(&run, &err);
	store_copy_fini(&run.copy);
	if (err == -EBADMSG) {
		set_aside(recovery, journal, STORE_EVENT_DAMAGED);
		return 0;
	}
	if (outcome == SHIFT_IS_BETWEEN)
		return err;
	tell(recovery, journal,
	     outcome == SHIFT_IS_AFTER ? STORE_EVENT_FINISHED : STORE_EVENT_UNDONE,
	     err);
	discard(recovery, journal);
	return 0;
}

/* What keeps us from its file may be gone tomorrow, so the journal stays as it is. */
static int shut(const struct recovery *recovery, const struct shift_journal *journal,
		int err)
{
	tell(recovery, journal, STORE_EVENT_BLOCKED, err);
	recovery->calls->shut(recovery->calls->arg, &journal->target.identity,
			      SHIFT_ANY_OWNER);
	return 0;
}

static int recover_opened(struct recovery *recovery, struct shift_journal *journal)
{
	int fd = shift_target_open(recovery->source_fd, &journal->target,
				   recovery->calls->stop, recovery->calls->arg);
	const bool found = fd >= 0;
	int err = found ? check_target(journal, fd) : fd;

	if (err == 0)
		err = run_journal(recovery, journal, fd);
	if (found)
		close(fd);
	switch (err) {
	case 0:
	case -EINTR:
		return err;
	case -ESTALE:
		tell(recovery, journal, STORE_EVENT_GONE, 0);
		discard(recovery, journal);
		return 0;
	case -ENOENT:
		set_aside(recovery, journal, STORE_EVENT_ORPHAN);
		/* It may come back while we serve. One that was resized has somebody
		 * who sees to it. */
		if (!found)
			recovery->calls->shut(recovery->calls->arg,
					      &journal->target.identity,
					      SHIFT_ANY_OWNER);
		return 0;
	default:
		return shut(recovery, journal, err);
	}
}

/* A journal that is whole, or was never more than begun. */
static int recover_whole(struct recovery *recovery, struct shift_journal *journal,
			 int opened)
{
	if (opened == -EBADMSG) {
		set_aside(recovery, journal, STORE_EVENT_DAMAGED);
		return 0;
	}
	if (opened == 0 && journal->record.state != SHIFT_DONE)
		return recover_opened(recovery, journal);
	if (opened == -ENODATA)
		tell(recovery, journal, STORE_EVENT_UNDONE, 0);
	discard(recovery, journal);
	return 0;
}

static int recover_one(struct recovery *recovery, const struct shift_dir *dir,
		       const char *name)
{
	struct shift_journal journal;
	int err = shift_journal_open(recovery->io, recovery->source_fd, dir, name,
				     &journal);

	switch (err) {
	case 0:
	case -ENODATA:
	case -EBADMSG:
		err = recover_whole(recovery, &journal, err);
		shift_journal_close(&journal);
		return err;
	case -EBUSY:
		tell_of_name(recovery, dir, name,
			     (struct store_event){.kind = STORE_EVENT_LIVE});
		return 0;
	case -ENOENT:
		return 0;
	case -EPERM:
		tell_of_name(recovery, dir, name,
			     (struct store_event){.kind = STORE_EVENT_NOT_OURS});
		return 0;
	default:
		tell_of_name(recovery, dir, name,
			     (struct store_event){.kind = STORE_EVENT_UNREADABLE,
						  .error = err});
		return err;
	}
}

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_journal(const char *name)
{
	return has_prefix(name, SHIFT_JOURNAL_PREFIX) &&
	       strlen(name) < SHIFT_JOURNAL_NAME_MAX;
}

static bool is_aside(const char *name)
{
	const size_t len = strlen(name);
	const size_t suffix = strlen(SHIFT_ASIDE_SUFFIX);

	return len > suffix && strcmp(name + len - suffix, SHIFT_ASIDE_SUFFIX) == 0;
}

static int recover_entry(struct recovery *recovery, const struct shift_dir *dir,
			 const char *name)
{
	if (must_stop(recovery))
		return -EINTR;
	if (has_prefix(name, SHIFT_PROBE_PREFIX)) {
		(void)unlinkat(dir->fd, name, 0);
		return 0;
	}
	if (!is_journal(name))
		return 0;
	if (is_aside(name)) {
		tell_of_name(recovery, dir, name,
			     (struct store_event){.kind = STORE_EVENT_ASIDE});
		return 0;
	}
	return recover_one(recovery, dir, name);
}

/* Names first: setting journals aside changes the directory. */
static int recover_ours(struct recovery *recovery, const struct shift_dir *dir)
{
	struct dirent **entries;
	int result = 0;
	const int n = scandirat(dir->fd, ".", &entries, NULL, NULL);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (result != -EINTR) {
			const int err =
				recover_entry(recovery, dir, entries[i]->d_name);

			if (result == 0 || err == -EINTR)
				result = err;
		}
		free(entries[i]);
	}
	free(entries);
	return result;
}

/* ----------------------------------------------------------------- everybody else's */

/* Whether its file may be half way; then it is shut. */
static bool shut_their_file(const struct recovery *recovery,
			    const struct shift_dir *dir, const char *name)
{
	struct shift_journal journal;

	if (!is_journal(name) ||
	    shift_journal_peek(recovery->io, dir, name, &journal) < 0)
		return false;
	if (journal.record.state != SHIFT_RUNNING &&
	    journal.record.state != SHIFT_FINISHING)
		return false;
	/* Who has written it is known only if the directory is the work of its owner. */
	recovery->calls->shut(recovery->calls->arg, &journal.target.identity,
			      dir->trust == SHIFT_DIR_THEIRS ? dir->owner
							     : SHIFT_ANY_OWNER);
	return true;
}

static void look_at_theirs(const struct recovery *recovery, struct shift_dir *dir)
{
	struct store_event event = {.kind = dir->trust == SHIFT_DIR_THEIRS
						    ? STORE_EVENT_FOREIGN
						    : STORE_EVENT_UNPROVEN};
	DIR *stream = dir->fd < 0 ? NULL : fdopendir(dir->fd);
	const struct dirent *entry;

	for (int n = 0; stream && n < MAX_FOREIGN_NAMES && (entry = readdir(stream));
	     n++)
		event.shut += shut_their_file(recovery, dir, entry->d_name);
	tell_of_name(recovery, dir, "", event);
	if (stream)
		closedir(stream);
	else if (dir->fd >= 0)
		close(dir->fd);
}

/* ------------------------------------------------------------------------- all of it */

static bool means_no_directory(int err)
{
	return err == -ENOENT || err == -ENOTDIR || err == -ELOOP || err == -EXDEV;
}

/* We can neither look nor be sure that nothing is there. What users keep from each other
 * is their own affair; root's word counts for all. */
static int unreadable(const struct recovery *recovery, const struct shift_dir *dir)
{
	struct store_event event = {.kind = STORE_EVENT_FOREIGN, .error = -EACCES};

	if (dir->owner == geteuid())
		return -EACCES;
	tell_of_name(recovery, dir, "", event);
	return dir->owner == 0 ? -EPERM : 0;
}

static int recover_dir(struct recovery *recovery, const char *name)
{
	struct shift_dir dir;
	int err = shift_dir_open(recovery->source_fd, name, &dir);

	if (means_no_directory(err))
		return 0; /* something of the user's has its name */
	if (err == -EACCES)
		return unreadable(recovery, &dir);
	if (err < 0)
		return err;
	if (dir.trust != SHIFT_DIR_OURS) {
		look_at_theirs(recovery, &dir);
		return 0;
	}
	err = recover_ours(recovery, &dir);
	close(dir.fd);
	if (err == 0)
		(void)unlinkat(recovery->source_fd, name, AT_REMOVEDIR);
	return err;
}

static int is_reserved(const struct dirent *entry)
{
	return shift_dir_is_reserved(entry->d_name);
}

int shift_recover(int source_fd, const struct shift_recover_calls *calls)
{
	struct recovery recovery = {
		.io = calls->io ? calls->io : &store_io_system,
		.calls = calls,
		.source_fd = source_fd,
	};
	struct dirent **entries;
	int result = 0;
	const int n = scandirat(source_fd, ".", &entries, is_reserved, NULL);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		/* So there are no more than users, whatever somebody makes of names. */
		if (result != -EINTR && shift_dir_name_is_owners(source_fd, name)) {
			const int err = recover_dir(&recovery, name);

			if (result == 0 || err == -EINTR)
				result = err;
		}
		free(entries[i]);
	}
	free(entries);
	return result;
}

void shift_recover_cleanup(int source_fd)
{
	shift_dir_remove(source_fd);
}
