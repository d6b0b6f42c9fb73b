/* SPDX-License-Identifier: MIT */
/* Control attributes: parsing. */

#include "control_value.h"

#include <errno.h>
#include <string.h>

static const char *const attributes[] = {
	[CL_COLLAPSE] = "collapse_range", [CL_INSERT] = "insert_range",
	[CL_PUNCH] = "punch_hole",	  [CL_ZERO] = "zero_range",
	[CL_MOVE] = "move_range",
};

#define NOPERATIONS (sizeof(attributes) / sizeof(attributes[0]))

struct text {
	const char *at;
	const char *end;
};

/** One or more digits. */
static bool take_number(struct text *text, uint64_t *ret_number)
{
	const char *start = text->at;
	uint64_t number = 0;

	for (; text->at < text->end && *text->at >= '0' && *text->at <= '9';
	     text->at++) {
		const uint64_t digit = (uint64_t)(*text->at - '0');

		if (number > ((uint64_t)INT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return text->at > start;
}

static bool take_char(struct text *text, char c)
{
	if (text->at == text->end || *text->at != c)
		return false;
	text->at++;
	return true;
}

static bool parse_ranges(struct text *text, struct cl_range_op *op)
{
	if (!take_number(text, &op->offset) || !take_char(text, '+') ||
	    !take_number(text, &op->len))
		return false;
	if (op->kind == CL_MOVE &&
	    (!take_char(text, '>') || !take_number(text, &op->destination)))
		return false;
	return text->at == text->end;
}

int control_value_parse(const char *name, const char *value, size_t size,
			struct cl_range_op *ret_op)
{
	const size_t prefix_len = strlen(CONTROL_PREFIX);
	struct text text = {value, value + size};

	if (strncmp(name, CONTROL_PREFIX, prefix_len) != 0)
		return -EOPNOTSUPP;
	/* As shells and C programs like to send it. */
	if (size > 0 && (value[size - 1] == '\n' || value[size - 1] == '\0'))
		text.end--;
	for (size_t kind = 0; kind < NOPERATIONS; kind++) {
		struct cl_range_op op = {.kind = (enum cl_range_op_kind)kind};

		if (strcmp(name + prefix_len, attributes[kind]) != 0)
			continue;
		if (!parse_ranges(&text, &op))
			return -EINVAL;
		*ret_op = op;
		return 0;
	}
	return -EOPNOTSUPP;
}
