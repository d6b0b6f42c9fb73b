/* SPDX-License-Identifier: MIT */
/* See freed_room.h. */

#include "freed_room.h"

#include <errno.h>
#include <pthread.h>

#include "serving.h"
#include "timed_cond.h"

/* For the FORGETs, of who only wants to know; and in all. */
#define CURIOUS_NS UINT64_C(100000000)
#define PATIENT_NS UINT64_C(1000000000)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gone;
/* Guarded by lock. */
static CDS_LIST_HEAD(leavings);
static uint64_t next_number;
/* Changed under lock. */
static _Atomic uint64_t gone_count;

static void init(void)
{
	timed_cond_init(&gone);
}

/* Required: lock. */
static void put_in(struct leaving *leaving, enum leaving_state state, dev_t device)
{
	leaving->state = state;
	leaving->passed_over = false;
	leaving->device = device;
	leaving->number = next_number++;
	cds_list_add_tail(&leaving->node, &leavings);
}

/* Required: lock. */
static void take_out(struct leaving *leaving)
{
	leaving->state = LEAVING_NOT;
	cds_list_del(&leaving->node);
}

void freed_room_expect(struct leaving *leaving, dev_t device)
{
	pthread_mutex_lock(&lock);
	if (leaving->state == LEAVING_NOT)
		put_in(leaving, LEAVING_EXPECTED, device);
	pthread_mutex_unlock(&lock);
}

void freed_room_closing(struct leaving *leaving, dev_t device)
{
	pthread_mutex_lock(&lock);
	if (leaving->state == LEAVING_NOT)
		put_in(leaving, LEAVING_CLOSING, device);
	leaving->state = LEAVING_CLOSING;
	pthread_mutex_unlock(&lock);
}

void freed_room_gone(struct leaving *leaving)
{
	pthread_once(&once, init);
	pthread_mutex_lock(&lock);
	if (leaving->state != LEAVING_NOT)
		take_out(leaving);
	atomic_fetch_add(&gone_count, 1);
	pthread_cond_broadcast(&gone);
	pthread_mutex_unlock(&lock);
}

/* ---------------------------------------------------------------------- waiting */

/* What somebody waits for. */
struct wish {
	dev_t device;
	uint64_t before; /* what has come later does not concern us */
	bool patient;	 /* finds no room, and does not only want to know */
};

static bool is_meant(const struct leaving *leaving, const struct wish *wish)
{
	return leaving->device == wish->device && leaving->number < wish->before &&
	       (wish->patient || !leaving->passed_over);
}

/* What is left to wait for: the FORGETs first. Required: lock. */
static enum leaving_state what_is_left(const struct wish *wish)
{
	enum leaving_state left = LEAVING_NOT;
	const struct leaving *leaving;

	cds_list_for_each_entry(leaving, &leavings, node) {
		if (!is_meant(leaving, wish))
			continue;
		if (leaving->state == LEAVING_EXPECTED)
			return LEAVING_EXPECTED;
		left = LEAVING_CLOSING;
	}
	return left;
}

/* Somebody keeps them, and we do not know for how long. Required: lock. */
static void expect_no_longer(const struct wish *wish)
{
	struct leaving *leaving, *next;

	cds_list_for_each_entry_safe(leaving, next, &leavings, node) {
		if (!is_meant(leaving, wish) || leaving->state != LEAVING_EXPECTED)
			continue;
		if (wish->patient)
			take_out(leaving);
		else
			leaving->passed_over = true;
	}
}

/* Required: lock; given up meanwhile. */
static void await(const struct wish *wish)
{
	const struct timespec end = deadline_after(PATIENT_NS);
	const struct timespec early_end =
		deadline_after(wish->patient ? PATIENT_NS : CURIOUS_NS);
	enum leaving_state left;

	while ((left = what_is_left(wish)) != LEAVING_NOT) {
		const bool closing = left == LEAVING_CLOSING;

		if (pthread_cond_timedwait(&gone, &lock, closing ? &end : &early_end) ==
		    0)
			continue;
		if (closing)
			return;
		expect_no_longer(wish);
	}
}

/* @return whether there was anything to wait for */
static bool await_wish(struct wish wish)
{
	bool any;

	pthread_once(&once, init);
	pthread_mutex_lock(&lock);
	wish.before = next_number;
	any = what_is_left(&wish) != LEAVING_NOT;
	pthread_mutex_unlock(&lock);
	if (!any)
		return false;
	serving_will_wait();
	pthread_mutex_lock(&lock);
	await(&wish);
	pthread_mutex_unlock(&lock);
	return true;
}

void freed_room_await(dev_t device)
{
	await_wish((struct wish){.device = device});
}

uint64_t freed_room_count(void)
{
	return atomic_load(&gone_count);
}

bool freed_room_came(dev_t device, uint64_t count, ssize_t status)
{
	if (status != -ENOSPC && status != -EDQUOT)
		return false;
	return await_wish((struct wish){.device = device, .patient = true}) ||
	       atomic_load(&gone_count) != count;
}
