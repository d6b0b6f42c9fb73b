/* SPDX-License-Identifier: MIT */
/*
 * The invalidate gate: see cachelayer/gate.h for its rules.
 *
 * Two queues under one mutex. An entry stands in `granted` while it holds the gate and
 * in `parked` while it waits. The kernel bounds the requests that it has under way, and
 * a queue is walked only if it has any of the kinds that matter to an entry; so with
 * ten thousand READs parked, none of them is compared with the others.
 */

#include "invalidate_gate.h"

#include <assert.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "cond.h"
#include "mapping_internal.h"
#include "pace.h"
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

/* ------------------------------------------------------------------- the queues */

static void queue_append(struct gate_queue *queue, struct cl_gate_entry *entry)
{
	entry->next = NULL;
	entry->prev = queue->last;
	if (queue->last)
		queue->last->next = entry;
	else
		queue->first = entry;
	queue->last = entry;
	queue->count[entry->kind]++;
}

static void queue_remove(struct gate_queue *queue, struct cl_gate_entry *entry)
{
	if (entry->prev)
		entry->prev->next = entry->next;
	else
		queue->first = entry->next;
	if (entry->next)
		entry->next->prev = entry->prev;
	else
		queue->last = entry->prev;
	entry->next = entry->prev = NULL;
	queue->count[entry->kind]--;
}

/* -------------------------------------------------------------------- the rules */

/** Kinds that keep an entry out while they are granted. */
static unsigned kept_out_by_granted(enum cl_gate_kind kind)
{
	switch (kind) {
	case CL_GATE_FILL:
		return GATE_BIT(CL_GATE_CLOSE) | GATE_BIT(CL_GATE_EXCLUSIVE);
	case CL_GATE_WRITE:
		return GATE_BIT(CL_GATE_EXCLUSIVE);
	case CL_GATE_CLOSE:
		return GATE_BIT(CL_GATE_FILL);
	case CL_GATE_EXCLUSIVE:
		return GATE_BIT(CL_GATE_FILL) | GATE_BIT(CL_GATE_WRITE) |
		       GATE_BIT(CL_GATE_EXCLUSIVE);
	}
	abort();
}

/**
 * Kinds that keep an entry out while they were parked before it. A parked FILL or WRITE
 * keeps nobody out, but see overtakes(): what it waits for may itself be waiting for
 * the newcomer.
 */
static unsigned kept_out_by_parked(enum cl_gate_kind kind)
{
	switch (kind) {
	case CL_GATE_FILL:
		return GATE_BIT(CL_GATE_CLOSE) | GATE_BIT(CL_GATE_EXCLUSIVE);
	case CL_GATE_WRITE:
	case CL_GATE_EXCLUSIVE:
		return GATE_BIT(CL_GATE_EXCLUSIVE);
	case CL_GATE_CLOSE:
		return 0;
	}
	abort();
}

static bool has_any(const struct gate_queue *queue, unsigned kinds)
{
	for (unsigned kind = 0; kind < GATE_KINDS; kind++)
		if (GATE_BIT(kind) & kinds && queue->count[kind] > 0)
			return true;
	return false;
}

/** Whether an entry of one of these kinds is in the queue, before this one if it is
 *  there, too, and touches its range. */
static bool conflicts(const struct gate_queue *queue, unsigned kinds,
		      const struct cl_gate_entry *entry)
{
	if (!has_any(queue, kinds))
		return false;
	for (const struct cl_gate_entry *e = queue->first; e && e != entry; e = e->next)
		if (GATE_BIT(e->kind) & kinds &&
		    cl_range_overlaps(e->range, entry->range))
			return true;
	return false;
}

/**
 * Whether an EXCLUSIVE would overtake a FILL or WRITE that was parked before it and
 * that EXCLUSIVEs alone keep out: those of other ranges could go on doing so for ever.
 * A FILL that a CLOSE keeps out does not count: it may be waiting for the newcomer.
 */
static bool overtakes(const struct invalidate_gate *gate,
		      const struct cl_gate_entry *entry)
{
	const unsigned shared = GATE_BIT(CL_GATE_FILL) | GATE_BIT(CL_GATE_WRITE);
	const unsigned close = GATE_BIT(CL_GATE_CLOSE);

	if (entry->kind != CL_GATE_EXCLUSIVE)
		return false;
	for (const struct cl_gate_entry *e = gate->parked.first; e && e != entry;
	     e = e->next)
		if (GATE_BIT(e->kind) & shared &&
		    cl_range_overlaps(e->range, entry->range) &&
		    (e->kind == CL_GATE_WRITE ||
		     !(conflicts(&gate->granted, close, e) ||
		       conflicts(&gate->parked, close, e))))
			return true;
	return false;
}

/** A parked entry is compared with those before it only; a new one with all. */
static bool may_enter(const struct invalidate_gate *gate,
		      const struct cl_gate_entry *entry)
{
	return !conflicts(&gate->granted, kept_out_by_granted(entry->kind), entry) &&
	       !conflicts(&gate->parked, kept_out_by_parked(entry->kind), entry) &&
	       !overtakes(gate, entry);
}

/** A range of bytes as page indexes, for the resident set. */
static void pages_of(struct cl_range range, uint64_t *ret_start, uint64_t *ret_end)
{
	*ret_start = page_index_of(range.start);
	*ret_end = range.end == CL_RANGE_EOF ? UINT64_MAX : page_index_up(range.end);
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
	struct cl_range cached = entry->range;
	uint64_t start, end;

	entry->state = CL_GATE_GRANTED;
	queue_append(&gate->granted, entry);
	gate->page_writes += is_page_writeback(entry);
	if (gate->notice.in_flight && entry->writes_back)
		notice_write_came(&gate->notice, entry->range, cl_now_ns());
	if (entry->kind == CL_GATE_FILL)
		notice_fill_came(&gate->notice, entry->range);
	if (entry->caches) {
		if (entry->caches_end)
			cached.end = entry->caches_end;
		pages_of(cached, &start, &end);
		resident_set_add(&gate->resident, start, end);
	}
}

static void park(struct invalidate_gate *gate, struct cl_gate_entry *entry)
{
	uint64_t start, end;

	entry->state = CL_GATE_PARKED;
	entry->arrival_ns = cl_now_ns();
	queue_append(&gate->parked, entry);
	gate->nparked++;
	if (entry->kind == CL_GATE_FILL)
		notice_fill_came(&gate->notice, entry->range);
	if (entry->kind == CL_GATE_FILL && entry->caches && !entry->maybe_direct) {
		pages_of(entry->range, &start, &end);
		resident_set_remove(&gate->resident, start, end);
	}
}

/* -------------------------------------------------------------- entering, leaving */

/** Entries granted under the lock, whose callbacks run after it. */
struct call_list {
	struct cl_gate_entry *first;
	struct cl_gate_entry **link;
};

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

static void grant_parked(struct invalidate_gate *gate, struct cl_gate_entry *entry,
			 struct call_list *list)
{
	queue_remove(&gate->parked, entry);
	gate->nparked--;
	wait_class_add(waits_of(gate, entry), entry->arrival_ns);
	grant(gate, entry);
	entry->next_to_call = NULL;
	*list->link = entry;
	list->link = &entry->next_to_call;
}

static void call_granted(const struct call_list *list)
{
	struct cl_gate_entry *entry = list->first;

	while (entry) {
		struct cl_gate_entry *next = entry->next_to_call;

		entry->granted(entry); /* may free it */
		entry = next;
	}
}

/** Let in whoever can be now, oldest first. @return whether a CLOSE was among them */
static bool grant_round(struct invalidate_gate *gate, struct call_list *list)
{
	struct cl_gate_entry *next;
	bool closed = false;

	for (struct cl_gate_entry *e = gate->parked.first; e; e = next) {
		next = e->next;
		if (!may_enter(gate, e))
			continue;
		closed |= e->kind == CL_GATE_CLOSE;
		grant_parked(gate, e, list);
	}
	return closed;
}

/** A CLOSE may free an EXCLUSIVE before it from having to let a FILL go first. */
static void grant_all_parked(struct invalidate_gate *gate, struct call_list *list)
{
	while (grant_round(gate, list))
		;
}

static bool enter(struct cl_mapping *mapping, struct cl_gate_entry *entry,
		  bool may_park)
{
	struct invalidate_gate *gate = &mapping->gate;
	struct call_list list = {NULL, &list.first};

	cl_rank_assert_not_held(CL_RANK_PAGE);
	assert(entry->range.start <= entry->range.end);
	assert(!entry->writes_back || (entry->kind == CL_GATE_WRITE && !entry->caches));
	entry->range = cl_range_page_align(entry->range);
	entry->rescued = false;
	cl_mutex_lock(&gate->lock);
	const bool granted = may_enter(gate, entry);

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
	call_granted(&list);
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
	struct call_list list = {NULL, &list.first};

	cl_rank_assert_not_held(CL_RANK_PAGE);
	CL_POINT(gate_leaving);
	cl_mutex_lock(&gate->lock);
	assert(entry->state == CL_GATE_GRANTED);
	queue_remove(&gate->granted, entry);
	entry->state = CL_GATE_IDLE;
	if (entry->writes_back)
		count_writeback(gate, entry->range);
	if (gate->notice.in_flight && entry->writes_back)
		notice_write_left(&gate->notice, entry->range, cl_now_ns());
	grant_all_parked(gate, &list);
	cl_mutex_unlock(&gate->lock);
	call_granted(&list);
}

void cl_gate_refused(struct cl_mapping *mapping, struct cl_range range)
{
	cl_mutex_lock(&mapping->gate.lock);
	count_writeback(&mapping->gate, range);
	cl_mutex_unlock(&mapping->gate.lock);
}

static size_t grant_in_the_way(struct invalidate_gate *gate, struct cl_range range,
			       uint64_t since_ns, uint64_t until_ns,
			       struct call_list *list)
{
	const unsigned exclusive = GATE_BIT(CL_GATE_EXCLUSIVE);
	struct cl_gate_entry *next;
	size_t rescued = 0;

	cl_mutex_assert_held(&gate->lock);
	for (struct cl_gate_entry *e = gate->parked.first; e; e = next) {
		next = e->next;
		if (e->kind != CL_GATE_FILL || e->arrival_ns < since_ns ||
		    e->arrival_ns > until_ns || !cl_range_overlaps(e->range, range) ||
		    conflicts(&gate->granted, exclusive, e) ||
		    conflicts(&gate->parked, exclusive, e))
			continue;
		e->rescued = true;
		grant_parked(gate, e, list);
		rescued++;
	}
	return rescued;
}

size_t gate_rescue(struct invalidate_gate *gate, struct cl_range range,
		   uint64_t since_ns, uint64_t until_ns)
{
	struct call_list list = {NULL, &list.first};

	cl_mutex_lock(&gate->lock);
	const size_t rescued = grant_in_the_way(gate, range, since_ns, until_ns, &list);

	cl_mutex_unlock(&gate->lock);
	call_granted(&list);
	return rescued;
}

void gate_notice_begin(struct invalidate_gate *gate, struct cl_range range,
		       uint64_t since_ns)
{
	cl_mutex_lock(&gate->lock);
	assert(!gate->notice.in_flight);
	notice_begin(&gate->notice, range, since_ns);
	/* The notification waits for fills that are under way, too. */
	for (const struct cl_gate_entry *e = gate->granted.first; e; e = e->next)
		if (e->kind == CL_GATE_FILL)
			notice_fill_came(&gate->notice, e->range);
	cl_mutex_unlock(&gate->lock);
}

uint64_t gate_notice_end(struct invalidate_gate *gate)
{
	cl_mutex_lock(&gate->lock);
	const uint64_t silent_ns = notice_end(&gate->notice, cl_now_ns());

	cl_mutex_unlock(&gate->lock);
	return silent_ns;
}

/** Whether the notification is so silent that it must be something unlikely. */
static bool waits_for_anybody(const struct notice *notice, uint64_t silent_ns,
			      uint64_t patience_ns, uint64_t now_ns)
{
	return silent_ns >= GATE_ALL_AFTER_NS ||
	       silent_ns >= GATE_ALL_PATIENCES * patience_ns ||
	       cl_elapsed_ns(notice->all_ns, now_ns) >= GATE_ALL_AFTER_NS;
}

size_t gate_rescue_silent(struct invalidate_gate *gate, uint64_t patience_ns,
			  uint64_t now_ns)
{
	struct notice *notice = &gate->notice;
	struct call_list list = {NULL, &list.first};
	size_t rescued = 0;

	/* Whatever was measured: rescue comes. */
	assert(patience_ns >= PACE_FLOOR_NS && patience_ns <= PACE_CEILING_NS);
	cl_mutex_lock(&gate->lock);
	const uint64_t silent_ns = notice_silent_ns(notice, now_ns);

	if (!notice->in_flight) {
		/* It has ended meanwhile. */
	} else if (waits_for_anybody(notice, silent_ns, patience_ns, now_ns)) {
		notice->all_ns = now_ns;
		rescued = grant_in_the_way(gate, (struct cl_range){0, CL_RANGE_EOF}, 0,
					   now_ns, &list);
	} else if (silent_ns >= patience_ns) {
		rescued = grant_in_the_way(gate, notice->range, notice->since_ns,
					   now_ns - patience_ns, &list);
	}
	cl_mutex_unlock(&gate->lock);
	call_granted(&list);
	return rescued;
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

void gate_strike(struct invalidate_gate *gate, struct cl_range *range)
{
	uint64_t start, end;

	cl_mutex_lock(&gate->lock);
	for (const struct cl_gate_entry *e = gate->parked.first; e; e = e->next)
		if (e->kind == CL_GATE_FILL && e->caches && !e->maybe_direct &&
		    e->range.start > range->start && e->range.start < range->end)
			range->end = e->range.start;
	if (gate->resident.everything)
		*range = (struct cl_range){0, CL_RANGE_EOF};
	pages_of(*range, &start, &end);
	resident_set_remove(&gate->resident, start, end);
	cl_mutex_unlock(&gate->lock);
}

void gate_mark_resident(struct invalidate_gate *gate, struct cl_range range)
{
	uint64_t start, end;

	pages_of(range, &start, &end);
	cl_mutex_lock(&gate->lock);
	resident_set_add(&gate->resident, start, end);
	cl_mutex_unlock(&gate->lock);
}

bool gate_next_resident(struct invalidate_gate *gate, struct cl_range range,
			uint64_t max_pages, struct cl_range *ret_run)
{
	uint64_t start, end;

	pages_of(range, &start, &end);
	cl_mutex_lock(&gate->lock);
	const bool found = resident_set_next_run(&gate->resident, start, end, max_pages,
						 &start, &end);

	cl_mutex_unlock(&gate->lock);
	if (found)
		*ret_run = (struct cl_range){offset_of_page(start),
					     end >= UINT64_MAX >> CL_PAGE_SHIFT
						     ? CL_RANGE_EOF
						     : offset_of_page(end)};
	return found;
}

bool cl_mapping_is_resident(struct cl_mapping *mapping, struct cl_range range)
{
	struct cl_range run;

	return gate_next_resident(&mapping->gate, range, 1, &run);
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
