/* SPDX-License-Identifier: MIT */

#include "judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* How many states a message tells of. */
#define STATES_TOLD 6

struct look look_begin(struct oracle *oracle, struct worker *worker,
		       enum access_kind kind, uint32_t index)
{
	struct look look = {.oracle = oracle,
			    .worker = worker,
			    .kind = kind,
			    .index = index,
			    .before = model_before(oracle->model)};

	look.expected = model_identity(oracle->model, look.before, index);
	if (look.expected != 0 && look.expected != NO_PAGE)
		for (unsigned c = 0; c < PAGE_CELLS; c++)
			look.floor[c] =
				atomic_load(&oracle->accounts[look.expected].adds[c]);
	look.begin_ns = now_ns();
	atomic_store(&worker->busy_index, index);
	atomic_store(&worker->busy_kind, (int)kind);
	atomic_store(&worker->busy_since_ns, look.begin_ns);
	return look;
}

struct interval look_end(const struct look *look)
{
	struct worker *worker = look->worker;
	const struct interval seen = model_after(look->oracle->model, look->before);
	const uint64_t took_ns = now_ns() - look->begin_ns;

	atomic_store(&worker->busy_since_ns, 0);
	latency_add(seen.first == seen.last ? &worker->otherwise[look->kind]
					    : &worker->during_op[look->kind],
		    took_ns);
	return seen;
}

static bool was_there(const struct look *look, struct interval seen, uint32_t identity)
{
	for (uint64_t state = seen.first; state <= seen.last; state++)
		if (model_identity(look->oracle->model, state, look->index) == identity)
			return true;
	return false;
}

/* A stamp writes its pages with write(2) or through a mapping: not in one instant. */
static bool was_being_stamped(const struct look *look, struct interval seen)
{
	const struct model *model = look->oracle->model;

	for (uint64_t state = seen.first + 1; state <= seen.last; state++)
		if (model_op(model, state).kind == OP_STAMP &&
		    model_identity(model, state - 1, look->index) == 0)
			return true;
	return false;
}

static const char *identity_words(uint32_t identity, char *text, size_t size)
{
	if (identity == NO_PAGE)
		return "end of file";
	if (identity == 0)
		return "zeros";
	snprintf(text, size, "page #%" PRIu32, identity);
	return text;
}

/* "state 17 (after collapse of 3 at 40): page #812" for each state of the interval. */
static void tell_states(const struct look *look, struct interval seen, char *text,
			size_t size)
{
	const struct model *model = look->oracle->model;
	size_t used = 0;

	text[0] = '\0';
	for (uint64_t state = seen.first; state <= seen.last && used < size; state++) {
		const struct op op = model_op(model, state);
		char identity[32];

		if (state - seen.first == STATES_TOLD) {
			snprintf(text + used, size - used, "\n    ...");
			return;
		}
		used += (size_t)snprintf(
			text + used, size - used,
			"\n    state %" PRIu64 " (after %s of %" PRIu32 " at %" PRIu32
			" to %" PRIu32 "): %s",
			state, op_name[op.kind], op.len, op.at, op.to,
			identity_words(model_identity(model, state, look->index),
				       identity, sizeof(identity)));
	}
}

static bool refuse(const struct look *look, struct interval seen, const char *met)
{
	char states[1024];

	tell_states(look, seen, states, sizeof(states));
	if (model_expired(look->oracle->model, seen)) {
		look->worker->unjudged++;
		return false;
	}
	violation(look->oracle, "%s at index %" PRIu32 " met %s; allowed:%s",
		  access_name[look->kind], look->index, met, states);
	return false;
}

/* The counter of a page that is still the expected one must hold what was there. */
static bool judge_count(const struct look *look, struct interval seen, unsigned cell,
			uint64_t value)
{
	char met[160];

	if (cell_identity(value) != look->expected ||
	    cell_count(value) >= look->floor[cell])
		return true;
	snprintf(met, sizeof(met),
		 "page #%" PRIu32 ", cell %u, with %" PRIu64 " additions, when %" PRIu32
		 " had been made",
		 look->expected, cell, cell_count(value), look->floor[cell]);
	return refuse(look, seen, met);
}

bool judge_cell(const struct look *look, struct interval seen, unsigned cell,
		uint64_t value)
{
	char met[96];

	if (was_there(look, seen, cell_identity(value)) &&
	    (cell_identity(value) != 0 || cell_count(value) == 0))
		return judge_count(look, seen, cell, value);
	snprintf(met, sizeof(met),
		 "page #%" PRIu32 ", cell %u, with %" PRIu64 " additions",
		 cell_identity(value), cell, cell_count(value));
	return refuse(look, seen, met);
}

bool judge_page(const struct look *look, struct interval seen, const uint64_t *page)
{
	const uint32_t identity = cell_identity(page[cell_word[0]]);
	const bool stamping = was_being_stamped(look, seen);
	const int wrong = page_compare(page, identity);
	char met[96];

	if (!stamping && wrong >= 0) {
		snprintf(met, sizeof(met),
			 "page #%" PRIu32
			 " with word %d that is not its own: %016" PRIx64,
			 identity, wrong, page[wrong]);
		return refuse(look, seen, met);
	}
	for (unsigned c = 0; c < PAGE_CELLS; c++)
		if (!judge_cell(look, seen, c, page[cell_word[c]]))
			return false;
	return true;
}

bool judge_sigbus(const struct look *look, struct interval seen)
{
	return was_there(look, seen, NO_PAGE) || refuse(look, seen, "SIGBUS");
}

bool judge_size(const struct look *look, struct interval seen, int64_t size)
{
	const struct model *model = look->oracle->model;
	char met[64];

	for (uint64_t state = seen.first; state <= seen.last; state++)
		if (size == (int64_t)model_npages(model, state) * ORACLE_PAGE_SIZE)
			return true;
	snprintf(met, sizeof(met), "a size of %" PRId64 " bytes", size);
	return refuse(look, seen, met);
}
