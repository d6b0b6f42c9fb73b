/* SPDX-License-Identifier: MIT */

/*
 * Accesses by system call.
 *
 * A write(2) cannot learn on which page it lands. While no operation runs the model
 * knows; a write that raced with one is looked up afterwards, in a moment when none
 * runs: exactly one of the pages that were at its index must have it.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "judge.h"
#include "worker.h"

static off_t page_offset(uint32_t index)
{
	return (off_t)index * ORACLE_PAGE_SIZE;
}

static void read_from(struct self *self, int fd, enum access_kind kind, uint32_t index)
{
	const struct look look = look_begin(self->oracle, self->worker, kind, index);
	const ssize_t n = pread(fd, self->page, ORACLE_PAGE_SIZE, page_offset(index));
	const struct interval seen = look_end(&look);

	if (n == ORACLE_PAGE_SIZE)
		judge_page(&look, seen, self->page);
	else
		violation(self->oracle, "%s at index %" PRIu32 " returned %zd: %s",
			  access_name[kind], index, n,
			  n < 0 ? strerror(errno) : "short");
}

void access_read(struct self *self, uint32_t index)
{
	read_from(self, self->view->fd, ACCESS_READ, index);
}

void access_read_direct(struct self *self, uint32_t index)
{
	read_from(self, self->view->direct_fd, ACCESS_READ_DIRECT, index);
}

static off_t slot_offset(const struct self *self, uint32_t index)
{
	return page_offset(index) + (off_t)((SLOT_WORD + self->number) * 8);
}

/* Whether this page is still in the file, and if so whether it has the latest write. */
static bool page_has_write(struct self *self, uint32_t identity, bool *ret_alive)
{
	struct model *model = self->oracle->model;
	const uint32_t index = model_find(model, model_before(model), identity);
	uint64_t found = 0;

	*ret_alive = index != NO_PAGE;
	if (index == NO_PAGE)
		return false;
	if (pread(self->view->fd, &found, sizeof(found), slot_offset(self, index)) !=
	    sizeof(found))
		violation(self->oracle, "cannot read index %" PRIu32 ": %s", index,
			  strerror(errno));
	return found == slot_value(self->number, self->sequence);
}

/* Whether the page in this state was already there in an earlier one of the interval.
 */
static bool repeated(const struct self *self, struct interval seen, uint64_t state,
		     uint32_t index)
{
	const struct model *model = self->oracle->model;
	const uint32_t identity = model_identity(model, state, index);

	for (uint64_t earlier = seen.first; earlier < state; earlier++)
		if (model_identity(model, earlier, index) == identity)
			return true;
	return false;
}

/* With op_lock held: look at every page that the write may have landed on. */
static void find_write(struct self *self, struct interval seen, uint32_t index)
{
	struct oracle *oracle = self->oracle;
	unsigned landed = 0;
	bool may_be_gone = false;

	for (uint64_t state = seen.first; state <= seen.last; state++) {
		const uint32_t identity = model_identity(oracle->model, state, index);
		bool alive;

		if (repeated(self, seen, state, index))
			continue;
		if (page_has_write(self, identity, &alive)) {
			landed++;
			atomic_store(&oracle->accounts[identity].slot[self->number],
				     self->sequence);
		}
		may_be_gone |= !alive;
	}
	if (landed > 1 || (landed == 0 && !may_be_gone))
		violation(oracle,
			  "a write(2) at index %" PRIu32 ", slot %u, during operation "
			  "%" PRIu64 " is on %u pages",
			  index, self->number, seen.last, landed);
	self->worker->resolved++;
}

static void resolve_write(struct self *self, struct interval seen, uint32_t index)
{
	struct oracle *oracle = self->oracle;

	atomic_fetch_add(&oracle->queueing, 1);
	pthread_mutex_lock(&oracle->op_lock);
	atomic_fetch_sub(&oracle->queueing, 1);
	if (model_expired(oracle->model, seen))
		violation(oracle, "a write(2) took more than %d operations",
			  MODEL_STATES - 2);
	else
		find_write(self, seen, index);
	pthread_mutex_unlock(&oracle->op_lock);
}

void access_write(struct self *self, uint32_t index)
{
	const uint64_t value = slot_value(self->number, ++self->sequence);
	const struct look look =
		look_begin(self->oracle, self->worker, ACCESS_WRITE, index);
	const ssize_t n =
		pwrite(self->view->fd, &value, sizeof(value), slot_offset(self, index));
	const struct interval seen = look_end(&look);

	if (n != sizeof(value))
		violation(self->oracle,
			  "write(2) at index %" PRIu32 " returned %zd: %s", index, n,
			  n < 0 ? strerror(errno) : "short");
	else if (seen.first == seen.last)
		atomic_store(&self->oracle->accounts[look.expected].slot[self->number],
			     self->sequence);
	else
		resolve_write(self, seen, index);
}

void access_stat(struct self *self, uint32_t index)
{
	const struct look look =
		look_begin(self->oracle, self->worker, ACCESS_STAT, index);
	struct stat st;
	off_t size;

	if (random_below(&self->random, 2) == 0)
		size = fstat(self->view->fd, &st) < 0 ? -1 : st.st_size;
	else
		size = lseek(self->view->fd, 0, SEEK_END);
	judge_size(&look, look_end(&look), size);
}

/*
 * Make caches lose, write or fetch pages at odd moments. None of this may change what
 * anybody sees. fsync has a right to fail only if something was lost: that is one.
 */
void access_disturb(struct self *self, uint32_t index)
{
	const uint32_t room = self->oracle->zones.hot_end - index;
	const uint32_t npages = 1 + random_below(&self->random, room);
	const size_t len = (size_t)npages * ORACLE_PAGE_SIZE;
	void *at = self->view->shared + (size_t)index * PAGE_WORDS;
	const int fd = self->view->fd;
	const struct look look =
		look_begin(self->oracle, self->worker, ACCESS_DISTURB, index);
	int failed = 0;

	switch (random_below(&self->random, 7)) {
	case 0:
		failed = msync(at, len, MS_SYNC);
		break;
	case 1:
		failed = fdatasync(fd);
		break;
	case 2:
		failed = madvise(at, len, MADV_DONTNEED);
		break;
	case 3:
		failed = posix_fadvise(fd, page_offset(index), (off_t)len,
				       POSIX_FADV_DONTNEED);
		break;
	case 4:
		failed = sync_file_range(fd, page_offset(index), (off_t)len,
					 SYNC_FILE_RANGE_WRITE);
		break;
	case 5:
		failed = posix_fadvise(fd, page_offset(index), (off_t)len,
				       POSIX_FADV_WILLNEED);
		break;
	case 6:
		failed = fsync(fd);
		break;
	}
	look_end(&look);
	if (failed)
		violation(self->oracle, "%s at index %" PRIu32 ": %s",
			  access_name[ACCESS_DISTURB], index,
			  strerror(failed > 0 ? failed : errno));
}
