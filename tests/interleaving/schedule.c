/* SPDX-License-Identifier: MIT */
/* Choosing, recording and printing schedules. */

#include "schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEN_MAX 64u

void schedule_init(struct schedule *schedule, enum schedule_mode mode)
{
	memset(schedule, 0, sizeof(*schedule));
	schedule->mode = mode;
	schedule->dice = 88172645463325252u;
}

void schedule_rewind(struct schedule *s)
{
	s->ndecisions = 0;
	s->preemptions = 0;
	s->stop = s->times = 0;
	s->ntrace = 0;
	s->nseen = 0;
	s->last_task = SCHED_TASKS;
	s->active = false;
}

bool schedule_next(struct schedule *s)
{
	while (s->ndecisions > 0) {
		struct decision *d = &s->decisions[s->ndecisions - 1];

		while (++d->chosen < d->noptions) {
			const unsigned preempts = d->preempts >> d->chosen & 1;

			if (d->preemptions_before + preempts > s->max_preemptions)
				continue;
			s->nplanned = s->ndecisions;
			return true;
		}
		s->ndecisions--;
	}
	return false;
}

/* ---------------------------------------------------------------------- choosing */

static unsigned choose_planned(struct schedule *s, const struct sched_option *options,
			       unsigned noptions)
{
	struct decision *d = &s->decisions[s->ndecisions];

	if (noptions == 1)
		return 0;
	if (s->ndecisions == SCHEDULE_DECISIONS) {
		fprintf(stderr, "schedule: too long\n");
		abort();
	}
	if (s->ndecisions >= s->nplanned) {
		*d = (struct decision){.noptions = (uint8_t)noptions,
				       .preemptions_before = (uint16_t)s->preemptions};
		for (unsigned i = 0; i < noptions; i++)
			d->preempts |= (uint32_t)options[i].is_preemption << i;
	} else if (d->noptions != noptions) {
		fprintf(stderr, "schedule: the same way led elsewhere\n");
		abort();
	}
	s->ndecisions++;
	s->preemptions += options[d->chosen].is_preemption;
	return d->chosen;
}

static unsigned choose_written(const struct schedule *s,
			       const struct sched_option *options, unsigned noptions)
{
	if (s->stop == s->permutation->nstops)
		return 0;
	for (unsigned i = 0; i < noptions; i++)
		if (strcmp(sched_name(options[i].task),
			   s->permutation->stops[s->stop].task) == 0)
			return i;
	return 0; /* the others run until it can */
}

static unsigned choose_by_dice(struct schedule *s, unsigned noptions)
{
	s->dice ^= s->dice << 13;
	s->dice ^= s->dice >> 7;
	s->dice ^= s->dice << 17;
	return s->dice >> 60 < 12 ? 0 : (unsigned)(s->dice >> 20) % noptions;
}

/** A stretch of one task has ended where it is now. */
static void end_stretch(struct schedule *s)
{
	unsigned times = 0;

	for (unsigned i = 0; i < s->nseen; i++)
		if (strcmp(s->seen[i].point, s->last_point) == 0)
			times = s->seen[i].times;
	s->nseen = 0;
	if (times == 0)
		return;
	if (s->ntrace == SCHEDULE_DECISIONS)
		abort();
	s->trace[s->ntrace].task = s->last_task;
	s->trace[s->ntrace].point = s->last_point;
	s->trace[s->ntrace].times = times;
	s->ntrace++;
}

unsigned schedule_choose(void *arg, const struct sched_option *options,
			 unsigned noptions)
{
	struct schedule *s = arg;
	unsigned chosen = 0;

	if (!s->active)
		return 0;
	switch (s->mode) {
	case SCHEDULE_ALL:
		chosen = choose_planned(s, options, noptions);
		break;
	case SCHEDULE_PERMUTATION:
		chosen = choose_written(s, options, noptions);
		break;
	case SCHEDULE_DICE:
		chosen = choose_by_dice(s, noptions);
		break;
	}
	if (options[chosen].task != s->last_task) {
		end_stretch(s);
		s->last_task = options[chosen].task;
	}
	return chosen;
}

/* --------------------------------------------------------------------- recording */

static void count(struct schedule *s, const char *point)
{
	for (unsigned i = 0; i < s->nseen; i++)
		if (strcmp(s->seen[i].point, point) == 0) {
			s->seen[i].times++;
			return;
		}
	if (s->nseen == SEEN_MAX)
		abort();
	s->seen[s->nseen].point = point;
	s->seen[s->nseen++].times = 1;
}

void schedule_arrived(void *arg, unsigned task, const char *where, bool waits)
{
	struct schedule *s = arg;
	const struct stop *stop;

	if (!s->active)
		return;
	if (waits)
		where = "waits";
	s->last_point = where;
	count(s, where);
	if (s->mode != SCHEDULE_PERMUTATION || s->stop == s->permutation->nstops)
		return;
	stop = &s->permutation->stops[s->stop];
	if (strcmp(sched_name(task), stop->task) != 0 ||
	    strcmp(where, stop->point) != 0 || ++s->times < stop->times)
		return;
	s->times = 0;
	s->stop++;
}

bool schedule_fits(const struct schedule *s)
{
	return s->mode != SCHEDULE_PERMUTATION || s->stop == s->permutation->nstops;
}

void schedule_print(struct schedule *s)
{
	if (s->last_task < SCHED_TASKS)
		end_stretch(s);
	for (unsigned i = 0; i < s->ntrace; i++) {
		printf("%s%s:%s", i ? " " : "", sched_name(s->trace[i].task),
		       s->trace[i].point);
		if (s->trace[i].times > 1)
			printf("*%u", s->trace[i].times);
	}
}
