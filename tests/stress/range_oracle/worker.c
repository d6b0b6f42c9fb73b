/* SPDX-License-Identifier: MIT */

/*
 * A worker does bursts of one kind of access at random places in the zone of that kind,
 * and stands still when asked to.
 */

#include "worker.h"

#include <stdlib.h>
#include <unistd.h>

#define BURST_MAX     64
#define STANDSTILL_US 200

struct behaviour {
	void (*access)(struct self *self, uint32_t index);
	unsigned weight; /* how often a burst is of this kind */
	enum { HOT, HOT_AND_COLD, TAIL } zone;
	bool rare; /* one access is a burst */
};

static const struct behaviour behaviours[ACCESS_KINDS] = {
	[ACCESS_ADD] = {access_add, 30, HOT, false},
	[ACCESS_ADD_ANYWHERE] = {access_add_anywhere, 20, HOT_AND_COLD, false},
	[ACCESS_LOAD] = {access_load, 20, HOT_AND_COLD, false},
	[ACCESS_LOAD_PRIVATE] = {access_load_private, 8, HOT_AND_COLD, false},
	[ACCESS_READ] = {access_read, 8, HOT_AND_COLD, false},
	[ACCESS_READ_DIRECT] = {access_read_direct, 3, HOT_AND_COLD, false},
	[ACCESS_WRITE] = {access_write, 6, HOT, false},
	[ACCESS_TAIL] = {access_tail, 5, TAIL, false},
	[ACCESS_STAT] = {access_stat, 2, HOT, false},
	[ACCESS_DISTURB] = {access_disturb, 3, HOT, true},
};

static bool may_do(const struct self *self, enum access_kind kind)
{
	if (!(self->oracle->settings.accesses & 1u << kind))
		return false;
	if (kind == ACCESS_READ_DIRECT && self->view->direct_fd < 0)
		return false;
	return kind != ACCESS_WRITE || self->number < PAGE_SLOTS;
}

/* By weight, among those that this worker may do. There is always one: main() saw to it
 * that one is allowed which every worker can do. */
static enum access_kind choose_kind(struct self *self)
{
	unsigned total = 0;
	uint32_t ticket;

	for (int k = 0; k < ACCESS_KINDS; k++)
		if (may_do(self, (enum access_kind)k))
			total += behaviours[k].weight;
	ticket = random_below(&self->random, total);
	for (int k = 0; k < ACCESS_KINDS; k++) {
		if (!may_do(self, (enum access_kind)k))
			continue;
		if (ticket < behaviours[k].weight)
			return (enum access_kind)k;
		ticket -= behaviours[k].weight;
	}
	abort();
}

static uint32_t choose_index(struct self *self, enum access_kind kind)
{
	const struct zones *z = &self->oracle->zones;

	switch (behaviours[kind].zone) {
	case HOT_AND_COLD:
		return random_below(&self->random, z->hot_end);
	case TAIL:
		return z->hot_end +
		       random_below(&self->random, z->max_pages - z->hot_end);
	case HOT:
		break;
	}
	return z->hot_begin + random_below(&self->random, z->hot_end - z->hot_begin);
}

static void stand_still(struct oracle *oracle)
{
	atomic_fetch_add(&oracle->standing, 1);
	while (atomic_load(&oracle->pause))
		usleep(STANDSTILL_US);
	atomic_fetch_sub(&oracle->standing, 1);
}

void *worker_run(void *arg)
{
	struct self *self = arg;
	struct oracle *oracle = self->oracle;

	self->page = aligned_alloc(ORACLE_PAGE_SIZE, ORACLE_PAGE_SIZE);
	if (!self->page)
		violation(oracle, "no memory for a worker");
	while (self->page && !atomic_load(&oracle->stop)) {
		const enum access_kind kind = choose_kind(self);
		unsigned left = 1;

		if (!behaviours[kind].rare)
			left += random_below(&self->random, BURST_MAX);
		while (left-- > 0 && !atomic_load(&oracle->stop) &&
		       !atomic_load(&oracle->pause))
			behaviours[kind].access(self, choose_index(self, kind));
		if (atomic_load(&oracle->pause))
			stand_still(oracle);
	}
	free(self->page);
	atomic_fetch_sub(&oracle->running, 1);
	return NULL;
}
