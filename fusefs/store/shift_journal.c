/* SPDX-License-Identifier: MIT */
/*
 * The journal of one range operation: its file, its lock, its records.
 *
 * Making one races with another foldfs that recovers: between the name and the lock,
 * a journal looks like one that was left. Recovery removes it only while it holds the
 * lock itself, and whoever makes a journal looks, once it has the lock, whether the
 * name is still there.
 */

#include "shift_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shift_journal_format.h"
#include "store_test_point.h"

/* Each further try means that another foldfs removed something in between. */
#define MAX_TRIES 16

static int lock(int fd, int flags)
{
	int result;

	do
		result = flock(fd, flags);
	while (result < 0 && errno == EINTR);
	if (result == 0)
		return 0;
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

static bool has_name(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* Why a journal is there already: -EBUSY live, -EEXIST left, -ENOENT not any more. One
 * that is empty and not locked is being made at this moment, as a rule; at worst it was
 * left then, and means nothing. */
static int why_taken(int dir_fd, const char *name)
{
	const int fd =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	int err;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : -EEXIST;
	err = lock(fd, LOCK_SH | LOCK_NB);
	if (err == 0)
		err = fstat(fd, &st) == 0 && st.st_size == 0 ? -EBUSY : -EEXIST;
	close(fd);
	return err;
}

/* A new file with that name, locked; -ENOENT: it or its directory went away. */
static int create_locked(int dir_fd, const char *name)
{
	const int fd = openat(dir_fd, name,
			      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return errno == EEXIST ? why_taken(dir_fd, name) : -errno;
	STORE_CRASH_POINT(journal_named);
	err = lock(fd, LOCK_EX);
	if (err == 0 && !has_name(fd))
		err = -ENOENT;
	if (err < 0) {
		close(fd);
		return err;
	}
	STORE_CRASH_POINT(journal_locked);
	return fd;
}

static int make_file(struct shift_journal *journal)
{
	int err = -ENOENT;

	for (int tries = 0; tries < MAX_TRIES && err == -ENOENT; tries++) {
		err = shift_dir_make(journal->source_fd, &journal->dir);
		if (err < 0)
			return err;
		STORE_CRASH_POINT(directory_made);
		journal->fd = create_locked(journal->dir.fd, journal->name);
		if (journal->fd >= 0)
			return 0;
		err = journal->fd;
		close(journal->dir.fd);
	}
	return err;
}

static void show_name(struct shift_journal *journal)
{
	snprintf(journal->shown, sizeof(journal->shown), "%s/%s", journal->dir.name,
		 journal->name);
}

static int write_record(struct shift_journal *journal, uint64_t sequence,
			const struct shift_record *record)
{
	char buf[SHIFT_RECORD_BYTES];
	ssize_t n;

	shift_record_encode(journal->id, sequence, record, buf);
	n = journal->io->pwrite(journal->fd, buf, sizeof(buf),
				SHIFT_RECORD_AT(sequence % 2));
	if (n != sizeof(buf))
		return n < 0 ? (int)n : -ENOSPC;
	STORE_CRASH_POINT(record_written);
	return 0;
}

static int write_header(struct shift_journal *journal)
{
	char buf[SHIFT_HEADER_BYTES];
	ssize_t n;

	shift_header_encode(journal, buf);
	n = journal->io->pwrite(journal->fd, buf, sizeof(buf), 0);
	if (n != sizeof(buf))
		return n < 0 ? (int)n : -ENOSPC;
	return write_record(journal, 0, &journal->record);
}

/* Before the journal was locked another one may have done its operation, and gone. */
static int check_size(int target_fd, uint64_t size)
{
	struct stat st;

	if (fstat(target_fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size == size ? 0 : -EBUSY;
}

int shift_journal_create(const struct store_io *io, int source_fd, int target_fd,
			 const struct shift_geometry *geometry, uint64_t area_bytes,
			 struct shift_journal *ret)
{
	struct shift_journal journal = {
		.io = io,
		.source_fd = source_fd,
		.geometry = *geometry,
		.area_bytes =
			(area_bytes + SHIFT_AREA_ALIGN - 1) & ~(SHIFT_AREA_ALIGN - 1),
		.record = {.state = SHIFT_PREPARED,
			   .start = geometry->op == SHIFT_INSERT ? shift_count(geometry)
								 : 0},
	};
	struct stat st;
	int err = shift_target_describe(source_fd, target_fd, &journal.target);

	if (err < 0)
		return err;
	if (!shift_layout_fits(geometry, journal.area_bytes))
		return -EFBIG;
	if (fstat(target_fd, &st) < 0)
		return -errno;
	if (getrandom(&journal.id, sizeof(journal.id), 0) != sizeof(journal.id))
		return -EIO;
	snprintf(journal.name, sizeof(journal.name),
		 SHIFT_JOURNAL_PREFIX "%" PRIx64 "-%" PRIx64, (uint64_t)st.st_dev,
		 (uint64_t)st.st_ino);
	err = make_file(&journal);
	if (err < 0)
		return err;
	show_name(&journal);
	err = shift_dir_find_rival(source_fd, &journal.dir, journal.name, st.st_uid);
	if (err == 0)
		err = check_size(target_fd, geometry->size);
	if (err == 0)
		err = write_header(&journal);
	if (err < 0) {
		(void)shift_journal_remove(&journal);
		shift_journal_close(&journal);
		return err;
	}
	STORE_CRASH_POINT(header_written);
	*ret = journal;
	return 0;
}

/* ------------------------------------------------------------------------ loading */

static int read_at(const struct shift_journal *journal, uint64_t offset, char *buf,
		   size_t len)
{
	memset(buf, 0, len);
	for (size_t done = 0; done < len;) {
		const ssize_t n = journal->io->pread(journal->fd, buf + done,
						     len - done, offset + done);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break; /* past its end it is zeros */
		done += (size_t)n;
	}
	return 0;
}

static bool all_zero(const char *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Whether the bytes that a record relies on can be there at all. */
static bool is_long_enough(const struct shift_journal *journal)
{
	const struct shift_record *rec = &journal->record;
	const uint64_t saved = shift_saved(&journal->geometry);
	uint64_t end = saved ? shift_journal_saved_at(journal) + saved : 0;
	struct stat st;

	if (rec->state == SHIFT_PREPARED || rec->state == SHIFT_DONE)
		return true;
	if (rec->state == SHIFT_RUNNING && rec->staged)
		end = shift_journal_area_at(journal, rec->area) + rec->bytes;
	return fstat(journal->fd, &st) == 0 && (uint64_t)st.st_size >= end;
}

/* One of the two places for records. */
struct slot {
	bool empty; /* never written */
	bool valid;
	uint64_t sequence;
	struct shift_record record;
};

static int read_slot(const struct shift_journal *journal, unsigned i, struct slot *ret)
{
	char buf[SHIFT_RECORD_BYTES];
	struct slot slot = {.empty = false};
	const int err = read_at(journal, SHIFT_RECORD_AT(i), buf, sizeof(buf));

	if (err < 0)
		return err;
	slot.empty = all_zero(buf, sizeof(buf));
	slot.valid =
		shift_record_decode(buf, journal, &slot.sequence, &slot.record) == 0;
	*ret = slot;
	return 0;
}

/*
 * A record lies within one sector, which a disk writes whole or not at all; so after a
 * crash each place has its newer record or its older one, and one with neither is
 * damaged. To take its neighbour for the latest then would repeat a window on a file
 * that has gone on.
 *
 * The file is touched only when the second record is durable; so where that has never
 * been written, nothing has happened, whatever the rest looks like.
 */
static int choose_record(struct shift_journal *journal, bool header_valid,
			 const struct slot slot[2])
{
	const struct slot *latest = &slot[slot[1].sequence > slot[0].sequence];

	if (slot[1].empty)
		return slot[0].valid && slot[0].sequence > 0 ? -EBADMSG : -ENODATA;
	if (!header_valid || !slot[0].valid || !slot[1].valid)
		return -EBADMSG;
	if (latest->sequence - slot[latest == &slot[0]].sequence != 1 ||
	    latest->record.state == SHIFT_PREPARED)
		return -EBADMSG;
	journal->sequence = latest->sequence;
	journal->record = latest->record;
	return is_long_enough(journal) ? 0 : -EBADMSG;
}

static int load(struct shift_journal *journal)
{
	char header[SHIFT_HEADER_BYTES];
	struct slot slot[2];
	bool header_valid;
	int err = read_at(journal, 0, header, sizeof(header));

	if (err < 0)
		return err;
	header_valid = shift_header_decode(header, journal) == 0;
	for (unsigned i = 0; i < 2 && err == 0; i++)
		err = read_slot(journal, i, &slot[i]);
	return err < 0 ? err : choose_record(journal, header_valid, slot);
}

/* 0, or -EPERM: not a regular file of that owner. */
static int check_file(int fd, uid_t owner)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && st.st_uid == owner ? 0 : -EPERM;
}

/* A FIFO or a device must not be opened for what it would do, nor a file whose lease
 * would have to be broken first. */
static int open_regular(const struct shift_dir *dir, const char *name, int flags)
{
	int fd = openat(dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = check_file(fd, dir->owner);
	close(fd);
	if (err < 0)
		return err;
	fd = openat(dir->fd, name,
		    flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == EACCES || errno == ELOOP ? -EPERM : -errno;
	err = check_file(fd, dir->owner);
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

int shift_journal_open(const struct store_io *io, int source_fd,
		       const struct shift_dir *dir, const char *name,
		       struct shift_journal *ret)
{
	struct shift_journal journal = {.io = io, .source_fd = source_fd, .dir = *dir};
	int err;

	snprintf(journal.name, sizeof(journal.name), "%s", name);
	show_name(&journal);
	journal.fd = open_regular(dir, name, O_RDWR);
	if (journal.fd < 0)
		return journal.fd;
	err = lock(journal.fd, LOCK_EX | LOCK_NB);
	if (err == 0 && !has_name(journal.fd))
		err = -ENOENT;
	if (err == 0) {
		journal.dir.fd = fcntl(dir->fd, F_DUPFD_CLOEXEC, 0);
		err = journal.dir.fd < 0 ? -errno : 0;
	}
	if (err < 0) {
		close(journal.fd);
		return err;
	}
	err = load(&journal);
	if (err < 0 && err != -ENODATA && err != -EBADMSG)
		shift_journal_close(&journal);
	else
		*ret = journal;
	return err;
}

int shift_journal_peek(const struct store_io *io, const struct shift_dir *dir,
		       const char *name, struct shift_journal *ret)
{
	struct shift_journal journal = {.io = io, .source_fd = -1, .dir = *dir};
	int err;

	journal.fd = open_regular(dir, name, O_RDONLY);
	if (journal.fd < 0)
		return journal.fd;
	err = load(&journal);
	close(journal.fd);
	journal.fd = journal.dir.fd = -1;
	if (err == 0)
		*ret = journal;
	return err;
}

void shift_journal_close(struct shift_journal *journal)
{
	close(journal->fd);
	close(journal->dir.fd);
}

/* ----------------------------------------------------------------------- changing */

int shift_journal_sync_all(struct shift_journal *journal)
{
	int err = journal->io->fdatasync(journal->fd);

	if (err == 0)
		err = journal->io->fsync_dir(journal->dir.fd);
	if (err == 0)
		err = shift_dir_sync_parent(journal->source_fd, journal->io->fsync_dir);
	return err;
}

int shift_journal_record(struct shift_journal *journal,
			 const struct shift_record *record)
{
	/* Always over the older of the two. If this fails, the next one comes here
	 * again: the latest durable record is never written to. */
	int err = write_record(journal, journal->sequence + 1, record);

	if (err == 0)
		err = journal->io->fdatasync(journal->fd);
	if (err < 0)
		return err;
	journal->sequence++;
	journal->record = *record;
	return 0;
}

int shift_journal_remove(struct shift_journal *journal)
{
	if (unlinkat(journal->dir.fd, journal->name, 0) < 0 && errno != ENOENT)
		return -errno;
	STORE_CRASH_POINT(journal_unlinked);
	/* One that says it is over may come back after a power cut, any other not. */
	if (journal->record.state == SHIFT_DONE)
		return 0;
	return journal->io->fsync_dir(journal->dir.fd);
}

void shift_journal_set_aside(struct shift_journal *journal)
{
	char aside[SHIFT_JOURNAL_NAME_MAX + 8];

	snprintf(aside, sizeof(aside), "%s" SHIFT_ASIDE_SUFFIX, journal->name);
	if (renameat(journal->dir.fd, journal->name, journal->dir.fd, aside) == 0) {
		snprintf(journal->name, sizeof(journal->name), "%.*s",
			 SHIFT_JOURNAL_NAME_MAX - 1, aside);
		show_name(journal);
	}
}

uint64_t shift_journal_saved_at(const struct shift_journal *journal)
{
	(void)journal;
	return SHIFT_DATA_AT;
}

uint64_t shift_journal_area_at(const struct shift_journal *journal, unsigned area)
{
	const uint64_t saved = shift_saved(&journal->geometry);
	const uint64_t first = SHIFT_DATA_AT + ((saved + SHIFT_AREA_ALIGN - 1) &
						~(SHIFT_AREA_ALIGN - 1));

	return first + area * journal->area_bytes;
}

struct store_event shift_journal_event(const struct shift_journal *journal,
				       enum store_event_kind kind)
{
	return (struct store_event){
		.kind = kind,
		.operation = shift_op_name(journal->geometry.op),
		.path = journal->target.path,
		.journal = journal->shown,
		.offset = journal->geometry.offset,
		.len = journal->geometry.len,
	};
}
