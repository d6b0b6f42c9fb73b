/* SPDX-License-Identifier: MIT */
/*
 * Shrinking traces. Any list of operations is a trace: what makes no sense any more
 * when others are gone is passed over. So nothing has to be kept together here.
 */

#include "shrink.h"

#include <errno.h>

#include "team.h"

struct shrinking {
	struct trace *trace;
	trace_fails_fn *fails;
	void *arg;
	uint64_t until_ns;
	struct shrink_result result;
	int err;
};

static bool time_is_up(struct shrinking *s)
{
	if (s->err == 0 && team_now_ns() < s->until_ns)
		return false;
	s->result.ended_early = true;
	return true;
}

static bool still_fails(struct shrinking *s, const struct trace *candidate)
{
	s->result.tried++;
	return s->fails(s->arg, candidate);
}

/* ----------------------------------------------------------------- fewer operations */

/* Try without ops [at, at + n). */
static bool leave_out(struct shrinking *s, size_t at, size_t n)
{
	struct trace candidate;

	s->err = trace_copy(&candidate, s->trace, s->trace->nops);
	if (s->err < 0)
		return false;
	trace_remove(&candidate, at, n);
	if (!still_fails(s, &candidate)) {
		trace_fini(&candidate);
		return false;
	}
	trace_fini(s->trace);
	*s->trace = candidate;
	return true;
}

/* Pieces of a length, from the end: what comes last depends most on others. Returns
 * whether any could go. */
static bool leave_out_pieces(struct shrinking *s, size_t piece)
{
	size_t at = s->trace->nops;
	bool shorter = false;

	while (at > 0 && !time_is_up(s)) {
		const size_t n = at < piece ? at : piece;

		at -= n;
		shorter |= leave_out(s, at, n);
	}
	return shorter;
}

/* All of a kind at once: most kinds have nothing to do with it. */
static void leave_out_kinds(struct shrinking *s)
{
	for (unsigned kind = 0; kind < OP_KINDS && !time_is_up(s); kind++) {
		struct trace candidate;
		size_t kept = 0;

		s->err = trace_copy(&candidate, s->trace, s->trace->nops);
		if (s->err < 0)
			return;
		for (size_t i = 0; i < candidate.nops; i++)
			if (candidate.ops[i].kind != kind)
				candidate.ops[kept++] = candidate.ops[i];
		candidate.nops = kept;
		if (kept < s->trace->nops && still_fails(s, &candidate)) {
			trace_fini(s->trace);
			*s->trace = candidate;
		} else {
			trace_fini(&candidate);
		}
	}
}

static bool fewer_operations(struct shrinking *s)
{
	size_t piece = s->trace->nops / 2;
	bool ever = false, shorter;

	while (piece > 0 && !time_is_up(s)) {
		shorter = leave_out_pieces(s, piece);
		ever |= shorter;
		/* Single ones until there is none to spare. */
		if (piece > 1)
			piece /= 2;
		else if (!shorter)
			break;
	}
	return ever;
}

/* ---------------------------------------------------------------- smaller arguments */

static bool try_value(struct shrinking *s, uint64_t *argument, uint64_t value)
{
	const uint64_t old = *argument;

	if (value >= old || time_is_up(s))
		return false;
	*argument = value;
	if (still_fails(s, s->trace))
		return true;
	*argument = old;
	return false;
}

/* Down by steps of a unit and less: to where not even one less fails. */
static bool step_down(struct shrinking *s, uint64_t *argument, uint64_t unit)
{
	uint64_t step = *argument - *argument % unit;
	bool ever = false;

	while (step >= unit && !time_is_up(s)) {
		if (step <= *argument && try_value(s, argument, *argument - step))
			ever = true;
		else
			step = step / 2 - step / 2 % unit;
	}
	return ever;
}

static bool smaller_number(struct shrinking *s, uint64_t *argument)
{
	/* Whole pages are read more easily. */
	bool ever = try_value(s, argument, *argument - *argument % FOLDX_PAGE);

	ever |= step_down(s, argument, FOLDX_PAGE);
	return step_down(s, argument, 1) || ever;
}

static bool smaller_u32(struct shrinking *s, uint32_t *argument)
{
	const uint32_t values[] = {0, 1, *argument / 2};
	const uint32_t old = *argument;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (values[i] >= old || time_is_up(s))
			continue;
		*argument = values[i];
		if (still_fails(s, s->trace))
			return true;
		*argument = old;
	}
	return false;
}

static bool smaller_arguments(struct shrinking *s)
{
	bool ever = false;

	for (size_t i = s->trace->nops; i-- > 0 && !time_is_up(s);) {
		struct operation *op = &s->trace->ops[i];

		ever |= smaller_u32(s, &op->process);
		ever |= smaller_u32(s, &op->mapping);
		ever |= smaller_u32(s, &op->seed);
		ever |= smaller_number(s, &op->len);
		ever |= smaller_number(s, &op->offset);
		ever |= smaller_number(s, &op->destination);
	}
	return ever;
}

/* Processes and mappings that nothing uses look at the file all the same. */
static bool fewer_observers(struct shrinking *s)
{
	struct limits *limits = &s->trace->limits;
	bool ever = false;

	while (limits->mappings > 1 && !time_is_up(s)) {
		limits->mappings--;
		if (!still_fails(s, s->trace)) {
			limits->mappings++;
			break;
		}
		ever = true;
	}
	while (limits->processes > 1 && !time_is_up(s)) {
		limits->processes--;
		if (!still_fails(s, s->trace)) {
			limits->processes++;
			break;
		}
		ever = true;
	}
	return ever;
}

int trace_shrink(struct trace *trace, trace_fails_fn *fails, void *arg,
		 unsigned seconds, struct shrink_result *ret_result)
{
	struct shrinking s = {
		.trace = trace,
		.fails = fails,
		.arg = arg,
		.until_ns = team_now_ns() + (uint64_t)seconds * 1000000000u,
	};
	bool better = true;

	leave_out_kinds(&s);
	fewer_operations(&s);
	while (better && !time_is_up(&s)) {
		better = fewer_observers(&s);
		better |= smaller_arguments(&s);
		better |= fewer_operations(&s);
	}
	*ret_result = s.result;
	return s.err;
}
