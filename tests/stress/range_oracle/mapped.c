/* SPDX-License-Identifier: MIT */

/*
 * Loads and stores through mappings.
 *
 * An addition is booked on the page that the old value names, whatever page was meant.
 * So the accounts are exact even though nobody knows, at the time, where pages are.
 */

#include "judge.h"
#include "touch.h"
#include "worker.h"

static uint64_t *cell_at(uint64_t *mapping, uint32_t index, unsigned cell)
{
	return mapping + (size_t)index * PAGE_WORDS + cell_word[cell];
}

static struct look begin(struct self *self, enum access_kind kind, uint32_t index)
{
	return look_begin(self->oracle, self->worker, kind, index);
}

/* In the hot zone: every page has an identity, so the old value always names one. */
void access_add(struct self *self, uint32_t index)
{
	const unsigned cell = random_below(&self->random, PAGE_CELLS);
	const struct look look = begin(self, ACCESS_ADD, index);
	struct interval seen;
	uint64_t old;

	if (!touch_add(cell_at(self->view->shared, index, cell), &old)) {
		judge_sigbus(&look, look_end(&look));
		return;
	}
	seen = look_end(&look);
	if (cell_identity(old) != 0)
		atomic_fetch_add(&self->oracle->accounts[cell_identity(old)].adds[cell],
				 1);
	judge_cell(&look, seen, cell, old);
}

/*
 * In the cold zone there are pages of zeros, and pages that are just being stamped.
 * Adding to those would be undone by the stamp, so look first, and swap.
 */
void access_add_anywhere(struct self *self, uint32_t index)
{
	const unsigned cell = random_below(&self->random, PAGE_CELLS);
	const struct look look = begin(self, ACCESS_ADD_ANYWHERE, index);
	uint64_t *word = cell_at(self->view->shared, index, cell);
	struct account *account;
	uint64_t old, found;

	if (!touch_load(word, &old)) {
		judge_sigbus(&look, look_end(&look));
		return;
	}
	account = &self->oracle->accounts[cell_identity(old)];
	if (!atomic_load(&account->open)) {
		self->worker->skipped++;
		judge_cell(&look, look_end(&look), cell, old);
		return;
	}
	if (!touch_swap(word, old, old + 1, &found)) {
		judge_sigbus(&look, look_end(&look));
		return;
	}
	if (found == old)
		atomic_fetch_add(&account->adds[cell], 1);
	judge_cell(&look, look_end(&look), cell, found);
}

static void load_from(struct self *self, const uint64_t *mapping, enum access_kind kind,
		      uint32_t index)
{
	const unsigned cell = random_below(&self->random, PAGE_CELLS);
	const struct look look = begin(self, kind, index);
	uint64_t value;

	if (touch_load(mapping + (size_t)index * PAGE_WORDS + cell_word[cell], &value))
		judge_cell(&look, look_end(&look), cell, value);
	else
		judge_sigbus(&look, look_end(&look));
}

void access_load(struct self *self, uint32_t index)
{
	load_from(self, self->view->shared, ACCESS_LOAD, index);
}

void access_load_private(struct self *self, uint32_t index)
{
	load_from(self, self->view->private, ACCESS_LOAD_PRIVATE, index);
}

void access_tail(struct self *self, uint32_t index)
{
	load_from(self, self->view->shared, ACCESS_TAIL, index);
}
