/* SPDX-License-Identifier: MIT */
/*
 * Operations: their table, and their form as a line of text:
 *
 *	mapwrite process=1 mapping=0 offset=4096 length=300 seed=17
 *	& mapread process=2 mapping=1 offset=0 length=40960
 *	collapse process=0 offset=4096 length=8192
 */

#include "operation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	unsigned args;
	unsigned weight;
} table[] = {
#define FOLDX_ROW(kind, name, args, weight) [OP_##kind] = {name, args, weight},
	FOLDX_OPERATIONS(FOLDX_ROW)
#undef FOLDX_ROW
};

const char *operation_name(enum op_kind kind)
{
	return table[kind].name;
}

unsigned operation_arguments(enum op_kind kind)
{
	return table[kind].args;
}

unsigned operation_weight(enum op_kind kind)
{
	return table[kind].weight;
}

enum op_kind operation_by_name(const char *name, size_t len)
{
	unsigned kind = 0;

	while (kind < OP_KINDS && (strlen(table[kind].name) != len ||
				   strncmp(table[kind].name, name, len) != 0))
		kind++;
	return (enum op_kind)kind;
}

bool operation_is_access(enum op_kind kind)
{
	return kind == OP_READ || kind == OP_WRITE || kind == OP_MAPREAD ||
	       kind == OP_MAPWRITE;
}

bool operation_is_one_step(enum op_kind kind)
{
	return kind == OP_TRUNCATE || kind == OP_PUNCH || kind == OP_ZERO ||
	       kind == OP_COLLAPSE || kind == OP_INSERT || kind == OP_MOVE;
}

/* ---------------------------------------------------------------------- as text */

/* The arguments by name. `process` is everybody's. */
enum {
	KEY_PROCESS,
	KEY_MAPPING,
	KEY_OFFSET,
	KEY_LENGTH,
	KEY_DESTINATION,
	KEY_SEED,
	KEYS
};

static const struct {
	const char *name;
	unsigned arg;
	uint64_t max;
} keys[KEYS] = {
	[KEY_PROCESS] = {"process", 0, UINT32_MAX},
	[KEY_MAPPING] = {"mapping", ARG_MAPPING, UINT32_MAX},
	[KEY_OFFSET] = {"offset", ARG_OFFSET, INT64_MAX},
	[KEY_LENGTH] = {"length", ARG_LENGTH, INT64_MAX},
	[KEY_DESTINATION] = {"destination", ARG_DESTINATION, INT64_MAX},
	[KEY_SEED] = {"seed", ARG_SEED, UINT32_MAX},
};

static bool has_key(enum op_kind kind, unsigned key)
{
	return keys[key].arg == 0 || table[kind].args & keys[key].arg;
}

static void get_values(const struct operation *op, uint64_t values[KEYS])
{
	values[KEY_PROCESS] = op->process;
	values[KEY_MAPPING] = op->mapping;
	values[KEY_OFFSET] = op->offset;
	values[KEY_LENGTH] = op->len;
	values[KEY_DESTINATION] = op->destination;
	values[KEY_SEED] = op->seed;
}

static void set_values(struct operation *op, const uint64_t values[KEYS])
{
	op->process = (uint32_t)values[KEY_PROCESS];
	op->mapping = (uint32_t)values[KEY_MAPPING];
	op->offset = values[KEY_OFFSET];
	op->len = values[KEY_LENGTH];
	op->destination = values[KEY_DESTINATION];
	op->seed = (uint32_t)values[KEY_SEED];
}

void operation_print(const struct operation *op, char text[OPERATION_TEXT_MAX])
{
	uint64_t values[KEYS];
	size_t at;

	get_values(op, values);
	at = (size_t)snprintf(text, OPERATION_TEXT_MAX, "%s%s",
			      op->together ? "& " : "", table[op->kind].name);
	for (unsigned key = 0; key < KEYS; key++)
		if (has_key(op->kind, key))
			at += (size_t)snprintf(text + at, OPERATION_TEXT_MAX - at,
					       " %s=%" PRIu64, keys[key].name,
					       values[key]);
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r");
}

/* Digits only, and not past max. NULL: they are not. */
static const char *take_number(const char *at, uint64_t max, uint64_t *ret_number)
{
	const char *start = at;
	uint64_t number = 0;

	for (; *at >= '0' && *at <= '9'; at++) {
		const uint64_t digit = (uint64_t)(*at - '0');

		if (number > (max - digit) / 10)
			return NULL;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return at > start ? at : NULL;
}

/* One `key=number`. NULL, and why. */
static const char *take_argument(const char *at, enum op_kind kind,
				 uint64_t values[KEYS], unsigned *seen,
				 const char **ret_problem)
{
	const size_t len = strcspn(at, "=");

	for (unsigned key = 0; key < KEYS; key++) {
		if (strlen(keys[key].name) != len ||
		    strncmp(keys[key].name, at, len) != 0 || !has_key(kind, key))
			continue;
		if (*seen & 1u << key || at[len] != '=') {
			*ret_problem = "an argument twice, or without '='";
			return NULL;
		}
		*seen |= 1u << key;
		at = take_number(at + len + 1, keys[key].max, &values[key]);
		if (!at || !strchr(" \t\r", *at)) {
			*ret_problem = "a value that is no number, or too large";
			return NULL;
		}
		return skip_blanks(at);
	}
	*ret_problem = "an argument that this operation does not have";
	return NULL;
}

int operation_parse(const char *line, struct operation *ret_op,
		    const char **ret_problem)
{
	const char *at = skip_blanks(line);
	struct operation op = {.together = *at == '&'};
	uint64_t values[KEYS] = {0};
	unsigned seen = 0;
	size_t len;

	if (op.together)
		at = skip_blanks(at + 1);
	len = strcspn(at, " \t\r");
	op.kind = operation_by_name(at, len);
	if (op.kind == OP_KINDS) {
		*ret_problem = "no such operation";
		return -EINVAL;
	}
	if (op.together && !operation_is_access(op.kind)) {
		*ret_problem = "only read, write, mapread and mapwrite can follow '&'";
		return -EINVAL;
	}
	at = skip_blanks(at + len);
	while (*at != '\0') {
		at = take_argument(at, op.kind, values, &seen, ret_problem);
		if (!at)
			return -EINVAL;
	}
	set_values(&op, values);
	*ret_op = op;
	return 0;
}

/* -------------------------------------------------------------- where bytes go */

static bool within(uint64_t at, uint64_t offset, uint64_t len)
{
	return at >= offset && at - offset < len;
}

bool operation_moves(const struct operation *op, uint64_t at, uint64_t *ret_to)
{
	uint64_t to = at;
	bool stays = true;

	switch (op ? op->kind : OP_CHECK) {
	case OP_TRUNCATE:
		stays = at < op->len;
		break;
	case OP_PUNCH:
	case OP_ZERO:
		stays = !within(at, op->offset, op->len);
		break;
	case OP_COLLAPSE:
		stays = !within(at, op->offset, op->len);
		if (at >= op->offset)
			to = at - op->len;
		break;
	case OP_INSERT:
		if (at >= op->offset)
			to = at + op->len;
		break;
	case OP_MOVE:
		stays = !within(at, op->destination, op->len);
		if (within(at, op->offset, op->len))
			to = at - op->offset + op->destination;
		break;
	default:
		break;
	}
	if (stays)
		*ret_to = to;
	return stays;
}
