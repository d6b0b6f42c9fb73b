/* SPDX-License-Identifier: MIT */
/*
 * Serving: the threads, from the first to the last.
 *
 * Who of them looks for requests is duty.c's, how they look is next_request.c's, what
 * they have in hand is in_hand.c's. Here is how they come to be and how they end. There is one to begin with, the caller of
 * serving_run(); others are made when they are needed, and stay.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "new_requests.h"
#include "runnable.h"
#include "serving_internal.h"
#include "timed_cond.h"
#include "waiting_reads.h"

void serving_end(struct serving *serving, int status)
{
	const uint64_t one = 1;
	struct server *server;

	pthread_mutex_lock(&serving->lock);
	atomic_store(&serving->ended, true);
	if (serving->status == 0)
		serving->status = status;
	cds_list_for_each_entry(server, &serving->servers, node)
		pthread_cond_signal(&server->called);
	pthread_mutex_unlock(&serving->lock);
	/* Cannot fail before 2^64 of them. */
	(void)!write(serving->stop_fd, &one, sizeof(one));
}

/* @return whether this thread is still on duty */
static bool serve_one(struct server *me)
{
	uint64_t state;

	if (me->request == &me->buf && serving_is_crowded(me->serving)) {
		if (!admission_begin(me, &state))
			return true;
	} else {
		state = duty_begin(me);
	}
	me->expects_long = false;
	new_requests_translate(me->request);
	fuse_session_process_buf(me->serving->config.session, me->request);
	in_hand_served(me);
	return duty_finish(me, state);
}

/* What has waited as data and may begin, until there is nothing left or nobody is on
 * duty. @return whether this thread is on duty */
static bool serve_queued(struct server *me)
{
	uint64_t state;
	bool on_duty = false;

	while (!on_duty && admission_next(me, &state)) {
		new_requests_translate(me->request);
		fuse_session_process_buf(me->serving->config.session, me->request);
		on_duty = duty_finish(me, state);
		admission_done(me);
	}
	return on_duty;
}

static void work(struct server *me, bool on_duty)
{
	do {
		while (on_duty)
			on_duty = next_request(me) > 0 && serve_one(me);
		if (serving_is_crowded(me->serving))
			on_duty = serve_queued(me);
	} while (on_duty);
}

/* Not the main thread, and not the last. Required: lock. */
static void leave(struct server *me, bool *ret_join, pthread_t *ret_thread)
{
	struct serving *serving = me->serving;

	cds_list_del(&me->node);
	serving->threads--;
	serving->left_background_taken += atomic_load(&me->background_taken);
	if (me->has_buffer)
		atomic_fetch_sub(&serving->buffers, 1);
	*ret_join = serving->have_left;
	*ret_thread = serving->left;
	serving->have_left = true;
	serving->left = pthread_self();
}

/* @return whether the thread has left, and its server is its own */
static bool serve(struct server *me)
{
	struct serving *serving = me->serving;
	bool join = false;
	pthread_t before;
	enum duty duty;

	duty_set_current(me);
	pthread_mutex_lock(&serving->lock);
	while ((duty = duty_wait(me)) == DUTY_LOOK || duty == DUTY_QUEUE) {
		pthread_mutex_unlock(&serving->lock);
		work(me, duty == DUTY_LOOK);
		pthread_mutex_lock(&serving->lock);
	}
	if (duty == DUTY_LEAVE)
		leave(me, &join, &before);
	pthread_mutex_unlock(&serving->lock);
	duty_set_current(NULL);
	/* Who goes joins the one who went before it, the main thread the last. */
	if (join)
		pthread_join(before, NULL);
	return duty == DUTY_LEAVE;
}

static struct server *make_server(struct serving *serving)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->serving = serving;
	server->pipe = REQUEST_PIPE_NONE;
	server->window.ns_max = serving->config.poll_ns_max;
	timed_cond_init(&server->called);
	return server;
}

static void free_server(struct server *server)
{
	pthread_cond_destroy(&server->called);
	request_pipe_close(&server->pipe);
	free(server->buf.mem);
	free(server);
}

static void *serving_thread(void *arg)
{
	if (serve(arg))
		free_server(arg);
	return NULL;
}

/* A signal is for the main thread, so the new one blocks them all. */
int serving_add_server(struct serving *serving)
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

/* All but the one that calls. Nobody makes threads after the end, but there may still
 * be somebody who calls serving_stop(), and looks at the list. */
static void join_servers(struct serving *serving, struct server *me)
{
	struct server *server, *next;
	struct cds_list_head all;
	bool have_left;

	CDS_INIT_LIST_HEAD(&all);
	pthread_mutex_lock(&serving->lock);
	cds_list_splice(&serving->servers, &all);
	CDS_INIT_LIST_HEAD(&serving->servers);
	have_left = serving->have_left;
	serving->have_left = false;
	pthread_mutex_unlock(&serving->lock);
	if (have_left)
		pthread_join(serving->left, NULL);
	cds_list_for_each_entry_safe(server, next, &all, node) {
		if (server != me)
			pthread_join(server->thread, NULL);
		free_server(server);
	}
}

/* The one who takes a request that another one has seen must not sleep for it. */
static int never_block(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int serving_run(struct serving *serving)
{
	struct server *me = make_server(serving);
	int status;

	if (!me)
		return -ENOMEM;
	status = never_block(fuse_session_fd(serving->config.session));
	if (status < 0) {
		free_server(me);
		return status;
	}
	pthread_mutex_lock(&serving->lock);
	me->thread = pthread_self();
	me->is_main = true;
	cds_list_add_tail(&me->node, &serving->servers);
	serving->threads++;
	pthread_mutex_unlock(&serving->lock);
	(void)serve(me);
	join_servers(serving, me);
	pthread_mutex_lock(&serving->lock);
	status = serving->status;
	pthread_mutex_unlock(&serving->lock);
	return status;
}

void serving_stop(struct serving *serving)
{
	serving_end(serving, 0);
}

int serving_create(const struct serving_config *config, struct serving **ret_serving)
{
	struct serving *serving = calloc(1, sizeof(*serving));
	int status;

	assert(config->threads_max > 0 && config->threads_bound >= config->threads_max);
	if (!serving)
		return -ENOMEM;
	serving->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	serving->reads = waiting_reads_create(config->readahead_share);
	status = serving->stop_fd < 0 ? -errno
		 : serving->reads     ? runnable_create(&serving->runnable)
				      : -ENOMEM;
	if (status < 0) {
		waiting_reads_free(serving->reads);
		if (serving->stop_fd >= 0)
			close(serving->stop_fd);
		free(serving);
		return status;
	}
	serving->config = *config;
	pthread_mutex_init(&serving->lock, NULL);
	CDS_INIT_LIST_HEAD(&serving->servers);
	CDS_INIT_LIST_HEAD(&serving->reserve);
	CDS_INIT_LIST_HEAD(&serving->queue);
	*ret_serving = serving;
	return 0;
}

void serving_free(struct serving *serving)
{
	if (!serving)
		return;
	admission_fini(serving);
	waiting_reads_free(serving->reads);
	runnable_free(serving->runnable);
	close(serving->stop_fd);
	pthread_mutex_destroy(&serving->lock);
	free(serving);
}
