/* SPDX-License-Identifier: MIT */
/*
 * Serving: who looks for requests, and when.
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
 * Looking before sleeping. A sleeping thread has to be woken by the kernel, which takes
 * longer than serving a cached page: *measured* 28 µs for a first touch against 13. So
 * who finds the queue empty looks again for a while. The while follows what happens: it
 * grows after a sleep that was over soon, is nothing after a long one (after the
 * kernel's halt polling, virt/kvm/kvm_main.c, grow_halt_poll_ns()); so an idle mount
 * uses no time at all. And nobody looks while more threads want to run than there are
 * processors: it would be the time of the program that is served (runnable.h).
 *
 * The deputy's ticks stop with the requests. A sleeper that wakes up starts them again,
 * which costs another wake-up, so they go on for a bit.
 *
 * server.state, of each thread on duty, counts: odd while it serves. The RELIEVED bit
 * is set with the lock held, by the deputy or by itself, while it is odd, and the
 * thread goes off duty in the same breath; so nobody is relieved twice, and since it
 * finishes by a compare and exchange, relieving and finishing cannot both happen.
 */

#include "serving.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <urcu/list.h>

#include "runnable.h"

#define TICK_NS	      250000
/* The deputy's ticks when nothing has happened in the last one, and how many of those
 * there are until it sleeps. */
#define QUIET_TICK_NS 1000000
#define QUIET_TICKS   50
/* The first step of looking before sleeping. */
#define SPIN_NS_MIN   5000

/* poll(2) that need not sleep. */
#define AT_ONCE_NS 2000

#define RELIEVED (UINT64_C(1) << 63)

struct server {
	struct serving *serving;
	_Atomic uint64_t state;
	pthread_cond_t called;

	/* Guarded by the lock. */
	pthread_t thread;
	struct cds_list_head node;	/* of all */
	struct cds_list_head idle_node; /* of the reserve, while in it */
	bool on_duty;
	uint64_t state_seen; /* by the deputy's last tick */

	/* Its own. */
	struct fuse_buf buf;
	uint64_t spin_ns;
	bool expects_none; /* the queue was empty when this was last looked at */
};

struct serving {
	/* Set once. */
	struct fuse_session *session;
	unsigned threads_max, spin_ns_max;
	int stop_fd; /* an eventfd: wakes the one who sleeps */
	struct runnable *runnable;

	/* Atomic. */
	_Atomic bool ended;
	_Atomic unsigned on_duty; /* how many; changed under the lock */
	_Atomic bool
		found_none;  /* somebody found the queue empty since the last tick */
	_Atomic bool asleep; /* the one on duty has gone to sleep */
	_Atomic bool deputy_asleep; /* no ticks */

	pthread_mutex_t lock;
	/* Guarded by it. */
	struct cds_list_head servers, reserve; /* the reserve: last in, first out */
	struct server *deputy;
	unsigned quiet_ticks;
	unsigned threads;
};

/* The calling thread, if it is one of ours. */
static _Thread_local struct server *current;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool is_serving(uint64_t state)
{
	return state & 1;
}

static bool has_ended(const struct serving *serving)
{
	return atomic_load_explicit(&serving->ended, memory_order_acquire);
}

/* ---------------------------------------------------------- duty and the reserve */

static int add_server(struct serving *serving);

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

/* Have somebody from the reserve take over, if there is nobody on duty. If there is
 * nobody in the reserve either, the first who finishes does. Required: lock. */
static void call_if_nobody(struct serving *serving)
{
	struct server *first;

	if (atomic_load(&serving->on_duty) > 0 || has_ended(serving))
		return;
	/* The list is never left empty-handed: without a thread for it now, the first
	 * one to finish is on duty again. */
	if (cds_list_empty(&serving->reserve)) {
		if (serving->threads < serving->threads_max)
			(void)add_server(serving);
		return;
	}
	first = cds_list_first_entry(&serving->reserve, struct server, idle_node);
	pthread_cond_signal(&first->called);
}

/* Who serves for a whole tick is relieved. Required: lock.
 * @return whether anything has happened since the last tick */
static bool relieve_the_slow(struct serving *serving)
{
	struct server *server;
	bool busy = false;
	uint64_t state;

	cds_list_for_each_entry(server, &serving->servers, node) {
		if (!server->on_duty)
			continue;
		state = atomic_load(&server->state);
		if (is_serving(state) && !(state & RELIEVED) &&
		    state == server->state_seen &&
		    atomic_compare_exchange_strong(&server->state, &state,
						   state | RELIEVED))
			go_off_duty(server);
		busy |= is_serving(state) || state != server->state_seen;
		server->state_seen = state;
	}
	return busy;
}

/* The deputy's look around. Required: lock.
 * @return whether it goes on duty */
static bool tick(struct serving *serving)
{
	const bool busy = relieve_the_slow(serving);
	const bool all_full = !atomic_exchange(&serving->found_none, false);

	serving->quiet_ticks = busy ? 0 : serving->quiet_ticks + 1;
	return atomic_load(&serving->on_duty) == 0 || (busy && all_full);
}

/* Until the next tick, or called. Required: lock, which is given up meanwhile. */
static void wait_as_deputy(struct server *me)
{
	struct serving *serving = me->serving;
	struct timespec until;

	if (serving->quiet_ticks > QUIET_TICKS) {
		atomic_store(&serving->deputy_asleep, true);
		/* Who wakes up after this looks whether we sleep; see sleep_for_one().
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
	} else if (!has_ended(serving) && serving->threads < serving->threads_max) {
		(void)add_server(serving);
	}
}

/* In the reserve until there is duty. Required: lock.
 * @return false when all has ended */
static bool wait_for_duty(struct server *me)
{
	struct serving *serving = me->serving;
	bool wanted = atomic_load(&serving->on_duty) == 0;

	cds_list_add(&me->idle_node, &serving->reserve);
	while (!wanted && !has_ended(serving)) {
		if (!serving->deputy)
			serving->deputy = me;
		if (serving->deputy == me) {
			wait_as_deputy(me);
			wanted = !has_ended(serving) && tick(serving);
		} else {
			pthread_cond_wait(&me->called, &serving->lock);
			wanted = atomic_load(&serving->on_duty) == 0;
		}
	}
	cds_list_del(&me->idle_node);
	if (serving->deputy == me)
		serving->deputy = NULL;
	if (!serving->deputy)
		need_deputy(serving);
	if (has_ended(serving))
		return false;
	go_on_duty(me);
	return true;
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
	if (!(state & RELIEVED)) {
		atomic_store(&me->state, state | RELIEVED);
		go_off_duty(me);
		call_if_nobody(me->serving);
	}
	pthread_mutex_unlock(&me->serving->lock);
}

/* ------------------------------------------------------------------- one request */

static void end(struct serving *serving)
{
	const uint64_t one = 1;
	struct server *server;

	pthread_mutex_lock(&serving->lock);
	atomic_store(&serving->ended, true);
	cds_list_for_each_entry(server, &serving->servers, node)
		pthread_cond_signal(&server->called);
	pthread_mutex_unlock(&serving->lock);
	/* Cannot fail before 2^64 of them. */
	(void)!write(serving->stop_fd, &one, sizeof(one));
}

/* Take a request if there is one.
 * @return its bytes; 0 if all has ended; -EAGAIN */
static int try_receive(struct server *me)
{
	struct serving *serving = me->serving;
	int n;

	if (has_ended(serving))
		return 0;
	n = fuse_session_receive_buf(serving->session, &me->buf);
	if (n == -EINTR || n == -EAGAIN)
		return -EAGAIN;
	if (n <= 0)
		end(serving);
	return n > 0 ? n : 0;
}

/* Sleep until there may be a request. How long to look for the next one before sleeping
 * depends on how long this was. */
static void sleep_for_one(struct server *me)
{
	struct serving *serving = me->serving;
	struct pollfd fds[] = {
		{.fd = fuse_session_fd(serving->session), .events = POLLIN},
		{.fd = serving->stop_fd, .events = POLLIN},
	};
	const uint64_t before = now_ns();
	uint64_t slept_ns;

	atomic_store(&serving->asleep, true);
	(void)poll(fds, 2, -1);
	atomic_store(&serving->asleep, false);
	/* So has this one, in the tick that begins now. */
	atomic_store_explicit(&serving->found_none, true, memory_order_relaxed);
	if (atomic_load(&serving->deputy_asleep)) {
		pthread_mutex_lock(&serving->lock);
		if (serving->deputy)
			pthread_cond_signal(&serving->deputy->called);
		pthread_mutex_unlock(&serving->lock);
	}
	slept_ns = now_ns() - before;
	me->expects_none = slept_ns > AT_ONCE_NS;
	if (slept_ns > 2 * (uint64_t)serving->spin_ns_max)
		me->spin_ns = 0;
	else if (me->spin_ns == 0)
		me->spin_ns = SPIN_NS_MIN;
	else
		me->spin_ns *= 2;
	if (me->spin_ns > serving->spin_ns_max)
		me->spin_ns = serving->spin_ns_max;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/* Look for a request for as long as it seems worth it. @return as try_receive() */
static int look(struct server *me)
{
	uint64_t until;
	int n;

	if (me->spin_ns == 0 || runnable_too_many(me->serving->runnable))
		return -EAGAIN;
	until = now_ns() + me->spin_ns;
	do {
		for (int i = 0; i < 4; i++)
			cpu_relax();
		n = try_receive(me);
	} while (n == -EAGAIN && now_ns() < until);
	if (n != -EAGAIN)
		me->expects_none = false;
	return n;
}

/* @return whether to leave, because others are on duty and there is nothing to do */
static bool leave_to_others(struct server *me)
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

/* The next request. @return its bytes; 0 if all has ended; -EAGAIN: off duty */
static int receive(struct server *me)
{
	/* Where requests come one by one, and not soon, a look for nothing is saved. */
	int n = me->expects_none ? -EAGAIN : try_receive(me);

	while (n == -EAGAIN) {
		atomic_store_explicit(&me->serving->found_none, true,
				      memory_order_relaxed);
		if (leave_to_others(me))
			break;
		n = look(me);
		if (n != -EAGAIN)
			break;
		sleep_for_one(me);
		n = try_receive(me);
	}
	return n;
}

/* @return whether this thread is still on duty */
static bool serve_one(struct server *me)
{
	uint64_t state = atomic_load_explicit(&me->state, memory_order_relaxed) + 1;
	bool stays;

	atomic_store(&me->state, state);
	fuse_session_process_buf(me->serving->session, &me->buf);
	if (atomic_compare_exchange_strong(&me->state, &state, state + 1))
		return true;
	pthread_mutex_lock(&me->serving->lock);
	atomic_store(&me->state, (state & ~RELIEVED) + 1);
	stays = atomic_load(&me->serving->on_duty) == 0;
	if (stays)
		go_on_duty(me);
	pthread_mutex_unlock(&me->serving->lock);
	return stays;
}

/* ----------------------------------------------------------------------- threads */

static void serve(struct server *me)
{
	struct serving *serving = me->serving;
	bool wanted;
	int n;

	current = me;
	pthread_mutex_lock(&serving->lock);
	while (wait_for_duty(me)) {
		pthread_mutex_unlock(&serving->lock);
		do {
			n = receive(me);
			wanted = n > 0 && serve_one(me);
		} while (wanted);
		pthread_mutex_lock(&serving->lock);
	}
	pthread_mutex_unlock(&serving->lock);
	current = NULL;
}

static void *serving_thread(void *arg)
{
	serve(arg);
	return NULL;
}

static struct server *make_server(struct serving *serving)
{
	struct server *server = calloc(1, sizeof(*server));
	pthread_condattr_t attr;

	if (!server)
		return NULL;
	server->serving = serving;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&server->called, &attr);
	pthread_condattr_destroy(&attr);
	return server;
}

static void free_server(struct server *server)
{
	pthread_cond_destroy(&server->called);
	free(server->buf.mem);
	free(server);
}

/* A thread more. A signal is for the main thread, so the new one blocks them all.
 * Required: lock. @return 0 or a negative errno */
static int add_server(struct serving *serving)
{
	struct server *server = make_server(serving);
	sigset_t all, old;
	int error;

	if (!server)
		return -ENOMEM;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&server->thread, NULL, serving_thread, server);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error) {
		free_server(server);
		return -error;
	}
	pthread_setname_np(server->thread, "serve");
	cds_list_add_tail(&server->node, &serving->servers);
	serving->threads++;
	return 0;
}

/* All but the one that calls. No lock: nobody makes threads after the end. */
static void join_servers(struct serving *serving, struct server *me)
{
	struct server *server, *next;

	cds_list_for_each_entry_safe(server, next, &serving->servers, node) {
		if (server != me)
			pthread_join(server->thread, NULL);
		cds_list_del(&server->node);
		free_server(server);
	}
}

int serving_run(struct serving *serving)
{
	struct server *me = make_server(serving);
	const int fd = fuse_session_fd(serving->session);
	const int flags = fcntl(fd, F_GETFL);

	if (!me)
		return -ENOMEM;
	/* The one who takes a request that another one has seen must not sleep for it.
	 */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		free_server(me);
		return -errno;
	}
	pthread_mutex_lock(&serving->lock);
	me->thread = pthread_self();
	cds_list_add_tail(&me->node, &serving->servers);
	serving->threads++;
	pthread_mutex_unlock(&serving->lock);
	serve(me);
	join_servers(serving, me);
	return 0;
}

void serving_stop(struct serving *serving)
{
	end(serving);
}

int serving_create(struct fuse_session *session, unsigned threads_max,
		   unsigned spin_ns_max, struct serving **ret_serving)
{
	struct serving *serving = calloc(1, sizeof(*serving));
	int status;

	assert(threads_max > 0);
	if (!serving)
		return -ENOMEM;
	serving->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	status = serving->stop_fd < 0 ? -errno : runnable_create(&serving->runnable);
	if (status < 0) {
		if (serving->stop_fd >= 0)
			close(serving->stop_fd);
		free(serving);
		return status;
	}
	serving->session = session;
	serving->threads_max = threads_max;
	serving->spin_ns_max = spin_ns_max;
	pthread_mutex_init(&serving->lock, NULL);
	CDS_INIT_LIST_HEAD(&serving->servers);
	CDS_INIT_LIST_HEAD(&serving->reserve);
	*ret_serving = serving;
	return 0;
}

void serving_free(struct serving *serving)
{
	if (!serving)
		return;
	runnable_free(serving->runnable);
	close(serving->stop_fd);
	pthread_mutex_destroy(&serving->lock);
	free(serving);
}
