/* SPDX-License-Identifier: MIT */
/*
 * Accesses while another process does something in one step.
 *
 * Loads go round and round until it is over: what they look for are the moments in its
 * middle, and what they leave behind are pages in caches. Each word is stored once, at
 * a moment that is spread over the time that such a step usually takes: then it is
 * known exactly which words must be there afterwards, each in one place.
 */

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "perform.h"
#include "random.h"
#include "touch.h"

/* For the others to begin. */
#define PATIENCE_NS 100000000u

static bool over(const struct worker *worker)
{
	return atomic_load(&worker->board->over);
}

/* Give way now and then: there are machines with one processor. */
static void pass_time(uint64_t ns)
{
	const uint64_t until = team_now_ns() + ns;

	do
		sched_yield();
	while (team_now_ns() < until);
}

static void load(struct worker *worker, const struct operation *op,
		 struct word_access *access)
{
	uint64_t word = 0;
	bool there;

	if (op->kind == OP_READ)
		there = pread(worker->fd, &word, sizeof(word), (off_t)access->offset) ==
			(ssize_t)sizeof(word);
	else
		there = touch_load(worker->mappings[op->mapping] + access->offset,
				   &word);
	if (there ? word == access->value || word == access->after
		  : access->may_be_past_end)
		return;
	access->wrong = true;
	access->missing = !there;
	access->found = word;
}

static void store(struct worker *worker, const struct operation *op,
		  struct word_access *access)
{
	if (op->kind == OP_WRITE)
		access->stored =
			pwrite(worker->fd, &access->value, sizeof(access->value),
			       (off_t)access->offset) == (ssize_t)sizeof(access->value);
	else
		access->stored = touch_store(
			worker->mappings[op->mapping] + access->offset, access->value);
	access->missing = !access->stored;
	access->wrong = access->missing && !access->may_be_past_end;
}

static void store_all(struct worker *worker, struct station *station)
{
	const uint64_t pause_ns =
		2 * atomic_load(&worker->board->typical_ns) / (station->naccesses + 1);

	for (uint32_t i = 0; i < station->naccesses; i++) {
		if (!over(worker))
			pass_time(random_below(&worker->random, pause_ns + 1));
		store(worker, &station->op, &station->accesses[i]);
	}
}

static void load_all(struct worker *worker, struct station *station)
{
	do {
		for (uint32_t i = 0; i < station->naccesses; i++)
			load(worker, &station->op, &station->accesses[i]);
		station->loads += station->naccesses;
		sched_yield();
	} while (!over(worker));
}

void perform_step(struct worker *worker, struct station *station)
{
	struct board *board = worker->board;
	const uint64_t typical_ns = atomic_load(&board->typical_ns);
	uint64_t start_ns = team_now_ns();

	while (atomic_load(&board->awaited) > 0 &&
	       team_now_ns() - start_ns < PATIENCE_NS)
		sched_yield();
	pass_time(random_below(&worker->random, typical_ns + 1));
	start_ns = team_now_ns();
	perform(worker, &station->op, &station->outcome, station->data);
	atomic_store(&board->typical_ns,
		     (3 * typical_ns + team_now_ns() - start_ns) / 4);
}

void perform_together(struct worker *worker, struct station *station)
{
	station->outcome = (struct outcome){0};
	station->loads = 0;
	atomic_fetch_sub(&worker->board->awaited, 1);
	if (station->op.kind == OP_READ || station->op.kind == OP_MAPREAD) {
		load_all(worker, station);
		return;
	}
	store_all(worker, station);
}
