/* SPDX-License-Identifier: MIT */
/*
 * The scheduler. Whoever runs holds the token; all that is below is touched by its
 * holder alone, and the semaphores that hand it over order those accesses.
 */

#include "scheduler.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "test_point.h"

/* So often in a row may time pass without anybody but helpers doing something; a
 * notification is rescued by all means after 100 looks of the monitor's. */
#define IDLE_MAX 400

/* A helper that sleeps for longer is not waited for by anybody. */
#define NAP_MAX_NS ((uint64_t)50 * 1000 * 1000)

struct task {
	const char *name;
	const char *position;
	bool used, ended, is_helper;
	void (*run)(void *arg);
	void *arg;
	void *(*helper_run)(void *arg);
	/* What it waits for; NULL: it can run. */
	bool (*ready)(const void *arg);
	const void *ready_arg;
	uint64_t deadline_ns;
	/* For ever. */
	pthread_t thread;
	bool has_thread;
	sem_t token;
};

static struct {
	const struct sched_observer *observer;
	struct task tasks[SCHED_TASKS];
	unsigned ntasks;
	unsigned running;
	unsigned nhelpers;
	unsigned unfinished; /* tasks that are no helpers */
	unsigned idle;
	uint64_t now_ns;
	sem_t done; /* all of those have ended */
} s;

static _Thread_local unsigned self;

static struct task *task_of(unsigned number)
{
	return &s.tasks[number];
}

/* ----------------------------------------------------------------- who runs next */

static bool can_run(const struct task *t)
{
	return t->used && !t->ended &&
	       (!t->ready || t->deadline_ns <= s.now_ns || t->ready(t->ready_arg));
}

static void add(struct sched_option *options, unsigned *n, unsigned task,
		bool is_preemption)
{
	options[(*n)++] = (struct sched_option){task, is_preemption};
}

/** Everybody who is no helper and can run: the one that runs first. */
static unsigned find_tasks(struct sched_option *options)
{
	const bool goes_on =
		!task_of(s.running)->is_helper && can_run(task_of(s.running));
	unsigned n = 0;

	if (goes_on)
		add(options, &n, s.running, false);
	for (unsigned i = 0; i < s.ntasks; i++)
		if ((i != s.running || !goes_on) && !task_of(i)->is_helper &&
		    can_run(task_of(i)))
			add(options, &n, i, goes_on);
	return n;
}

/** The one at the end comes before those that sleep for longer. */
static void sort_in(struct sched_option *options, unsigned first, unsigned n)
{
	const struct sched_option last = options[n - 1];
	unsigned i = n - 1;

	for (; i > first && task_of(options[i - 1].task)->deadline_ns >
				    task_of(last.task)->deadline_ns;
	     i--)
		options[i] = options[i - 1];
	options[i] = last;
}

/** Helpers: they run when nobody else can. Those that sleep, at last. */
static unsigned add_helpers(struct sched_option *options, unsigned n, bool asleep)
{
	const unsigned first = n;
	const bool interrupts = n > 0;

	for (unsigned i = 0; i < s.ntasks; i++) {
		const struct task *t = task_of(i);

		if (!t->is_helper || !t->used || t->ended || can_run(t) == asleep)
			continue;
		if (asleep && (t->deadline_ns == UINT64_MAX ||
			       (interrupts && t->deadline_ns - s.now_ns > NAP_MAX_NS)))
			continue;
		add(options, &n, i, interrupts);
		if (asleep)
			sort_in(options, first, n);
	}
	return n;
}

static unsigned pick(void)
{
	struct sched_option options[SCHED_TASKS];
	unsigned n = find_tasks(options);
	unsigned next;

	n = add_helpers(options, n, false);
	n = add_helpers(options, n, true);
	if (n == 0 || s.idle > IDLE_MAX)
		s.observer->deadlock(s.observer->arg);
	next = options[s.observer->choose(s.observer->arg, options, n)].task;
	s.idle = task_of(next)->is_helper ? s.idle + 1 : 0;
	if (!can_run(task_of(next)))
		s.now_ns = task_of(next)->deadline_ns;
	return next;
}

/** Let the next one run; a task that has not ended returns when it is its turn. */
static void reschedule(void)
{
	const unsigned me = self;
	/* Looked at while we have the token: later the slot may be another task's. */
	const bool ended = task_of(me)->ended;
	unsigned next;

	s.now_ns++;
	if (s.unfinished == 0) {
		/* Helpers stand still until the next sched_run(). */
		sem_post(&s.done);
		next = SCHED_TASKS;
	} else {
		next = pick();
	}
	if (next != me) {
		if (next < SCHED_TASKS) {
			s.running = next;
			sem_post(&task_of(next)->token);
		}
		if (ended)
			return;
		while (sem_wait(&task_of(me)->token) < 0)
			;
	}
	task_of(me)->ready = NULL;
	task_of(me)->deadline_ns = UINT64_MAX;
}

static void arrive(const char *where, bool waits)
{
	task_of(self)->position = where;
	s.observer->arrived(s.observer->arg, self, where, waits);
}

void sched_point(const char *name)
{
	arrive(name, false);
	reschedule();
}

static void wait_until(const char *what, bool (*ready)(const void *arg),
		       const void *arg, uint64_t deadline_ns)
{
	struct task *t = task_of(self);

	if (ready(arg) || deadline_ns <= s.now_ns)
		return;
	t->ready = ready;
	t->ready_arg = arg;
	t->deadline_ns = deadline_ns;
	arrive(what, true);
	reschedule();
}

void sched_wait(const char *what, bool (*ready)(const void *arg), const void *arg)
{
	while (!ready(arg))
		wait_until(what, ready, arg, UINT64_MAX);
}

void sched_wait_for(const char *what, bool (*ready)(const void *arg), const void *arg,
		    uint64_t ns)
{
	wait_until(what, ready, arg, s.now_ns + ns);
}

/* ------------------------------------------------------------------------- tasks */

static void *thread_main(void *arg)
{
	struct task *t = arg;

	self = (unsigned)(t - s.tasks);
	for (;;) {
		while (sem_wait(&t->token) < 0)
			;
		if (!t->run && !t->helper_run)
			return NULL;
		t->ready = NULL;
		if (t->helper_run)
			t->helper_run(t->arg);
		else
			t->run(t->arg);
		t->ended = true;
		s.unfinished -= !t->is_helper;
		arrive("end", false);
		reschedule();
	}
}

static struct task *new_task(const char *name, void *arg)
{
	struct task *t = task_of(s.ntasks);

	if (s.ntasks == SCHED_TASKS) {
		fprintf(stderr, "scheduler: more than %u tasks\n", SCHED_TASKS);
		abort();
	}
	t->name = name;
	t->position = "start";
	t->used = true;
	t->ended = false;
	t->is_helper = false;
	t->run = NULL;
	t->helper_run = NULL;
	t->arg = arg;
	t->ready = NULL;
	t->deadline_ns = UINT64_MAX;
	if (!t->has_thread) {
		sem_init(&t->token, 0, 0);
		if (pthread_create(&t->thread, NULL, thread_main, t))
			abort();
		t->has_thread = true;
	}
	s.ntasks++;
	return t;
}

unsigned sched_spawn(const char *name, void (*run)(void *arg), void *arg)
{
	struct task *t = new_task(name, arg);

	t->run = run;
	s.unfinished++;
	return (unsigned)(t - s.tasks);
}

void sched_run(void)
{
	if (s.unfinished == 0)
		return;
	s.running = pick();
	sem_post(&task_of(s.running)->token);
	while (sem_wait(&s.done) < 0)
		;
}

/* ------------------------------------------------------------ as the library's */

static int start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	static const char *const names[] = {"helper1", "helper2", "helper3", "helper4"};
	struct task *t = new_task(names[s.nhelpers++ % 4], arg);

	t->helper_run = run;
	t->is_helper = true;
	*thread = t->thread;
	return 0;
}

static bool has_ended(const void *task)
{
	return ((const struct task *)task)->ended;
}

static void join(pthread_t thread)
{
	for (unsigned i = 0; i < s.ntasks; i++)
		if (pthread_equal(task_of(i)->thread, thread))
			sched_wait("the end of a thread", has_ended, task_of(i));
}

static uint64_t now_ns(void)
{
	return s.now_ns;
}

static const struct cl_test_scheduler hooks = {
	.point = sched_point,
	.wait = wait_until,
	.now_ns = now_ns,
	.start = start,
	.join = join,
};

void sched_begin(const struct sched_observer *observer)
{
	static bool has_begun;
	cpu_set_t one;

	if (!has_begun) {
		/* Only one thread runs at a time: handing over is cheaper on one CPU.
		 */
		has_begun = true;
		CPU_ZERO(&one);
		CPU_SET((size_t)sched_getcpu(), &one);
		(void)sched_setaffinity(0, sizeof(one), &one);
		sem_init(&s.done, 0, 0);
	}
	s.observer = observer;
	s.ntasks = s.nhelpers = s.unfinished = s.idle = s.running = 0;
	s.now_ns = 1000000000;
	cl_test_schedule(&hooks);
}

void sched_end(void)
{
	cl_test_schedule(NULL);
	for (unsigned i = 0; i < s.ntasks; i++) {
		if (!task_of(i)->ended) {
			fprintf(stderr, "scheduler: %s has not ended, it is at %s\n",
				task_of(i)->name, task_of(i)->position);
			abort();
		}
		task_of(i)->used = false;
	}
}

unsigned sched_self(void)
{
	return self;
}

uint64_t sched_moment(void)
{
	return s.now_ns;
}

const char *sched_name(unsigned task)
{
	return task_of(task)->name;
}

const char *sched_position(unsigned task)
{
	return task_of(task)->position;
}

unsigned sched_count(void)
{
	return s.ntasks;
}

bool sched_ended(unsigned task)
{
	return task_of(task)->ended;
}
