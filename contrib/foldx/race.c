/* SPDX-License-Identifier: MIT */
/*
 * Accesses beside an operation that happens in one step, and which of its two states
 * each of them met.
 *
 * A load must find what its word had before or what it has after; at the end of the
 * file there may be no such word in one of them. A store lands in one of the two
 * states: if before, then it is moved or removed like every other byte; if after, it is
 * where it was made. Loads use the even words of a page and stores the odd ones, and no
 * two stores can end up in the same place: so what is there afterwards tells for each
 * store which it was, and that it was one, exactly once.
 */

#include <inttypes.h>
#include <string.h>

#include "random.h"
#include "run.h"

#define WORD sizeof(uint64_t)

struct racer {
	const struct operation *op;
	struct station *station;
};

static uint64_t word_at(const struct model *model, uint64_t offset)
{
	uint64_t word;

	memcpy(&word, model->bytes + offset, sizeof(word));
	return word;
}

static bool is_store(const struct operation *op)
{
	return op->kind == OP_WRITE || op->kind == OP_MAPWRITE;
}

static uint64_t page_of(uint64_t offset)
{
	return offset - offset % FOLDX_PAGE;
}

/* -------------------------------------------------------------------- what to touch */

/* Take the places where a store may end up. false: another store may end up there. */
static bool take_places(struct run *run, const struct operation *step, uint64_t offset)
{
	uint64_t places[2] = {offset / WORD}, n = 1;
	uint64_t to;

	if (operation_moves(step, offset, &to) && to != offset)
		places[n++] = to / WORD;
	for (uint64_t i = 0; i < n; i++)
		if (run->taken[places[i] / 8] & 1u << places[i] % 8)
			return false;
	for (uint64_t i = 0; i < n; i++)
		run->taken[places[i] / 8] |= (uint8_t)(1u << places[i] % 8);
	return true;
}

/* Not where a page is cut by an end of the file, and a write(2) not past any. */
static bool may_store(const struct run *run, const struct operation *op,
		      uint64_t offset, bool *ret_may_be_past_end)
{
	const uint64_t before = run->model.size, after = run->after.size;

	*ret_may_be_past_end = page_of(offset) >= after;
	if (offset + WORD > before)
		return false;
	if (op->kind == OP_WRITE)
		return offset + WORD <= after;
	return offset + WORD <= after || *ret_may_be_past_end;
}

static bool may_load(const struct run *run, const struct operation *op, uint64_t offset,
		     bool *ret_may_be_past_end)
{
	const uint64_t before = run->model.size, after = run->after.size;

	if (op->kind == OP_READ) {
		*ret_may_be_past_end = offset + WORD > before || offset + WORD > after;
		return offset + WORD <= before || offset + WORD <= after;
	}
	*ret_may_be_past_end = page_of(offset) >= before || page_of(offset) >= after;
	return page_of(offset) < before || page_of(offset) < after;
}

/* One word of each page of op's range; which one shifts from page to page, as pages may
 * come to where others were. */
static void choose_words(struct run *run, const struct racer *racer,
			 const struct operation *step)
{
	const struct operation *op = racer->op;
	const uint64_t pages = (op->len + FOLDX_PAGE - 1) / FOLDX_PAGE;
	struct station *station = racer->station;

	station->naccesses = 0;
	for (uint64_t i = 0; i < pages && i < WORD_ACCESSES_MAX / 2; i++) {
		const uint64_t pair = (op->offset % FOLDX_PAGE / (2 * WORD) + i) %
				      (FOLDX_PAGE / (2 * WORD));
		struct word_access access = {
			.offset = page_of(op->offset) + i * FOLDX_PAGE +
				  (2 * pair + is_store(op)) * WORD,
		};

		if (is_store(op)) {
			if (!may_store(run, op, access.offset,
				       &access.may_be_past_end) ||
			    !take_places(run, step, access.offset))
				continue;
			access.value = content_word(op->seed, i);
		} else {
			if (!may_load(run, op, access.offset, &access.may_be_past_end))
				continue;
			access.value = word_at(&run->model, access.offset);
			access.after = word_at(&run->after, access.offset);
		}
		station->accesses[station->naccesses++] = access;
	}
}

/* Whether it can take part: each process does one thing. */
static bool may_take_part(const struct run *run, const struct operation *op,
			  const struct operation *step, const struct racer *others,
			  size_t nothers)
{
	if (op->process >= run->limits.processes ||
	    (operation_arguments(op->kind) & ARG_MAPPING &&
	     op->mapping >= run->limits.mappings) ||
	    (op->kind == OP_MAPWRITE && op->mapping % 2) ||
	    op->offset >= run->limits.size || (step && step->process == op->process))
		return false;
	for (size_t i = 0; i < nothers; i++)
		if (others[i].op->process == op->process)
			return false;
	return true;
}

static size_t choose_racers(struct run *run, const struct operation *accesses,
			    size_t naccesses, const struct operation *step,
			    struct racer racers[TRACE_PROCESSES_MAX])
{
	size_t n = 0;

	memset(run->taken, 0, run->limits.size / WORD / 8 + 1);
	for (size_t i = 0; i < naccesses; i++) {
		const struct operation *op = &accesses[i];

		if (n == TRACE_PROCESSES_MAX ||
		    !may_take_part(run, op, step, racers, n)) {
			run->tally.rows[op->kind].moot++;
			continue;
		}
		racers[n] = (struct racer){op, run->team->stations[op->process]};
		choose_words(run, &racers[n], step);
		run->tally.rows[op->kind].done++;
		n++;
	}
	return n;
}

/* ------------------------------------------------------------------------- the race */

static bool start_together(struct run *run, const struct racer *racers, size_t nracers,
			   const struct operation *step)
{
	struct board *board = run->team->board;
	int err = 0;

	atomic_store(&board->awaited, (uint32_t)nracers);
	atomic_store(&board->over, !step);
	for (size_t i = 0; i < nracers; i++) {
		racers[i].station->order = ORDER_TOGETHER;
		racers[i].station->op = *racers[i].op;
		team_begin(run->team, racers[i].op->process);
	}
	if (step) {
		err = team_do(run->team, step->process, ORDER_STEP, step);
		atomic_store(&board->over, true);
		run_alive(run, err, step->process, step);
	}
	for (size_t i = 0; i < nracers; i++)
		run_alive(run, team_finish(run->team, racers[i].op->process),
			  racers[i].op->process, racers[i].op);
	return !run->failure.failed;
}

static bool judge_access(struct run *run, const struct racer *racer,
			 const struct word_access *access)
{
	char who[160];

	if (!access->wrong)
		return true;
	snprintf(who, sizeof(who),
		 "%s by process %" PRIu32 " during the operation, at %" PRIu64
		 " (page %" PRIu64 ")",
		 operation_name(racer->op->kind), racer->op->process, access->offset,
		 access->offset / FOLDX_PAGE);
	if (access->missing)
		return run_fail(run,
				"%s: no such byte, in a file of %" PRIu64
				" bytes before and %" PRIu64 " after",
				who, run->model.size, run->after.size);
	return run_fail(run,
			"%s: found %016" PRIx64
			", which was there neither before (%016" PRIx64
			") nor after (%016" PRIx64 ")",
			who, access->found, access->value, access->after);
}

/* A store that was made is in one place, and the model follows it. */
static bool settle_store(struct run *run, const struct word_access *access,
			 const struct operation *step, const uint8_t *found)
{
	const bool stays = access->offset + WORD <= run->model.size;
	uint64_t to;
	const bool kept = operation_moves(step, access->offset, &to);
	bool before, after;
	uint64_t word;

	if (!access->stored)
		return true;
	memcpy(&word, found + (kept ? to : 0), WORD);
	before = kept && word == access->value;
	memcpy(&word, found + (stays ? access->offset : 0), WORD);
	after = stays && word == access->value;
	if (kept && stays && to == access->offset) {
		if (!before)
			return run_fail(run,
					"a store at %" PRIu64
					" during the operation is lost",
					access->offset);
	} else if (before && after) {
		return run_fail(run,
				"a store at %" PRIu64
				" during the operation is there twice, at %" PRIu64
				" too",
				access->offset, to);
	} else if (!before && !after && kept) {
		return run_fail(
			run,
			"a store at %" PRIu64
			" during the operation is lost: it is neither there nor "
			"at %" PRIu64,
			access->offset, to);
	}
	if (before)
		memcpy(run->model.bytes + to, &access->value, WORD);
	if (after)
		memcpy(run->model.bytes + access->offset, &access->value, WORD);
	if (!kept || to != access->offset) {
		run->tally.landed_after += after;
		run->tally.landed_before += !after;
	}
	return true;
}

static bool settle_stores(struct run *run, const struct racer *racers, size_t nracers,
			  const struct operation *step)
{
	/* Any process can tell; a racer's list must stay. */
	const uint32_t reader = step ? step->process : racers[0].op->process;
	const struct operation look = {
		.kind = OP_READ, .process = reader, .len = run->model.size};
	const struct station *station = run->team->stations[reader];

	if (look.len == 0)
		return true;
	if (!run_alive(run, team_do(run->team, reader, ORDER_OPERATION, &look), reader,
		       &look))
		return false;
	if (station->outcome.err < 0 || station->outcome.done != look.len)
		return run_fail(run,
				"read after the operation: %" PRIu64
				" bytes instead of %" PRIu64,
				station->outcome.done, look.len);
	for (size_t i = 0; i < nracers; i++) {
		if (!is_store(racers[i].op))
			continue;
		for (uint32_t k = 0; k < racers[i].station->naccesses; k++)
			if (!settle_store(run, &racers[i].station->accesses[k], step,
					  station->data))
				return false;
		run->tally.stores += racers[i].station->naccesses;
	}
	return true;
}

bool race(struct run *run, const struct operation *accesses, size_t naccesses,
	  const struct operation *step)
{
	struct racer racers[TRACE_PROCESSES_MAX];
	size_t nracers;
	bool refused = false;

	model_copy(&run->after, &run->model);
	if (step)
		model_apply(&run->after, step, 0);
	nracers = choose_racers(run, accesses, naccesses, step, racers);
	if (nracers == 0)
		return !step || run_serial(run, step);
	if (!start_together(run, racers, nracers, step))
		return false;
	for (size_t i = 0; i < nracers; i++) {
		for (uint32_t k = 0; k < racers[i].station->naccesses; k++)
			if (!judge_access(run, &racers[i],
					  &racers[i].station->accesses[k]))
				return false;
		run->tally.loads += racers[i].station->loads;
	}
	if (step) {
		if (!judge(run, step, &refused))
			return false;
		run->tally.together += !refused;
	}
	return settle_stores(run, racers, nracers, refused ? NULL : step) &&
	       check_all(run);
}
