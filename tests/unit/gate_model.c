/* SPDX-License-Identifier: MIT */
/*
 * The invalidate gate against a model, and against many threads.
 *
 * The first test drives the gate with one thread and compares every step with the table
 * of gate.h, written down once more as plainly as it can be. The second lets threads at
 * it and checks each grant against all those that are in at that moment; its twin
 * leaves the gate out, to show that the check would notice.
 */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

static struct fixture fx;

static void setup(void)
{
	fixture_open(&fx, fixture_config(), PAGES(64));
}

static void teardown(void)
{
	fixture_close(&fx);
}

static const char kind_letters[] = "FWCX";

/* The table of gate.h: may `other` be in, or in front in the queue, when `kind` goes
 * in? */
static bool compatible(enum cl_gate_kind kind, enum cl_gate_kind other)
{
	switch (kind) {
	case CL_GATE_FILL:
		return other == CL_GATE_FILL || other == CL_GATE_WRITE;
	case CL_GATE_WRITE:
		return other != CL_GATE_EXCLUSIVE;
	case CL_GATE_CLOSE:
		return other != CL_GATE_FILL;
	case CL_GATE_EXCLUSIVE:
		return other == CL_GATE_CLOSE;
	}
	abort();
}

static bool lets_pass_while_parked(enum cl_gate_kind kind, enum cl_gate_kind parked)
{
	/* Who waits keeps out only those for whom it would starve; for FILL and WRITE
	 * see model_lets_in(). */
	if (parked == CL_GATE_FILL || parked == CL_GATE_WRITE)
		return true;
	if (kind == CL_GATE_CLOSE)
		return true;
	return compatible(kind, parked);
}

static struct cl_range random_range(unsigned long *dice, unsigned pages)
{
	const uint64_t start = random_next(dice) % pages;
	const uint64_t len = 1 + random_next(dice) % (pages / 2);

	if (random_next(dice) % 16 == 0)
		return (struct cl_range){PAGES(start), CL_RANGE_EOF};
	return page_range(start, start + len);
}

/* ------------------------------------------------------------- one thread, a model */

#define VISITORS 12

struct visitor {
	struct cl_gate_entry entry;
	bool inside;   /* as the gate says: granted and not left */
	bool expected; /* as the model says */
	bool waiting;
	unsigned long arrival;
};

static struct visitor visitors[VISITORS];

static void note_granted(struct cl_gate_entry *entry)
{
	struct visitor *visitor = (struct visitor *)entry;

	ASSERT(!visitor->inside);
	visitor->inside = true;
}

static bool behind_a_close(const struct visitor *fill)
{
	for (const struct visitor *v = visitors; v < visitors + VISITORS; v++)
		if (v->entry.kind == CL_GATE_CLOSE &&
		    cl_range_overlaps(v->entry.range, fill->entry.range) &&
		    (v->expected || (v->waiting && v->arrival < fill->arrival)))
			return true;
	return false;
}

static bool model_lets_in(const struct visitor *visitor)
{
	for (const struct visitor *v = visitors; v < visitors + VISITORS; v++) {
		if (v == visitor ||
		    !cl_range_overlaps(v->entry.range, visitor->entry.range))
			continue;
		if (v->expected && !compatible(visitor->entry.kind, v->entry.kind))
			return false;
		if (v->waiting && v->arrival < visitor->arrival &&
		    !lets_pass_while_parked(visitor->entry.kind, v->entry.kind))
			return false;
		if (v->waiting && v->arrival < visitor->arrival &&
		    visitor->entry.kind == CL_GATE_EXCLUSIVE &&
		    (v->entry.kind == CL_GATE_WRITE ||
		     (v->entry.kind == CL_GATE_FILL && !behind_a_close(v))))
			return false;
	}
	return true;
}

/* Grant what can be granted, oldest first. */
static bool model_settle_once(void)
{
	bool granted = false;

	for (unsigned long arrival = 0;;) {
		struct visitor *next = NULL;

		for (struct visitor *v = visitors; v < visitors + VISITORS; v++)
			if (v->waiting && v->arrival > arrival &&
			    (!next || v->arrival < next->arrival))
				next = v;
		if (!next)
			return granted;
		arrival = next->arrival;
		if (!model_lets_in(next))
			continue;
		next->waiting = false;
		next->expected = true;
		granted = true;
	}
}

static void model_settle(void)
{
	while (model_settle_once())
		;
}

static void compare(unsigned long seed, unsigned step)
{
	size_t parked = 0;

	for (struct visitor *v = visitors; v < visitors + VISITORS; v++) {
		parked += v->waiting;
		if (v->inside != v->expected)
			ck_abort_msg(
				"seed %lu step %u: visitor %td (%c [%llu, %llu)) is %s",
				seed, step, v - visitors, kind_letters[v->entry.kind],
				(unsigned long long)v->entry.range.start,
				(unsigned long long)v->entry.range.end,
				v->inside ? "in, and must wait"
					  : "kept out for nothing");
	}
	ASSERT(cl_gate_parked(fx.mapping) == parked);
}

static void model_step(unsigned long *dice, unsigned long arrival)
{
	struct visitor *v = &visitors[random_next(dice) % VISITORS];

	if (v->inside) {
		v->inside = v->expected = false;
		model_settle();
		cl_gate_leave(fx.mapping, &v->entry);
		return;
	}
	if (v->waiting)
		return;
	v->entry = (struct cl_gate_entry){.range = random_range(dice, 16),
					  .kind = random_next(dice) % 4,
					  .granted = note_granted};
	v->arrival = arrival;
	v->waiting = true;
	model_settle();
	if (random_next(dice) % 4 == 0) {
		v->inside = cl_gate_try_enter(fx.mapping, &v->entry);
		v->waiting = false;
	} else {
		v->inside = cl_gate_enter(fx.mapping, &v->entry);
	}
}

START_TEST(the_gate_does_what_its_table_says)
{
	const unsigned long seed = (unsigned long)_i + 1;
	unsigned long dice = seed;

	for (unsigned step = 1; step <= 3000; step++) {
		model_step(&dice, step);
		compare(seed, step);
	}
	for (unsigned in = 1; in > 0;) {
		in = 0;
		for (struct visitor *v = visitors; v < visitors + VISITORS; v++) {
			if (!v->inside)
				continue;
			in++;
			v->inside = v->expected = false;
			model_settle();
			cl_gate_leave(fx.mapping, &v->entry);
			compare(seed, 0);
		}
	}
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 0);
}
END_TEST

/* --------------------------------------------------------------- many threads */

#define THREADS 8
#define ROUNDS	4000

/* Who is in, as the visitors themselves say: a subset of what the gate has granted. */
struct oracle {
	pthread_mutex_t mutex;
	const struct cl_gate_entry *inside[THREADS];
	unsigned violations;
	bool gate_left_out;
};

static void oracle_enter(struct oracle *oracle, unsigned number,
			 const struct cl_gate_entry *entry)
{
	pthread_mutex_lock(&oracle->mutex);
	for (unsigned i = 0; i < THREADS; i++) {
		const struct cl_gate_entry *other = oracle->inside[i];

		if (!other || !cl_range_overlaps(other->range, entry->range))
			continue;
		/* An entry keeps out as well as it is kept out. CLOSE and EXCLUSIVE
		 * go together in both directions, so the table is symmetric. */
		if (!compatible(entry->kind, other->kind) ||
		    !compatible(other->kind, entry->kind))
			oracle->violations++;
	}
	oracle->inside[number] = entry;
	pthread_mutex_unlock(&oracle->mutex);
}

static void oracle_leave(struct oracle *oracle, unsigned number)
{
	pthread_mutex_lock(&oracle->mutex);
	oracle->inside[number] = NULL;
	pthread_mutex_unlock(&oracle->mutex);
}

static void visit(struct member *member)
{
	struct oracle *oracle = member->arg;
	unsigned long dice = member->number + 1;

	for (int round = 0; round < ROUNDS; round++) {
		struct cl_gate_entry entry = {.range = random_range(&dice, 16),
					      .kind = random_next(&dice) % 4};

		if (!oracle->gate_left_out && random_next(&dice) % 4 == 0) {
			if (!cl_gate_try_enter(fx.mapping, &entry))
				continue;
		} else if (!oracle->gate_left_out) {
			cl_gate_enter_wait(fx.mapping, &entry);
		}
		oracle_enter(oracle, member->number, &entry);
		if (round % 8 == 0)
			sched_yield();
		oracle_leave(oracle, member->number);
		if (!oracle->gate_left_out)
			cl_gate_leave(fx.mapping, &entry);
	}
}

static unsigned violations_seen(bool gate_left_out)
{
	struct oracle oracle = {.gate_left_out = gate_left_out};
	struct team team;

	pthread_mutex_init(&oracle.mutex, NULL);
	team_start(&team, THREADS, visit, &oracle);
	team_join(&team);
	pthread_mutex_destroy(&oracle.mutex);
	return oracle.violations;
}

START_TEST(no_two_that_the_table_keeps_apart_are_ever_in_together)
{
	ck_assert_uint_eq(violations_seen(false), 0);
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 0);
}
END_TEST

START_TEST(twin_without_a_gate_they_meet)
{
	ck_assert_uint_gt(violations_seen(true), 0);
}
END_TEST

/* Parked as data: nobody waits for an entry, whoever makes room runs its callback. */

#define MAX_PARKED 64 /* as the kernel bounds the requests that it has under way */

static _Atomic unsigned long to_come;

static void leave_at_once(struct cl_gate_entry *entry)
{
	cl_gate_leave(fx.mapping, entry);
	free(entry);
	atomic_fetch_sub(&to_come, 1);
}

static void enter_many(struct member *member)
{
	unsigned long dice = member->number + 77;

	for (int round = 0; round < ROUNDS; round++) {
		struct cl_gate_entry *entry = malloc(sizeof(*entry));

		ASSERT(entry);
		*entry = (struct cl_gate_entry){.range = random_range(&dice, 16),
						.kind = random_next(&dice) % 4,
						.granted = leave_at_once};
		while (atomic_load(&to_come) > MAX_PARKED)
			sched_yield();
		atomic_fetch_add(&to_come, 1);
		if (cl_gate_enter(fx.mapping, entry))
			leave_at_once(entry);
	}
}

/* Nobody starves: one thread goes in with one kind again and again, while the others do
 * so with another and leave no moment without one of them. It ends, or somebody did. */

#define CROWD 6

struct siege {
	enum cl_gate_kind crowd, one;
	_Atomic bool over;
};

static void besiege(struct member *member)
{
	struct siege *siege = member->arg;
	struct cl_gate_entry entries[2];
	/* Two ranges that are apart: the one's own covers both. */
	const struct cl_range range =
		page_range(member->number % 2 * 4, member->number % 2 * 4 + 4);

	if (member->number == CROWD) {
		for (int i = 0; i < 300; i++) {
			gated_enter(fx.mapping, &entries[0], siege->one,
				    page_range(0, 8));
			cl_gate_leave(fx.mapping, &entries[0]);
		}
		atomic_store(&siege->over, true);
		return;
	}
	for (unsigned i = 0; !atomic_load(&siege->over); i++) {
		gated_enter(fx.mapping, &entries[i % 2], siege->crowd, range);
		if (siege->crowd == CL_GATE_EXCLUSIVE) {
			sched_yield(); /* with it */
			cl_gate_leave(fx.mapping, &entries[i % 2]);
		} else {
			/* The next one goes in before this one leaves; unless somebody
			 * waits who would then wait for both. */
			struct cl_gate_entry *next = &entries[(i + 1) % 2];

			*next = (struct cl_gate_entry){.range = range,
						       .kind = siege->crowd};
			if (cl_gate_try_enter(fx.mapping, next))
				cl_gate_leave(fx.mapping, next);
			cl_gate_leave(fx.mapping, &entries[i % 2]);
		}
	}
}

START_TEST(nobody_starves_whatever_the_others_do)
{
	static const enum cl_gate_kind pairs[][2] = {
		{CL_GATE_FILL, CL_GATE_EXCLUSIVE},
		{CL_GATE_WRITE, CL_GATE_EXCLUSIVE},
		{CL_GATE_FILL, CL_GATE_CLOSE},
		{CL_GATE_EXCLUSIVE, CL_GATE_FILL},
		{CL_GATE_EXCLUSIVE, CL_GATE_WRITE},
		{CL_GATE_EXCLUSIVE, CL_GATE_EXCLUSIVE},
	};
	struct siege siege = {.crowd = pairs[_i][0], .one = pairs[_i][1]};
	struct team team;

	team_start(&team, CROWD + 1, besiege, &siege);
	team_join(&team);
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 0);
}
END_TEST

START_TEST(every_parked_entry_is_granted_exactly_once)
{
	struct team team;

	team_start(&team, THREADS, enter_many, NULL);
	team_join(&team);
	ck_assert_uint_eq(atomic_load(&to_come), 0);
	ck_assert_uint_eq(cl_gate_parked(fx.mapping), 0);
}
END_TEST

int main(void)
{
	TCase *tc;
	Suite *suite = suite_with("gate_model", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, the_gate_does_what_its_table_says, 0, 20);
	tcase_add_test(tc, no_two_that_the_table_keeps_apart_are_ever_in_together);
	tcase_add_test(tc, twin_without_a_gate_they_meet);
	tcase_add_loop_test(tc, nobody_starves_whatever_the_others_do, 0, 6);
	tcase_add_test(tc, every_parked_entry_is_granted_exactly_once);
	return suite_run(suite);
}
