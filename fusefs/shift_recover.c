/* SPDX-License-Identifier: MIT */
/*
 * After a crash: every journal in SOURCE/.foldfs is finished, undone, or set aside.
 *
 * What a journal says is believed only as far as it can be checked: its checksums, its
 * numbers against each other and against the file's size, and that the file is the one
 * it was made for. A journal that fails a check touches nothing.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shift_dir.h"
#include "shift_journal.h"
#include "shift_run.h"

struct recovery {
	const struct store_io *io;
	int source_fd;
	int dir_fd;
	store_event_fn *event;
	void *event_arg;
};

static void tell(const struct recovery *recovery, const struct shift_journal *journal,
		 enum store_event_kind kind, int err)
{
	struct store_event event = shift_journal_event(journal, kind);

	event.error = err;
	if (recovery->event)
		recovery->event(recovery->event_arg, &event);
}

/* A journal that could not be opened has only a name. */
static void tell_of_name(const struct recovery *recovery, const char *name,
			 enum store_event_kind kind, int err)
{
	const struct store_event event = {
		.kind = kind,
		.operation = "",
		.path = "",
		.journal = name,
		.error = err,
	};

	if (recovery->event)
		recovery->event(recovery->event_arg, &event);
}

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

/* 0; -EPERM: somebody's journal about a file that is not his; -ENOENT: not the file it
 * was. */
static int check_target(const struct shift_journal *journal, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (journal->owner != geteuid() && st.st_uid != journal->owner)
		return -EPERM;
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

/* 0: the file is whole, or the journal set aside; negative: it is between. */
static int run_journal(const struct recovery *recovery, struct shift_journal *journal,
		       int fd)
{
	struct shift_run run = {
		.io = recovery->io,
		.journal = journal,
		.fd = fd,
		.event = recovery->event,
		.event_arg = recovery->event_arg,
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
	if (outcome == SHIFT_IS_BETWEEN) {
		tell(recovery, journal, STORE_EVENT_BLOCKED, err);
		return err;
	}
	tell(recovery, journal,
	     outcome == SHIFT_IS_AFTER ? STORE_EVENT_FINISHED : STORE_EVENT_UNDONE,
	     err);
	discard(recovery, journal);
	return 0;
}

static int recover_opened(const struct recovery *recovery,
			  struct shift_journal *journal)
{
	int fd = shift_target_open(recovery->source_fd, &journal->target);
	int err = fd < 0 ? fd : check_target(journal, fd);

	switch (err) {
	case 0:
		err = run_journal(recovery, journal, fd);
		break;
	case -ESTALE:
		tell(recovery, journal, STORE_EVENT_GONE, 0);
		discard(recovery, journal);
		err = 0;
		break;
	case -ENOENT:
		set_aside(recovery, journal, STORE_EVENT_ORPHAN);
		err = 0;
		break;
	default:
		tell(recovery, journal, STORE_EVENT_BLOCKED, err);
		break;
	}
	if (fd >= 0)
		close(fd);
	return err;
}

/* A journal that is whole, or was never more than begun. */
static int recover_whole(const struct recovery *recovery, struct shift_journal *journal,
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

static int recover_one(const struct recovery *recovery, const char *name)
{
	struct shift_journal journal;
	int err = shift_journal_open(recovery->io, recovery->source_fd,
				     recovery->dir_fd, name, &journal);

	switch (err) {
	case 0:
	case -ENODATA:
	case -EBADMSG:
		err = recover_whole(recovery, &journal, err);
		shift_journal_close(&journal);
		return err;
	case -EBUSY:
		tell_of_name(recovery, name, STORE_EVENT_LIVE, 0);
		return 0;
	case -ENOENT:
		return 0;
	case -EPERM:
		tell_of_name(recovery, name, STORE_EVENT_FOREIGN, 0);
		return err;
	default:
		tell_of_name(recovery, name, STORE_EVENT_BLOCKED, err);
		return err;
	}
}

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int recover_entry(const struct recovery *recovery, const char *name)
{
	const size_t len = strlen(name);
	const size_t suffix = strlen(SHIFT_ASIDE_SUFFIX);

	if (has_prefix(name, SHIFT_PROBE_PREFIX)) {
		(void)unlinkat(recovery->dir_fd, name, 0);
		return 0;
	}
	if (!has_prefix(name, SHIFT_JOURNAL_PREFIX) || len >= SHIFT_JOURNAL_NAME_MAX)
		return 0;
	if (len > suffix && strcmp(name + len - suffix, SHIFT_ASIDE_SUFFIX) == 0) {
		tell_of_name(recovery, name, STORE_EVENT_ASIDE, 0);
		return 0;
	}
	return recover_one(recovery, name);
}

/* Names first: setting journals aside changes the directory. */
static int recover_all(const struct recovery *recovery)
{
	struct dirent **entries;
	int result = 0;
	const int n = scandirat(recovery->dir_fd, ".", &entries, NULL, NULL);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		const int err = recover_entry(recovery, entries[i]->d_name);

		if (result == 0)
			result = err;
		free(entries[i]);
	}
	free(entries);
	return result;
}

int shift_journal_recover_with(const struct store_io *io, int source_fd,
			       store_event_fn *event, void *event_arg)
{
	struct recovery recovery = {
		.io = io,
		.source_fd = source_fd,
		.event = event,
		.event_arg = event_arg,
	};
	int err;

	recovery.dir_fd = shift_dir_open(source_fd);
	if (recovery.dir_fd == -ENOENT || recovery.dir_fd == -ENOTDIR ||
	    recovery.dir_fd == -ELOOP)
		return 0; /* there is none; or something of the user's has its name */
	if (recovery.dir_fd < 0) {
		tell_of_name(&recovery, "", STORE_EVENT_FOREIGN, recovery.dir_fd);
		return recovery.dir_fd;
	}
	err = recover_all(&recovery);
	close(recovery.dir_fd);
	shift_dir_remove(source_fd);
	return err;
}

int shift_journal_recover(int source_fd, store_event_fn *event, void *event_arg)
{
	return shift_journal_recover_with(&store_io_system, source_fd, event,
					  event_arg);
}

void shift_journal_cleanup(int source_fd)
{
	shift_dir_remove(source_fd);
}
