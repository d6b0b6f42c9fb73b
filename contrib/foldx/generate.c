/* SPDX-License-Identifier: MIT */
/*
 * Random operations. Ends of pages and of the file are where mistakes live: offsets and
 * lengths prefer them.
 */

#include "generate.h"

#include "random.h"

/* Attempts to find one that can be done. An empty file leaves little choice. */
#define ATTEMPTS 200

static uint64_t below(struct generator *g, uint64_t bound)
{
	return bound > 0 ? random_below(&g->random, bound) : 0;
}

static bool chance(struct generator *g, unsigned percent)
{
	return below(g, 100) < percent;
}

static enum op_kind choose_kind(struct generator *g)
{
	uint64_t sum = 0, at;
	unsigned kind = 0;

	for (unsigned i = 0; i < OP_KINDS; i++)
		sum += g->weights[i];
	if (sum == 0)
		return OP_KINDS;
	for (at = below(g, sum); at >= g->weights[kind]; kind++)
		at -= g->weights[kind];
	return (enum op_kind)kind;
}

static uint64_t choose_offset(struct generator *g, const struct model *model,
			      const struct limits *limits, uint64_t align)
{
	uint64_t offset;

	if (chance(g, 15))
		offset = model->size - below(g, 64 < model->size ? 64 : model->size);
	else
		offset = below(g, chance(g, 85) && model->size > 0 ? model->size
								   : limits->size);
	if (align < FOLDX_PAGE && chance(g, 40))
		offset -= offset % FOLDX_PAGE;
	return offset - offset % align;
}

static uint64_t choose_len(struct generator *g, const struct limits *limits,
			   uint64_t align)
{
	uint64_t len;

	if (align < FOLDX_PAGE && chance(g, 25))
		len = 1 + below(g, 64);
	else if (align < FOLDX_PAGE && chance(g, 40))
		len = 1 + below(g, limits->len);
	else if (chance(g, 50))
		len = FOLDX_PAGE * (1 + below(g, 4));
	else
		len = FOLDX_PAGE * (1 + below(g, limits->len / FOLDX_PAGE));
	if (len > limits->len)
		len = limits->len;
	len -= len % align;
	return len > 0 ? len : align;
}

static bool shifts(enum op_kind kind)
{
	return kind == OP_COLLAPSE || kind == OP_INSERT || kind == OP_MOVE;
}

static struct operation choose_arguments(struct generator *g, enum op_kind kind,
					 const struct model *model,
					 const struct limits *limits, uint64_t align)
{
	struct operation op = {
		.kind = kind,
		.process = (uint32_t)below(g, limits->processes),
		.mapping = (uint32_t)below(g, limits->mappings),
		.offset = choose_offset(g, model, limits, align),
		.len = choose_len(g, limits, align),
		.destination = choose_offset(g, model, limits, align),
		.seed = (uint32_t)random_next(&g->random),
	};
	const unsigned args = operation_arguments(kind);

	if (kind == OP_TRUNCATE)
		op.len = op.offset;
	/* A trace has what an operation takes, and nothing else. */
	op.mapping = args & ARG_MAPPING ? op.mapping : 0;
	op.offset = args & ARG_OFFSET ? op.offset : 0;
	op.len = args & ARG_LENGTH ? op.len : 0;
	op.destination = args & ARG_DESTINATION ? op.destination : 0;
	op.seed = args & ARG_SEED ? op.seed : 0;
	return op;
}

/* In another process, around where the step has its effect. false: no access has any
 * weight. */
static bool choose_access(struct generator *g, const struct operation *step,
			  uint32_t process, const struct model *model,
			  const struct limits *limits, struct operation *ret_op)
{
	static const enum op_kind kinds[] = {OP_MAPREAD,  OP_MAPWRITE, OP_MAPREAD,
					     OP_MAPWRITE, OP_READ,     OP_WRITE};
	const enum op_kind kind = kinds[below(g, sizeof(kinds) / sizeof(kinds[0]))];
	struct operation op;
	uint64_t from = step->kind == OP_TRUNCATE ? step->len : step->offset;

	if (g->weights[kind] == 0)
		return false;
	op = choose_arguments(g, kind, model, limits, 1);
	if (chance(g, 75) && from < model->size) {
		op.offset = from + below(g, model->size - from);
		op.len = FOLDX_PAGE * (1 + below(g, 64));
	}
	op.together = true;
	op.process = process;
	if (kind == OP_MAPWRITE)
		op.mapping -= op.mapping % 2;
	*ret_op = op;
	return true;
}

static size_t choose_company(struct generator *g, const struct operation *step,
			     const struct model *model, const struct limits *limits,
			     struct operation *ret_ops)
{
	size_t n = 0;

	for (uint32_t process = 0; process < limits->processes; process++)
		if (process != step->process && chance(g, 80) &&
		    choose_access(g, step, process, model, limits, &ret_ops[n]))
			n++;
	return n;
}

size_t generate(struct generator *g, const struct model *model,
		const struct limits *limits, struct operation *ret_ops)
{
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		const enum op_kind kind = choose_kind(g);
		const bool together = kind < OP_KINDS && operation_is_one_step(kind) &&
				      limits->processes > 1 &&
				      chance(g, g->together_percent);
		struct operation op;
		size_t n;

		if (kind == OP_KINDS)
			break;
		op = choose_arguments(g, kind, model, limits,
				      shifts(kind) ? limits->align
				      : together   ? FOLDX_PAGE
						   : limits->block);
		if (!model_prepare(model, limits, &op))
			continue;
		n = together ? choose_company(g, &op, model, limits, ret_ops) : 0;
		ret_ops[n++] = op;
		return n;
	}
	return 0;
}
