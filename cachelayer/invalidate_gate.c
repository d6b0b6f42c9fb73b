/* SPDX-License-Identifier: MIT */
/*
 * The invalidate gate: who enters, who waits, who leaves. See cachelayer/gate.h for its
 * rules; gate_rules.c has them.
 *
 * Two queues under one mutex. An entry stands in `granted` while it holds the gate and
 * in `parked` while it waits.
 */

#include "invalidate_gate.h"

#include <assert.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "cond.h"
#include "gate_internal.h"
#include "gate_rules.h"
#include "mapping_internal.h"
#include "test_point.h"

void gate_init(struct invalidate_gate *gate, struct wait_class *waits)
{
	gate->waits = waits;
	cl_mutex_init(&gate->lock, CL_RANK_GATE, "invalidate gate");
	gate->granted = gate->parked = (struct gate_queue){0};
	gate->nparked = 0;
	gate->page_writes = 0;
	gate->notice = (struct notice){0};
	gate->watched = NULL;
	gate->nwatched = 0;
	gate->writebacks = 0;
	resident_set_init(&gate->resident);
}

void gate_fini(struct invalidate_gate *gate)
{
	assert(!gate->granted.first && !gate->parked.first);
	resident_set_fini(&gate->resident);
	cl_mutex_destroy(&gate->lock);
}

/** What the upper cache sends for a dirty page that it has to drop. */
static bool is_page_writeback(const struct cl_gate_entry *entry)
{
	return entry->writes_back &&
	       entry->range.end - entry->range.start == CL_PAGE_SIZE;
}

/** A writeback comes or leaves. */
static void count_writeback(struct invalidate_gate *gate, struct cl_range range)
{
	bool touches = false;

	for (unsigned i = 0; i < gate->nwatched; i++)
		touches |= cl_range_overlaps(gate->watched[i], range);
	gate->writebacks += touches;
}

static void grant(struct invalidate_gate *gate, struct cl_gate_entry *entry)
{
	uint64_t start, end;

	entry->state = CL_GATE_GRANTED;
	gate_queue_append(&gate->granted, entry);
	gate->page_writes += is_page_writeback(entry);
	if (gate->notice.in_flight && entry->writes_back)
		notice_write_came(&gate->notice, entry->range, cl_now_ns());
	if (entry->kind == CL_GATE_FILL)
		notice_fill_came(&gate->notice, entry->range);
	if (entry->caches) {
		gate_pages_of(entry->cached.end ? entry->cached : entry->range, &start,
			      &end);
		resident_set_add(&gate->resident, start, end);
	}
}

static void park(struct invalidate_gate *gate, struct cl_gate_entry *entry)
{
	uint64_t start, end;

	entry->state = CL_GATE_PARKED;
	entry->arrival_ns = cl_now_ns();
	gate_queue_append(&gate->parked, entry);
	gate->nparked++;
	if (entry->kind == CL_GATE_FILL)
		notice_fill_came(&gate->notice, entry->range);
	if (entry->kind == CL_GATE_FILL && entry->caches && !entry->maybe_direct) {
		gate_pages_of(entry->range, &start, &end);
		resident_set_remove(&gate->resident, start, end);
	}
}

/** What its wait counts as. */
static struct wait_class *waits_of(const struct invalidate_gate *gate,
				   const struct cl_gate_entry *entry)
{
	switch (entry->kind) {
	case CL_GATE_FILL:
		return &gate->waits[CL_WAIT_FILL_GATE];
	case CL_GATE_WRITE:
		return &gate->waits[CL_WAIT_WRITE_GATE];
	case CL_GATE_CLOSE:
	case CL_GATE_EXCLUSIVE:
		break;
	}
	return &gate->waits[CL_WAIT_RANGE_GATE];
}

void gate_grant_parked(struct invalidate_gate *gate, struct cl_gate_entry *entry,
		       struct gate_call_list *list)
{
	gate_queue_remove(&gate->parked, entry);
	gate->nparked--;
	wait_class_add(waits_of(gate, entry), entry->arrival_ns);
	grant(gate, entry);
	entry->next_to_call = NULL;
	*list->link = entry;
	list->link = &entry->next_to_call;
}

void gate_call_granted(const struct gate_call_list *list)
{
	struct cl_gate_entry *entry = list->first;

	while (entry) {
		struct cl_gate_entry *next = entry->next_to_call;

		entry->granted(entry); /* may free it */
		entry = next;
	}
}

/** Let in whoever can be now, oldest first. @return whether a CLOSE was among them */
static bool grant_round(struct invalidate_gate *gate, struct gate_call_list *list)
{
	struct cl_gate_entry *next;
	bool closed = false;

	for (struct cl_gate_entry *e = gate->parked.first; e; e = next) {
		next = e->next;
		if (!gate_may_enter(gate, e))
			continue;
		closed |= e->kind == CL_GATE_CLOSE;
		gate_grant_parked(gate, e, list);
	}
	return closed;
}

/** A CLOSE may free an EXCLUSIVE before it from having to let a FILL go first. */
static void grant_all_parked(struct invalidate_gate *gate, struct gate_call_list *list)
{
	while (grant_round(gate, list))
		;
}

static bool enter(struct cl_mapping *mapping, struct cl_gate_entry *entry,
		  bool may_park)
{
	struct invalidate_gate *gate = &mapping->gate;
	struct gate_call_list list = {NULL, &list.first};

	cl_rank_assert_not_held(CL_RANK_PAGE);
	assert(entry->range.start <= entry->range.end);
	assert(!entry->writes_back || (entry->kind == CL_GATE_WRITE && !entry->caches));
	entry->range = cl_range_page_align(entry->range);
	entry->rescued = false;
	cl_mutex_lock(&gate->lock);
	const bool granted = gate_may_enter(gate, entry);

	if (granted) {
		grant(gate, entry);
	} else if (may_park) {
		park(gate, entry);
	}
	if (entry->writes_back && (granted || may_park))
		count_writeback(gate, entry->range);
	if (granted && entry->kind == CL_GATE_CLOSE)
		grant_all_parked(gate, &list);
	cl_mutex_unlock(&gate->lock);
	gate_call_granted(&list);
	if (granted)
		CL_POINT(gate_granted);
	else if (may_park)
		CL_POINT(gate_parked);
	return granted;
}

bool cl_gate_try_enter(struct cl_mapping *mapping, struct cl_gate_entry *entry)
{
	return enter(mapping, entry, false);
}

bool cl_gate_enter(struct cl_mapping *mapping, struct cl_gate_entry *entry)
{
	return enter(mapping, entry, true);
}

static void post_semaphore(struct cl_gate_entry *entry)
{
	sem_post(entry->granted_arg);
}

#ifdef FOLDFS_TEST_POINTS
static bool is_posted(const void *arg)
{
	int value = 0;

	sem_getvalue((sem_t *)(uintptr_t)arg, &value);
	return value > 0;
}
#endif

void cl_gate_enter_wait(struct cl_mapping *mapping, struct cl_gate_entry *entry)
{
	sem_t granted;

	sem_init(&granted, 0, 0);
	entry->granted = post_semaphore;
	entry->granted_arg = &granted;
	if (!cl_gate_enter(mapping, entry)) {
		CL_AWAIT("the gate", is_posted, &granted);
		while (sem_wait(&granted) < 0)
			; /* EINTR */
	}
	sem_destroy(&granted);
}

void cl_gate_leave(struct cl_mapping *mapping, struct cl_gate_entry *entry)
{
	struct invalidate_gate *gate = &mapping->gate;
	struct gate_call_list list = {NULL, &list.first};

	cl_rank_assert_not_held(CL_RANK_PAGE);
	CL_POINT(gate_leaving);
	cl_mutex_lock(&gate->lock);
	assert(entry->state == CL_GATE_GRANTED);
	gate_queue_remove(&gate->granted, entry);
	entry->state = CL_GATE_IDLE;
	if (entry->writes_back)
		count_writeback(gate, entry->range);
	if (gate->notice.in_flight && entry->writes_back)
		notice_write_left(&gate->notice, entry->range, cl_now_ns());
	grant_all_parked(gate, &list);
	cl_mutex_unlock(&gate->lock);
	gate_call_granted(&list);
}

/* Nobody is kept out by a parked FILL but EXCLUSIVEs that would overtake it. */
bool cl_gate_withdraw(struct cl_mapping *mapping, struct cl_gate_entry *entry)
{
	struct invalidate_gate *gate = &mapping->gate;
	struct gate_call_list list = {NULL, &list.first};

	cl_mutex_lock(&gate->lock);
	const bool parked = entry->state == CL_GATE_PARKED;

	if (parked) {
		assert(entry->kind == CL_GATE_FILL);
		gate_queue_remove(&gate->parked, entry);
		gate->nparked--;
		entry->state = CL_GATE_IDLE;
		grant_all_parked(gate, &list);
	}
	cl_mutex_unlock(&gate->lock);
	gate_call_granted(&list);
	return parked;
}

void cl_gate_refused(struct cl_mapping *mapping, struct cl_range range)
{
	cl_mutex_lock(&mapping->gate.lock);
	count_writeback(&mapping->gate, range);
	cl_mutex_unlock(&mapping->gate.lock);
}

uint64_t gate_page_writes(struct invalidate_gate *gate)
{
	cl_mutex_lock(&gate->lock);
	const uint64_t page_writes = gate->page_writes;

	cl_mutex_unlock(&gate->lock);
	return page_writes;
}

void gate_watch(struct invalidate_gate *gate, const struct cl_range *ranges,
		unsigned nranges)
{
	cl_mutex_lock(&gate->lock);
	gate->watched = ranges;
	gate->nwatched = nranges;
	gate->writebacks = 0;
	cl_mutex_unlock(&gate->lock);
}

void gate_unwatch(struct invalidate_gate *gate)
{
	gate_watch(gate, NULL, 0);
}

bool gate_saw_writeback(struct invalidate_gate *gate)
{
	cl_mutex_lock(&gate->lock);
	const bool saw = gate->writebacks > 0;

	cl_mutex_unlock(&gate->lock);
	return saw;
}

bool gate_fill_parked(struct invalidate_gate *gate, struct cl_range range)
{
	bool parked = false;

	cl_mutex_lock(&gate->lock);
	for (struct cl_gate_entry *e = gate->parked.first; e && !parked; e = e->next)
		parked = e->kind == CL_GATE_FILL && cl_range_overlaps(e->range, range);
	cl_mutex_unlock(&gate->lock);
	return parked;
}

size_t cl_gate_parked(struct cl_mapping *mapping)
{
	cl_mutex_lock(&mapping->gate.lock);
	const size_t nparked = mapping->gate.nparked;

	cl_mutex_unlock(&mapping->gate.lock);
	return nparked;
}

#ifdef CL_DEBUG_LOCKS
void gate_assert_held(struct invalidate_gate *gate, unsigned kinds,
		      struct cl_range range, const char *site)
{
	bool covered = false;

	range = cl_range_page_align(range);
	cl_mutex_lock(&gate->lock);
	for (struct cl_gate_entry *e = gate->granted.first; e && !covered; e = e->next)
		covered =
			GATE_BIT(e->kind) & kinds && cl_range_contains(e->range, range);
	cl_mutex_unlock(&gate->lock);
	if (covered)
		return;
	fprintf(stderr,
		"cachelayer: %s needs a gate entry (kinds %#x) over [%llu, %llu)\n",
		site, kinds, (unsigned long long)range.start,
		(unsigned long long)range.end);
	abort();
}
#endif
