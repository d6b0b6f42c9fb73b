/* SPDX-License-Identifier: MIT */

#include "model.h"

#include <string.h>
#include <sys/mman.h>

struct state {
	struct op op;
	uint32_t npages;
	uint32_t identity[]; /* model->max_pages of them */
};

struct model {
	uint32_t max_pages;
	size_t state_size;
	_Atomic uint64_t started;
	_Atomic uint64_t finished;
	char states[]; /* a ring of MODEL_STATES */
};

const char *const op_name[OP_KINDS] = {
	[OP_CREATE] = "create", [OP_STAMP] = "stamp", [OP_COLLAPSE] = "collapse",
	[OP_INSERT] = "insert", [OP_MOVE] = "move",   [OP_PUNCH] = "punch",
	[OP_ZERO] = "zero",
};

static struct state *state_at(const struct model *model, uint64_t number)
{
	return (struct state *)(model->states +
				number % MODEL_STATES * model->state_size);
}

struct model *model_create(uint32_t npages, uint32_t max_pages)
{
	const size_t state_size = sizeof(struct state) + max_pages * sizeof(uint32_t);
	struct model *model;

	model = mmap(NULL, sizeof(*model) + MODEL_STATES * state_size,
		     PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (model == MAP_FAILED)
		return NULL;
	model->max_pages = max_pages;
	model->state_size = state_size;
	state_at(model, 0)->op = (struct op){.kind = OP_CREATE, .len = npages};
	state_at(model, 0)->npages = npages;
	return model;
}

static void shift_pages(struct state *state, uint32_t from, uint32_t to)
{
	memmove(state->identity + to, state->identity + from,
		(state->npages - from) * sizeof(uint32_t));
	state->npages = state->npages + to - from;
}

static void clear_pages(struct state *state, uint32_t at, uint32_t len)
{
	memset(state->identity + at, 0, len * sizeof(uint32_t));
}

static void stamp_zeros(struct state *state, uint32_t *next_identity)
{
	for (uint32_t i = 0; i < state->npages; i++)
		if (state->identity[i] == 0)
			state->identity[i] = (*next_identity)++;
}

void model_start(struct model *model, struct op op, uint32_t *next_identity)
{
	const uint64_t number = atomic_load(&model->finished) + 1;
	struct state *state = state_at(model, number);

	memcpy(state, state_at(model, number - 1), model->state_size);
	state->op = op;
	switch (op.kind) {
	case OP_COLLAPSE:
		shift_pages(state, op.at + op.len, op.at);
		break;
	case OP_INSERT:
		shift_pages(state, op.at, op.at + op.len);
		clear_pages(state, op.at, op.len);
		break;
	case OP_MOVE:
		memcpy(state->identity + op.to, state->identity + op.at,
		       op.len * sizeof(uint32_t));
		clear_pages(state, op.at, op.len);
		break;
	case OP_PUNCH:
	case OP_ZERO:
		clear_pages(state, op.at, op.len);
		break;
	case OP_STAMP:
		stamp_zeros(state, next_identity);
		break;
	case OP_CREATE:
	case OP_KINDS:
		break;
	}
	atomic_store(&model->started, number);
}

void model_finish(struct model *model)
{
	atomic_store(&model->finished, atomic_load(&model->started));
}

uint64_t model_before(const struct model *model)
{
	uint64_t before = atomic_load(&model->finished);

	atomic_thread_fence(memory_order_seq_cst);
	return before;
}

struct interval model_after(const struct model *model, uint64_t before)
{
	atomic_thread_fence(memory_order_seq_cst);
	return (struct interval){before, atomic_load(&model->started)};
}

uint32_t model_identity(const struct model *model, uint64_t number, uint32_t index)
{
	const struct state *state = state_at(model, number);

	return index < state->npages ? state->identity[index] : NO_PAGE;
}

uint32_t model_npages(const struct model *model, uint64_t number)
{
	return state_at(model, number)->npages;
}

struct op model_op(const struct model *model, uint64_t number)
{
	return state_at(model, number)->op;
}

bool model_expired(const struct model *model, struct interval interval)
{
	atomic_thread_fence(memory_order_seq_cst);
	/* One more than has started may be under construction. */
	return atomic_load(&model->started) + 1 >= interval.first + MODEL_STATES;
}

uint32_t model_find(const struct model *model, uint64_t number, uint32_t identity)
{
	const struct state *state = state_at(model, number);

	for (uint32_t i = 0; i < state->npages; i++)
		if (state->identity[i] == identity)
			return i;
	return NO_PAGE;
}
