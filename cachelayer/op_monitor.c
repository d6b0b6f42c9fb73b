/* SPDX-License-Identifier: MIT */
/*
 * The monitor of range operations: rescue and watchdog.
 *
 * It polls while some operation has its gate closed; that is the only time when a READ
 * can need rescue, and it is short. So starting a notification costs no wake-up.
 */

#include "op_monitor.h"

#include "mapping_internal.h"
#include "test_point.h"

#define DEFAULT_SLOW_MS 1000u
#define WATCH_NS	((uint64_t)100 * 1000 * 1000)

void op_monitor_init(struct cl_cache *cache)
{
	struct op_monitor *mon = &cache->monitor;

	cl_mutex_init(&mon->lock, CL_RANK_OP_MONITOR, "operation monitor");
	cl_cond_init(&mon->changed);
	CDS_INIT_LIST_HEAD(&mon->running);
}

void op_monitor_fini(struct cl_cache *cache)
{
	struct op_monitor *mon = &cache->monitor;

	cl_mutex_lock(&mon->lock);
	mon->stopping = true;
	cl_cond_broadcast(&mon->changed);
	cl_mutex_unlock(&mon->lock);
	if (mon->started)
		cl_thread_join(mon->thread);
	cl_cond_destroy(&mon->changed);
	cl_mutex_destroy(&mon->lock);
}

/* ----------------------------------------------------------------------- rescue */

static uint64_t notified_pages(const struct monitored_op *m)
{
	const uint64_t size = cl_mapping_size(m->mapping);
	const uint64_t end = m->notified.end < size ? m->notified.end : size;

	return end > m->notified.start ? page_index_up(end - m->notified.start) : 0;
}

static uint64_t patience_ns(const struct op_monitor *mon, const struct monitored_op *m)
{
	return pace_patience_ns(&mon->pace, notified_pages(m));
}

/** Rescue what this notification may be waiting for. The lock is dropped meanwhile. */
static void rescue(struct op_monitor *mon, struct monitored_op *m)
{
	struct invalidate_gate *gate = &m->mapping->gate;
	const uint64_t patience = patience_ns(mon, m);
	size_t rescued;

	m->in_use = true;
	cl_mutex_unlock(&mon->lock);
	CL_POINT(rescuing);
	if (m->adopting)
		rescued = gate_rescue(gate, m->notified, 0, cl_now_ns());
	else
		rescued = gate_rescue_silent(gate, patience, cl_now_ns());
	cl_mutex_lock(&mon->lock);
	m->in_use = false;
	m->rescued += rescued;
	if (rescued > 0 && !m->adopting && !m->doubted) {
		m->doubted = true;
		pace_doubt(&mon->pace);
	}
	cl_cond_broadcast(&mon->changed);
}

static bool may_need_rescue(const struct op_monitor *mon, const struct monitored_op *m,
			    uint64_t now_ns)
{
	if (!m->closed || !m->notify_started_ns)
		return false;
	/* The upper cache knows the size, and may wait for folios past the end that it
	 * has locked for a READ. */
	if (m->adopting)
		return atomic_load(&m->mapping->size_told);
	return cl_elapsed_ns(m->notify_started_ns, now_ns) >= patience_ns(mon, m);
}

static struct monitored_op *next_to_rescue(struct op_monitor *mon, uint64_t now_ns)
{
	struct monitored_op *m;

	cds_list_for_each_entry(m, &mon->running, link)
		if (m->seen_in_round != mon->round && may_need_rescue(mon, m, now_ns))
			return m;
	return NULL;
}

static void rescue_round(struct op_monitor *mon, uint64_t now_ns)
{
	struct monitored_op *m;

	mon->round++;
	while ((m = next_to_rescue(mon, now_ns))) {
		m->seen_in_round = mon->round;
		rescue(mon, m);
	}
}

/* --------------------------------------------------------------------- watchdog */

static struct cl_event event_of(const struct monitored_op *m, enum cl_event_kind kind,
				struct cl_range range, uint64_t age_ns)
{
	const uint64_t start = page_index_of(range.start);

	return (struct cl_event){
		.kind = kind,
		.store = m->mapping->store,
		.page = start,
		.npages = range.end == CL_RANGE_EOF ? UINT64_MAX
						    : page_index_up(range.end) - start,
		.phase = m->phase,
		.age_ns = age_ns,
	};
}

/** @return the operation of which *ret_event is to be told, or NULL */
static struct monitored_op *next_event(struct op_monitor *mon, uint64_t slow_ns,
				       uint64_t now_ns, struct cl_event *ret_event)
{
	struct monitored_op *m;

	cds_list_for_each_entry(m, &mon->running, link) {
		const uint64_t age_ns = cl_elapsed_ns(m->started_ns, now_ns);
		const uint64_t notified_ns =
			cl_elapsed_ns(m->notify_started_ns, now_ns);

		if (m->notify_started_ns && !m->told_slow_notification &&
		    notified_ns >= slow_ns) {
			m->told_slow_notification = true;
			*ret_event = event_of(m, CL_EVENT_SLOW_NOTIFICATION,
					      m->notified, notified_ns);
			return m;
		}
		if (!m->told_slow_op && age_ns >= slow_ns) {
			m->told_slow_op = true;
			*ret_event =
				event_of(m, CL_EVENT_SLOW_OPERATION, m->range, age_ns);
			return m;
		}
	}
	return NULL;
}

static void watchdog_round(struct cl_cache *cache, uint64_t now_ns)
{
	struct op_monitor *mon = &cache->monitor;
	const unsigned slow_ms =
		cache->config.slow_ms ? cache->config.slow_ms : DEFAULT_SLOW_MS;
	struct monitored_op *m;
	struct cl_event event;

	while ((m = next_event(mon, (uint64_t)slow_ms * 1000000u, now_ns, &event))) {
		/* The operation, and with it its file, stays until that is told. */
		m->in_use = true;
		cl_mutex_unlock(&mon->lock);
		cache_event_send(cache, &event);
		cl_mutex_lock(&mon->lock);
		m->in_use = false;
		cl_cond_broadcast(&mon->changed);
	}
}

/* ------------------------------------------------------------------- the thread */

static bool any_closed(const struct op_monitor *mon)
{
	const struct monitored_op *m;

	cds_list_for_each_entry(m, &mon->running, link)
		if (m->closed)
			return true;
	return false;
}

static void doze(struct op_monitor *mon, uint64_t ns)
{
	cl_cond_wait_until(&mon->changed, &mon->lock, cl_now_ns() + ns);
}

static void *monitor_main(void *arg)
{
	struct cl_cache *cache = arg;
	struct op_monitor *mon = &cache->monitor;

	cl_mutex_lock(&mon->lock);
	while (!mon->stopping) {
		const uint64_t now_ns = cl_now_ns();

		watchdog_round(cache, now_ns);
		if (!CL_BROKEN(rescue))
			rescue_round(mon, now_ns);
		if (any_closed(mon)) {
			doze(mon, pace_step_ns(&mon->pace));
			continue;
		}
		mon->dozing = true;
		if (cds_list_empty(&mon->running))
			cl_cond_wait(&mon->changed, &mon->lock);
		else
			doze(mon, WATCH_NS);
		mon->dozing = false;
	}
	cl_mutex_unlock(&mon->lock);
	return NULL;
}

/* -------------------------------------------------------------- the operations */

static int start_thread(struct cl_cache *cache)
{
	struct op_monitor *mon = &cache->monitor;

	cl_mutex_assert_held(&mon->lock);
	if (!mon->started) {
		const int error = cl_thread_start(&mon->thread, monitor_main, cache);

		if (error)
			return -error;
		mon->started = true;
	}
	return 0;
}

int op_monitor_begin(struct monitored_op *m)
{
	struct op_monitor *mon = &m->mapping->cache->monitor;

	cl_mutex_lock(&mon->lock);
	const int ret = start_thread(m->mapping->cache);

	if (ret == 0) {
		m->phase = "waiting for another operation on the file";
		m->started_ns = cl_now_ns();
		cds_list_add_tail(&m->link, &mon->running);
		while (m->mapping->op_running)
			cl_cond_wait(&mon->changed, &mon->lock);
		m->mapping->op_running = true;
	}
	cl_mutex_unlock(&mon->lock);
	return ret;
}

void op_monitor_phase(struct monitored_op *m, const char *phase, bool closed)
{
	struct op_monitor *mon = &m->mapping->cache->monitor;

	cl_mutex_lock(&mon->lock);
	m->phase = phase;
	if (closed && !m->closed && mon->dozing)
		cl_cond_broadcast(&mon->changed);
	m->closed = closed;
	cl_mutex_unlock(&mon->lock);
}

void op_monitor_notify_begin(struct monitored_op *m, struct cl_range notified,
			     uint64_t started_ns, bool adopting)
{
	struct op_monitor *mon = &m->mapping->cache->monitor;

	cl_rank_assert_not_held(CL_RANK_PAGE);
	if (!adopting)
		gate_notice_begin(&m->mapping->gate, notified, started_ns);
	cl_mutex_lock(&mon->lock);
	m->notified = notified;
	m->doubted = false;
	m->adopting = adopting;
	m->told_slow_notification = false;
	m->notify_started_ns = started_ns;
	cl_mutex_unlock(&mon->lock);
}

void op_monitor_notify_end(struct monitored_op *m)
{
	struct op_monitor *mon = &m->mapping->cache->monitor;
	const uint64_t silent_ns = m->adopting ? 0 : gate_notice_end(&m->mapping->gate);

	cl_mutex_lock(&mon->lock);
	m->notify_started_ns = 0;
	if (silent_ns > 0)
		pace_measured(&mon->pace, silent_ns);
	while (m->in_use)
		cl_cond_wait(&mon->changed, &mon->lock);
	cl_mutex_unlock(&mon->lock);
}

void op_monitor_end(struct monitored_op *m)
{
	struct op_monitor *mon = &m->mapping->cache->monitor;

	cl_mutex_lock(&mon->lock);
	while (m->in_use)
		cl_cond_wait(&mon->changed, &mon->lock);
	cds_list_del(&m->link);
	m->mapping->op_running = false;
	cl_cond_broadcast(&mon->changed);
	cl_mutex_unlock(&mon->lock);
}

/* ------------------------------------------------------------------ for the owner */

uint64_t cl_cache_step_ns(struct cl_cache *cache)
{
	struct op_monitor *mon = &cache->monitor;

	cl_mutex_lock(&mon->lock);
	const uint64_t ns = pace_step_ns(&mon->pace);

	cl_mutex_unlock(&mon->lock);
	return ns;
}

static struct cl_running_op describe(const struct monitored_op *m, uint64_t now_ns)
{
	return (struct cl_running_op){
		.store = m->mapping->store,
		.kind = m->op->kind,
		.range = m->range,
		.phase = m->phase,
		.running_ns = cl_elapsed_ns(m->started_ns, now_ns),
		.notifying = m->notify_started_ns != 0,
		.notified = m->notified,
		.notifying_ns = m->notify_started_ns
					? cl_elapsed_ns(m->notify_started_ns, now_ns)
					: 0,
	};
}

size_t cl_cache_running_ops(struct cl_cache *cache, struct cl_running_op *ret_ops,
			    size_t capacity)
{
	struct op_monitor *mon = &cache->monitor;
	const struct monitored_op *m;
	size_t n = 0;

	cl_mutex_lock(&mon->lock);
	const uint64_t now_ns = cl_now_ns();

	cds_list_for_each_entry(m, &mon->running, link) {
		if (n < capacity)
			ret_ops[n] = describe(m, now_ns);
		n++;
	}
	cl_mutex_unlock(&mon->lock);
	return n;
}
