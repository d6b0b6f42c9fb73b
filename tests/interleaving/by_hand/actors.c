/* SPDX-License-Identifier: MIT */
/* Actors: one baton, which the test hands out and gets back. */

#include "actors.h"

#include <check.h>
#include <string.h>

#include "test_point.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t clock_ns; /* guarded by mutex */
static _Thread_local struct actor *self;

/** The mutex is held: give the baton back, and wait for it. */
static void rest(enum actor_state state)
{
	self->state = state;
	pthread_cond_broadcast(&changed);
	while (self->state != ACTOR_MOVES)
		pthread_cond_wait(&changed, &mutex);
}

static void point(const char *name)
{
	if (!self)
		return;
	pthread_mutex_lock(&mutex);
	if (self->halt_at && strcmp(self->halt_at, name) == 0) {
		self->halt_at = NULL;
		rest(ACTOR_HALTED);
	}
	pthread_mutex_unlock(&mutex);
}

static bool may_go_on(const struct actor *actor)
{
	return actor->ready(actor->ready_arg) || clock_ns >= actor->deadline_ns;
}

static void wait_here(const char *what, bool (*ready)(const void *arg), const void *arg,
		      uint64_t deadline_ns)
{
	(void)what;
	pthread_mutex_lock(&mutex);
	ck_assert_ptr_nonnull(self);
	self->ready = ready;
	self->ready_arg = arg;
	self->deadline_ns = deadline_ns;
	rest(ACTOR_ASLEEP);
	pthread_mutex_unlock(&mutex);
}

static uint64_t now_ns(void)
{
	pthread_mutex_lock(&mutex);
	const uint64_t now = clock_ns;

	pthread_mutex_unlock(&mutex);
	return now;
}

static int start_thread(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	return pthread_create(thread, NULL, run, arg);
}

static void join_thread(pthread_t thread)
{
	pthread_join(thread, NULL);
}

static const struct cl_test_scheduler scheduler = {
	.point = point,
	.wait = wait_here,
	.now_ns = now_ns,
	.start = start_thread,
	.join = join_thread,
};

void actors_begin(void)
{
	clock_ns = 0;
	cl_test_schedule(&scheduler);
}

void actors_end(void)
{
	cl_test_schedule(NULL);
}

void actors_clock(uint64_t ns)
{
	pthread_mutex_lock(&mutex);
	clock_ns = ns;
	pthread_mutex_unlock(&mutex);
}

static void *actor_main(void *arg)
{
	self = arg;
	pthread_mutex_lock(&mutex);
	rest(ACTOR_IDLE);
	while (self->call) {
		pthread_mutex_unlock(&mutex);
		self->result = self->call(self->arg);
		pthread_mutex_lock(&mutex);
		rest(ACTOR_IDLE);
	}
	self->state = ACTOR_GONE;
	pthread_mutex_unlock(&mutex);
	return NULL;
}

/** The mutex is held: hand out the baton, and wait for it. */
static enum actor_state move(struct actor *actor)
{
	actor->state = ACTOR_MOVES;
	pthread_cond_broadcast(&changed);
	while (actor->state == ACTOR_MOVES)
		pthread_cond_wait(&changed, &mutex);
	return actor->state;
}

void actor_start(struct actor *actor)
{
	*actor = (struct actor){.state = ACTOR_MOVES};
	ck_assert_int_eq(pthread_create(&actor->thread, NULL, actor_main, actor), 0);
	pthread_mutex_lock(&mutex);
	while (actor->state != ACTOR_IDLE)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

void actor_end(struct actor *actor)
{
	pthread_mutex_lock(&mutex);
	ck_assert_int_eq(actor->state, ACTOR_IDLE);
	actor->call = NULL;
	actor->state = ACTOR_MOVES;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	pthread_join(actor->thread, NULL);
}

enum actor_state actor_call(struct actor *actor, int (*call)(void *arg), void *arg)
{
	pthread_mutex_lock(&mutex);
	ck_assert_int_eq(actor->state, ACTOR_IDLE);
	actor->call = call;
	actor->arg = arg;

	const enum actor_state state = move(actor);

	pthread_mutex_unlock(&mutex);
	return state;
}

void actor_call_until(struct actor *actor, int (*call)(void *arg), void *arg,
		      const char *name)
{
	actor->halt_at = name;
	ck_assert_int_eq(actor_call(actor, call, arg), ACTOR_HALTED);
}

enum actor_state actor_go_on(struct actor *actor)
{
	pthread_mutex_lock(&mutex);
	if (actor->state == ACTOR_ASLEEP)
		ck_assert_msg(may_go_on(actor), "it sleeps, and nobody has woken it");
	else
		ck_assert_int_eq(actor->state, ACTOR_HALTED);

	const enum actor_state state = move(actor);

	pthread_mutex_unlock(&mutex);
	return state;
}

void actor_go_on_until(struct actor *actor, const char *name)
{
	actor->halt_at = name;
	ck_assert_int_eq(actor_go_on(actor), ACTOR_HALTED);
}

bool actor_sleeps(struct actor *actor)
{
	pthread_mutex_lock(&mutex);
	const bool sleeps = actor->state == ACTOR_ASLEEP && !may_go_on(actor);

	pthread_mutex_unlock(&mutex);
	return sleeps;
}
