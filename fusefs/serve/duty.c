/* SPDX-License-Identifier: MIT */
/*
 * Duty: who looks for requests.
 *
 * A thread is on duty while it looks for requests or serves one. As a rule one thread
 * is, and stays so from request to request: nobody is woken, and its memory is warm. It
 * is replaced when serving takes long:
 *
 *   - it says that it will wait (serving_will_wait()), or
 *   - the deputy, the first of those in reserve, finds that it is still at the same
 *     request as a tick ago, and relieves it.
 *
 * A thread that was relieved goes to the reserve when it has finished, unless nobody is
 * on duty then. If requests come faster than those on duty can serve them (in a whole
 * tick nobody has found the queue empty), the deputy joins; who finds it empty although
 * others are on duty, leaves. So there are as many as the load needs, up to
 * threads_max, and never two that look at an empty queue.
 *
 * Who has been at one request for HELD_UP_NS waits for the store, and needs no
 * processor: he does not count any more, and there may be another thread instead. There
 * is always one in reserve, as long as one can be had, since it is the deputy's look
 * around that finds out.
 *
 * The deputy's ticks stop with the requests. A sleeper that wakes up starts them again,
 * which costs another wake-up, so they go on for a bit.
 *
 * server.state, of each thread on duty, counts: odd while it serves. The RELIEVED bit
 * is set with the lock held, by the deputy or by itself, while it is odd, and the
 * thread goes off duty in the same breath; so nobody is relieved twice, and since it
 * finishes by a compare and exchange, relieving and finishing cannot both happen.
 */

#include <assert.h>

#include "serving_internal.h"

#define TICK_NS	      250000
/* The deputy's ticks when nothing has happened in the last one, and how many of those
 * there are until it sleeps. */
#define QUIET_TICK_NS 1000000
#define QUIET_TICKS   50
/* A thread that was needed while others were held up stays for so long. */
#define SPARE_S	      10

static _Thread_local struct server *current;

static bool is_serving(uint64_t state)
{
	return state & 1;
}

/* Required: lock. */
static void go_on_duty(struct server *me)
{
	assert(!me->on_duty);
	me->on_duty = true;
	atomic_fetch_add(&me->serving->on_duty, 1);
}

/* Required: lock. */
static void go_off_duty(struct server *server)
{
	assert(server->on_duty);
	server->on_duty = false;
	atomic_fetch_sub(&server->serving->on_duty, 1);
}

/* Whether there are fewer at work than may be. Required: lock. */
static bool has_room(const struct serving *serving)
{
	const struct server *server;
	unsigned active = 0;

	cds_list_for_each_entry(server, &serving->servers, node)
		active += server->on_duty ||
			  (is_serving(atomic_load(&server->state)) && !server->held_up);
	return active < serving->config.threads_max;
}

static bool is_wanted(const struct serving *serving)
{
	return atomic_load(&serving->on_duty) == 0 && has_room(serving);
}

/* Have somebody from the reserve take over, if there is nobody on duty. If there is
 * nobody in the reserve either, the first who finishes does. Required: lock. */
static void call_if_nobody(struct serving *serving)
{
	struct server *first;

	if (serving_has_ended(serving) || !is_wanted(serving))
		return;
	/* The list is never left empty-handed: without a thread for it now, the first
	 * one to finish is on duty again. */
	if (cds_list_empty(&serving->reserve)) {
		if (serving->threads < serving->config.threads_bound)
			(void)serving_add_server(serving);
		return;
	}
	first = cds_list_first_entry(&serving->reserve, struct server, idle_node);
	pthread_cond_signal(&first->called);
}

/* Who serves for a whole tick is relieved; who has for long is held up. Required: lock.
 * @return whether anything has happened since the last tick */
static bool look_at(struct server *server, uint64_t now)
{
	uint64_t state = atomic_load(&server->state);
	const bool same = (state & ~SERVER_RELIEVED) == server->state_seen;
	bool busy;

	if (!same) {
		server->state_seen = state & ~SERVER_RELIEVED;
		server->seen_ns = now;
	}
	busy = server->on_duty && (is_serving(state) || !same);
	if (server->on_duty && is_serving(state) && !(state & SERVER_RELIEVED) &&
	    same) {
		if (!atomic_compare_exchange_strong(&server->state, &state,
						    state | SERVER_RELIEVED))
			return busy; /* it has just finished */
		go_off_duty(server);
	}
	/* It is relieved by now, so that it says under the lock when it is not held up any
	 * more. */
	if (is_serving(state) && same && !server->held_up &&
	    now - server->seen_ns >= HELD_UP_NS) {
		server->held_up = true;
		server->serving->held_up++;
		admission_update(server->serving);
	}
	return busy;
}

/* The deputy's look around. Required: lock.
 * @return whether it goes on duty */
static bool tick(struct serving *serving)
{
	const uint64_t now = serving_now_ns();
	struct server *server;
	bool busy = false, all_full;

	serving->unsettled = false;
	cds_list_for_each_entry(server, &serving->servers, node) {
		busy |= look_at(server, now);
		serving->unsettled |=
			is_serving(server->state_seen) && !server->held_up;
	}
	all_full = !atomic_exchange(&serving->found_none, false);
	serving->quiet_ticks = busy ? 0 : serving->quiet_ticks + 1;
	return (atomic_load(&serving->on_duty) == 0 || (busy && all_full)) &&
	       has_room(serving);
}

/* Until the next tick, or called. Required: lock, which is given up meanwhile. */
static void wait_as_deputy(struct server *me)
{
	struct serving *serving = me->serving;
	struct timespec until;

	if (serving->quiet_ticks > QUIET_TICKS && serving->queued == 0 &&
	    !serving->unsettled) {
		atomic_store(&serving->deputy_asleep, true);
		/* Who wakes up after this looks whether we sleep; see duty_slept().
		 */
		if (atomic_load(&serving->asleep))
			pthread_cond_wait(&me->called, &serving->lock);
		atomic_store(&serving->deputy_asleep, false);
		serving->quiet_ticks = 0;
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += serving->quiet_ticks > 0 ? QUIET_TICK_NS : TICK_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&me->called, &serving->lock, &until);
}

/* Have the first of the reserve become the deputy; a new thread, if nobody is there.
 * Required: lock. */
static void need_deputy(struct serving *serving)
{
	struct server *first;

	if (!cds_list_empty(&serving->reserve)) {
		first = cds_list_first_entry(&serving->reserve, struct server,
					     idle_node);
		pthread_cond_signal(&first->called);
	} else if (!serving_has_ended(serving) &&
		   serving->threads < serving->config.threads_bound) {
		(void)serving_add_server(serving);
	}
}

/* Until called; false if nobody does for long, and there are threads to spare.
 * Required: lock, which is given up meanwhile. */
static bool wait_to_be_called(struct server *me)
{
	struct serving *serving = me->serving;
	struct timespec until;

	if (me->is_main || serving->threads <= serving->config.threads_max + 1) {
		pthread_cond_wait(&me->called, &serving->lock);
		return true;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SPARE_S;
	return pthread_cond_timedwait(&me->called, &serving->lock, &until) == 0 ||
	       serving->deputy == me || !serving->deputy ||
	       serving->threads <= serving->config.threads_max + 1;
}

/* Required: lock, which is given up meanwhile; in the reserve. */
static enum duty wait_in_reserve(struct server *me)
{
	struct serving *serving = me->serving;
	bool wanted = is_wanted(serving);

	while (!wanted && !serving_has_ended(serving)) {
		if (!serving->deputy)
			serving->deputy = me;
		if (serving->deputy == me) {
			wait_as_deputy(me);
			if (serving_has_ended(serving))
				break;
			wanted = tick(serving);
			if (!wanted && has_room(serving) &&
			    admission_has_ready(serving, serving_now_ns()))
				return DUTY_QUEUE;
		} else if (wait_to_be_called(me)) {
			wanted = is_wanted(serving);
		} else {
			return serving_has_ended(serving) ? DUTY_ENDED : DUTY_LEAVE;
		}
	}
	return serving_has_ended(serving) ? DUTY_ENDED : DUTY_LOOK;
}

enum duty duty_wait(struct server *me)
{
	struct serving *serving = me->serving;
	enum duty duty;

	cds_list_add(&me->idle_node, &serving->reserve);
	duty = wait_in_reserve(me);
	cds_list_del(&me->idle_node);
	if (serving->deputy == me)
		serving->deputy = NULL;
	if (!serving->deputy)
		need_deputy(serving);
	if (duty == DUTY_LOOK)
		go_on_duty(me);
	return duty;
}

void serving_will_wait(void)
{
	struct server *me = current;
	uint64_t state;

	if (!me)
		return;
	pthread_mutex_lock(&me->serving->lock);
	state = atomic_load(&me->state);
	assert(is_serving(state));
	if (!(state & SERVER_RELIEVED)) {
		atomic_store(&me->state, state | SERVER_RELIEVED);
		go_off_duty(me);
		call_if_nobody(me->serving);
	}
	pthread_mutex_unlock(&me->serving->lock);
}

void serving_expect_long(void)
{
	struct server *me = current;

	if (me)
		me->expects_long =
			me->serving->config.pipe_bytes > 0 && !me->has_no_pipe;
}

/* ------------------------------------------------------------- around a request */

void duty_set_current(struct server *me)
{
	current = me;
}

struct server *duty_current(void)
{
	return current;
}

uint64_t duty_begin(struct server *me)
{
	const uint64_t state =
		atomic_load_explicit(&me->state, memory_order_relaxed) + 1;

	atomic_store(&me->state, state);
	return state;
}

uint64_t duty_begin_off(struct server *me)
{
	const uint64_t state = atomic_load(&me->state) + 1;

	assert(!me->on_duty);
	atomic_store(&me->state, state | SERVER_RELIEVED);
	return state;
}

bool duty_finish(struct server *me, uint64_t state)
{
	bool stays;

	if (atomic_compare_exchange_strong(&me->state, &state, state + 1))
		return true;
	pthread_mutex_lock(&me->serving->lock);
	atomic_store(&me->state, (state & ~SERVER_RELIEVED) + 1);
	if (me->held_up) {
		me->held_up = false;
		me->serving->held_up--;
		admission_update(me->serving);
	}
	stays = is_wanted(me->serving);
	if (stays)
		go_on_duty(me);
	pthread_mutex_unlock(&me->serving->lock);
	return stays;
}

void duty_slept(struct serving *serving)
{
	atomic_store(&serving->asleep, false);
	/* Whoever slept has found none, in the tick that begins now, too. */
	atomic_store_explicit(&serving->found_none, true, memory_order_relaxed);
	if (!atomic_load(&serving->deputy_asleep))
		return;
	pthread_mutex_lock(&serving->lock);
	if (serving->deputy)
		pthread_cond_signal(&serving->deputy->called);
	pthread_mutex_unlock(&serving->lock);
}

bool duty_pass_on(struct server *me)
{
	struct serving *serving = me->serving;
	const struct timespec moment = {.tv_nsec = 1000000};

	if (atomic_load(&serving->buffers) == 0)
		return false;
	pthread_mutex_lock(&serving->lock);
	go_off_duty(me);
	call_if_nobody(serving);
	pthread_mutex_unlock(&serving->lock);
	nanosleep(&moment, NULL);
	return true;
}

bool duty_leave_to_others(struct server *me)
{
	struct serving *serving = me->serving;
	bool leave;

	if (atomic_load_explicit(&serving->on_duty, memory_order_relaxed) == 1)
		return false;
	pthread_mutex_lock(&serving->lock);
	leave = atomic_load(&serving->on_duty) > 1;
	if (leave)
		go_off_duty(me);
	pthread_mutex_unlock(&serving->lock);
	return leave;
}
