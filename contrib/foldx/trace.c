/* SPDX-License-Identifier: MIT */
/*
 * Traces.
 */

#include "trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "foldx-trace 1"

void trace_fini(struct trace *trace)
{
	free(trace->ops);
	trace->ops = NULL;
	trace->nops = trace->capacity = 0;
}

int trace_append(struct trace *trace, const struct operation *op)
{
	if (trace->nops == trace->capacity) {
		const size_t capacity = trace->capacity ? trace->capacity * 2 : 256;
		struct operation *ops =
			reallocarray(trace->ops, capacity, sizeof(*ops));

		if (!ops)
			return -ENOMEM;
		trace->ops = ops;
		trace->capacity = capacity;
	}
	trace->ops[trace->nops++] = *op;
	return 0;
}

int trace_copy(struct trace *to, const struct trace *from, size_t nops)
{
	struct trace copy = {.limits = from->limits, .nops = nops, .capacity = nops};

	copy.ops = calloc(nops > 0 ? nops : 1, sizeof(*copy.ops));
	if (!copy.ops)
		return -ENOMEM;
	if (nops > 0)
		memcpy(copy.ops, from->ops, nops * sizeof(*copy.ops));
	*to = copy;
	return 0;
}

void trace_remove(struct trace *trace, size_t at, size_t n)
{
	memmove(trace->ops + at, trace->ops + at + n,
		(trace->nops - at - n) * sizeof(*trace->ops));
	trace->nops -= n;
}

void trace_print_head(FILE *to, const struct limits *limits)
{
	fprintf(to,
		HEAD " size=%" PRIu64 " align=%" PRIu64 " processes=%" PRIu32
		     " mappings=%" PRIu32 "\n",
		limits->size, limits->align, limits->processes, limits->mappings);
}

void trace_print(FILE *to, const struct trace *trace)
{
	char text[OPERATION_TEXT_MAX];

	trace_print_head(to, &trace->limits);
	for (size_t i = 0; i < trace->nops; i++) {
		operation_print(&trace->ops[i], text);
		fprintf(to, "%s\n", text);
	}
}

/* -------------------------------------------------------------------------- reading */

/* Returns what is wrong, or NULL. */
static const char *parse_head(const char *line, struct limits *ret_limits)
{
	struct limits limits = {.block = 1};
	int len = -1;

	if (sscanf(line,
		   HEAD " size=%" SCNu64 " align=%" SCNu64 " processes=%" SCNu32
			" mappings=%" SCNu32 "%n",
		   &limits.size, &limits.align, &limits.processes, &limits.mappings,
		   &len) != 4 ||
	    len < 0 || line[len + (int)strspn(line + len, " \t\r")] != '\0')
		return "this is not the head of a trace (" HEAD
		       " size=BYTES align=BYTES processes=N mappings=N)";
	if (limits.size == 0 || limits.size > TRACE_SIZE_MAX)
		return "size= must be from 1 to 4G";
	if (limits.align == 0 || limits.align > limits.size)
		return "align= must be from 1 to the size";
	if (limits.processes == 0 || limits.processes > TRACE_PROCESSES_MAX)
		return "processes= must be from 1 to 16";
	if (limits.mappings == 0 || limits.mappings > TRACE_MAPPINGS_MAX)
		return "mappings= must be from 1 to 8";
	limits.len = limits.size;
	*ret_limits = limits;
	return NULL;
}

/* Comments and empty lines say nothing. 0, -EINVAL, -ENOMEM. */
static int take_line(struct trace *trace, const char *line, const char **ret_problem)
{
	struct operation op;

	line += strspn(line, " \t\r");
	if (*line == '#' || *line == '\0')
		return 0;
	if (trace->limits.size == 0) {
		*ret_problem = parse_head(line, &trace->limits);
		return *ret_problem ? -EINVAL : 0;
	}
	if (operation_parse(line, &op, ret_problem) < 0)
		return -EINVAL;
	if (trace->nops == TRACE_OPS_MAX) {
		*ret_problem = "too many operations";
		return -EINVAL;
	}
	return trace_append(trace, &op);
}

int trace_read(FILE *from, struct trace *ret_trace, struct trace_problem *ret_problem)
{
	struct trace trace = {0};
	struct trace_problem problem = {0};
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int err = 0;

	while (err == 0 && (len = getline(&line, &room, from)) >= 0) {
		problem.line++;
		if (len > 0 && line[len - 1] == '\n')
			line[--len] = '\0';
		if (strlen(line) != (size_t)len) {
			problem.what = "a zero byte";
			err = -EINVAL;
		} else {
			err = take_line(&trace, line, &problem.what);
		}
	}
	free(line);
	if (err == 0 && ferror(from))
		err = errno ? -errno : -EIO;
	if (err == 0 && trace.limits.size == 0) {
		problem.what = "the head is missing";
		err = -EINVAL;
	}
	if (err < 0) {
		trace_fini(&trace);
		*ret_problem = problem;
		return err;
	}
	*ret_trace = trace;
	return 0;
}
