/* SPDX-License-Identifier: MIT */
/*
 * Rules that tests break, steps that they hold open, and the scheduler that they put
 * behind the points; see the header.
 */

#include "test_point.h"

#ifdef FOLDFS_TEST_POINTS

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POLL_US 1000

static const char *const rule_names[CL_RULE_COUNT] = {
#define CL_RULE_NAME(name) #name,
	CL_RULES(CL_RULE_NAME)
#undef CL_RULE_NAME
};

static const char *const step_names[CL_STEP_COUNT] = {
#define CL_STEP_NAME(name) #name,
	CL_STEPS(CL_STEP_NAME)
#undef CL_STEP_NAME
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
/* Set once. */
static bool broken[CL_RULE_COUNT];
static const char *pause_file; /* NULL: no pause */
static unsigned pause_step;

static _Atomic bool has_paused;

/* Changes only while nobody is in the library. */
static const struct cl_test_scheduler *scheduler;

__attribute__((noreturn)) static void refuse(const char *variable, const char *value)
{
	fprintf(stderr, "%s: there is no '%s'\n", variable, value);
	abort();
}

static unsigned find(const char *const *names, unsigned count, const char *name,
		     size_t len, const char *variable)
{
	for (unsigned i = 0; i < count; i++)
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return i;
	refuse(variable, name);
}

static void read_environment(void)
{
	const char *rules = getenv("FOLDFS_BREAK");
	const char *pause = getenv("FOLDFS_PAUSE");

	while (rules && *rules) {
		const size_t len = strcspn(rules, ",");

		broken[find(rule_names, CL_RULE_COUNT, rules, len, "FOLDFS_BREAK")] =
			true;
		rules += len + (rules[len] == ',');
	}
	if (pause && *pause) {
		const size_t len = strcspn(pause, ":");

		pause_step =
			find(step_names, CL_STEP_COUNT, pause, len, "FOLDFS_PAUSE");
		if (pause[len] != ':')
			refuse("FOLDFS_PAUSE", "file");
		pause_file = pause + len + 1;
	}
}

bool cl_test_broken(enum cl_rule rule)
{
	pthread_once(&once, read_environment);
	return broken[rule];
}

void cl_test_step(enum cl_step step)
{
	int fd;

	cl_test_point(step_names[step]);
	pthread_once(&once, read_environment);
	if (!pause_file || pause_step != step || atomic_exchange(&has_paused, true))
		return;
	fd = open(pause_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		refuse("FOLDFS_PAUSE", pause_file);
	close(fd);
	while (access(pause_file, F_OK) == 0)
		usleep(POLL_US);
}

void cl_test_schedule(const struct cl_test_scheduler *new_scheduler)
{
	scheduler = new_scheduler;
}

const struct cl_test_scheduler *cl_test_scheduler(void)
{
	return scheduler;
}

void cl_test_point(const char *name)
{
	if (scheduler)
		scheduler->point(name);
}

void cl_test_await(const char *what, bool (*ready)(const void *arg), const void *arg)
{
	if (scheduler)
		scheduler->wait(what, ready, arg, UINT64_MAX);
}

#endif
