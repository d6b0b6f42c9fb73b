/* SPDX-License-Identifier: MIT */
/*
 * Fuzzing what is said through a control attribute. Input: the attribute's name, a
 * space, and its value.
 *
 * Whatever is taken must be what the manual says it is, digits and all; and saying it
 * again in the plainest form must mean the same.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_value.h"
#include "fuzz.h"

static bool take_digits(const char **at, const char *end)
{
	const char *start = *at;

	while (*at < end && **at >= '0' && **at <= '9')
		(*at)++;
	return *at > start;
}

static bool take(const char **at, const char *end, char c)
{
	return *at < end && *(*at)++ == c;
}

/* The form of a value, without its meaning. */
static bool looks_right(const char *value, size_t size, bool is_move)
{
	const char *at = value, *end = value + size;

	if (size > 0 && (end[-1] == '\n' || end[-1] == '\0'))
		end--;
	return take_digits(&at, end) && take(&at, end, '+') && take_digits(&at, end) &&
	       (!is_move || (take(&at, end, '>') && take_digits(&at, end))) &&
	       at == end;
}

static void check_taken(const char *name, const char *value, size_t size,
			const struct cl_range_op *op)
{
	struct cl_range_op again;
	char plain[96];
	int len;

	fuzz_require((unsigned)op->kind <= CL_MOVE);
	fuzz_require(looks_right(value, size, op->kind == CL_MOVE));
	fuzz_require(op->offset <= INT64_MAX && op->len <= INT64_MAX &&
		     op->destination <= INT64_MAX);
	len = snprintf(plain, sizeof(plain), "%" PRIu64 "+%" PRIu64, op->offset,
		       op->len);
	if (op->kind == CL_MOVE)
		len += snprintf(plain + len, sizeof(plain) - (size_t)len, ">%" PRIu64,
				op->destination);
	fuzz_require(control_value_parse(name, plain, (size_t)len, &again) == 0);
	fuzz_require(again.kind == op->kind && again.offset == op->offset &&
		     again.len == op->len && again.destination == op->destination);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *space = memchr(data, ' ', size);
	const size_t name_len = space ? (size_t)(space - data) : size;
	const size_t value_len = space ? size - name_len - 1 : 0;
	/* Of exactly these sizes, so that a step too far is seen. */
	char *name = fuzz_copy(data, name_len, true);
	char *value = fuzz_copy(space ? space + 1 : data, value_len, false);
	struct cl_range_op op = {.offset = 1, .len = 2, .destination = 3};
	const int err = control_value_parse(name, value, value_len, &op);

	if (err == 0)
		check_taken(name, value, value_len, &op);
	else
		fuzz_require((err == -EINVAL || err == -EOPNOTSUPP) && op.offset == 1 &&
			     op.len == 2 && op.destination == 3);
	free(name);
	free(value);
	return 0;
}
