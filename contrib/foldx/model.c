/* SPDX-License-Identifier: MIT */
/*
 * The flat model.
 */

#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

void content_fill(uint8_t *bytes, uint64_t len, uint32_t seed)
{
	for (uint64_t at = 0; at < len; at += sizeof(uint64_t)) {
		const uint64_t word = content_word(seed, at / sizeof(uint64_t));

		memcpy(bytes + at, &word,
		       len - at < sizeof(word) ? (size_t)(len - at) : sizeof(word));
	}
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + FOLDX_PAGE - 1) / FOLDX_PAGE * FOLDX_PAGE;
}

/* How much of a range is below an end. */
static uint64_t below(uint64_t offset, uint64_t len, uint64_t end)
{
	return offset < end ? min_u64(len, end - offset) : 0;
}

int model_init(struct model *model, const struct limits *limits)
{
	*model = (struct model){.bytes = calloc(1, page_up(limits->size))};
	return model->bytes ? 0 : -ENOMEM;
}

void model_fini(struct model *model)
{
	free(model->bytes);
}

void model_reset(struct model *model)
{
	memset(model->bytes, 0, model->size);
	model->size = 0;
	model->name = 0;
	model->unlinked = false;
}

void model_copy(struct model *to, const struct model *from)
{
	uint8_t *bytes = to->bytes;

	if (to->size > from->size)
		memset(bytes + from->size, 0, to->size - from->size);
	memcpy(bytes, from->bytes, from->size);
	*to = *from;
	to->bytes = bytes;
}

uint64_t model_readable(const struct model *model, const struct operation *op)
{
	return below(op->offset, op->len, model->size);
}

uint64_t model_mapped(const struct model *model, const struct operation *op)
{
	return below(op->offset, op->len, page_up(model->size));
}

/* ----------------------------------------------------------------- can it be done */

static bool prepare_shift(const struct model *model, const struct limits *limits,
			  const struct operation *op)
{
	if (op->len == 0 || op->offset % limits->align || op->len % limits->align)
		return false;
	if (op->kind == OP_COLLAPSE)
		return op->offset < model->size && op->len < model->size - op->offset;
	return op->offset < model->size && op->len <= limits->size - model->size;
}

static bool apart(const struct operation *op)
{
	return op->offset + op->len <= op->destination ||
	       op->destination + op->len <= op->offset;
}

static bool prepare_move(const struct model *model, const struct limits *limits,
			 const struct operation *op)
{
	return op->len > 0 && op->offset % limits->align == 0 &&
	       op->len % limits->align == 0 && op->destination % limits->align == 0 &&
	       below(op->offset, op->len, model->size) == op->len &&
	       below(op->destination, op->len, model->size) == op->len && apart(op);
}

static bool prepare_copy(const struct model *model, const struct limits *limits,
			 struct operation *op)
{
	op->len = below(op->offset, op->len, model->size);
	op->len = below(op->destination, op->len, limits->size);
	return op->len > 0 && apart(op);
}

/* Calls on mappings take whole pages. */
static void prepare_pages(struct operation *op)
{
	op->offset -= op->offset % FOLDX_PAGE;
	op->len = page_up(op->len);
}

bool model_prepare(const struct model *model, const struct limits *limits,
		   struct operation *op)
{
	const unsigned args = operation_arguments(op->kind);

	if (op->process >= limits->processes ||
	    (args & ARG_MAPPING && op->mapping >= limits->mappings))
		return false;
	switch (op->kind) {
	case OP_COLLAPSE:
	case OP_INSERT:
		return prepare_shift(model, limits, op);
	case OP_MOVE:
		return prepare_move(model, limits, op);
	case OP_COPY:
		return prepare_copy(model, limits, op);
	case OP_TRUNCATE:
		return op->len <= limits->size;
	case OP_MAPWRITE:
		op->len = model_readable(model, op);
		return op->len > 0 && op->mapping % 2 == 0;
	case OP_RENAME:
	case OP_UNLINK:
		return !model->unlinked;
	case OP_RECREATE:
		return model->unlinked;
	case OP_MSYNC:
	case OP_MADVISE:
		prepare_pages(op);
		break;
	default:
		break;
	}
	if (args & ARG_LENGTH) {
		/* A mapping has a page more than the file will ever have. */
		const uint64_t end = args & ARG_MAPPING
					     ? page_up(limits->size) + FOLDX_PAGE
					     : limits->size;

		op->len = below(op->offset, op->len, end);
		return op->len > 0;
	}
	return true;
}

/* --------------------------------------------------------------------- what it does */

static void set_size(struct model *model, uint64_t size)
{
	if (size < model->size)
		memset(model->bytes + size, 0, model->size - size);
	model->size = size;
}

static void grow_to(struct model *model, uint64_t size)
{
	if (size > model->size)
		model->size = size;
}

static void shift(struct model *model, const struct operation *op)
{
	uint8_t *at = model->bytes + op->offset;
	const uint64_t behind = model->size - op->offset;

	if (op->kind == OP_COLLAPSE) {
		memmove(at, at + op->len, behind - op->len);
		set_size(model, model->size - op->len);
	} else {
		memmove(at + op->len, at, behind);
		memset(at, 0, op->len);
		model->size += op->len;
	}
}

void model_apply(struct model *model, const struct operation *op, uint64_t done)
{
	switch (op->kind) {
	case OP_WRITE:
	case OP_MAPWRITE:
		content_fill(model->bytes + op->offset, done, op->seed);
		grow_to(model, done > 0 ? op->offset + done : 0);
		break;
	case OP_COPY:
		memcpy(model->bytes + op->destination, model->bytes + op->offset, done);
		grow_to(model, done > 0 ? op->destination + done : 0);
		break;
	case OP_TRUNCATE:
		set_size(model, op->len);
		break;
	case OP_ALLOCATE:
	case OP_FZERO:
		if (op->kind == OP_FZERO)
			memset(model->bytes + op->offset, 0, model_readable(model, op));
		if (op->seed % 2 == 0)
			grow_to(model, op->offset + op->len);
		break;
	case OP_PUNCH:
	case OP_ZERO:
	case OP_FPUNCH:
		memset(model->bytes + op->offset, 0, model_readable(model, op));
		break;
	case OP_COLLAPSE:
	case OP_INSERT:
		shift(model, op);
		break;
	case OP_MOVE:
		memcpy(model->bytes + op->destination, model->bytes + op->offset,
		       op->len);
		memset(model->bytes + op->offset, 0, op->len);
		break;
	case OP_RENAME:
		model->name = !model->name;
		break;
	case OP_UNLINK:
		model->unlinked = true;
		break;
	case OP_RECREATE:
		model_reset(model);
		break;
	default:
		break;
	}
}
