/* SPDX-License-Identifier: MIT */
/*
 * Threads of a test. Whether one sleeps is read from /proc, as a person would.
 */

#include "threads.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* So many looks in a row, each of them at every thread, must find them asleep. */
#define LOOKS 20

static void *member_main(void *arg)
{
	struct member *member = arg;

	atomic_store(&member->tid, (pid_t)syscall(SYS_gettid));
	pthread_barrier_wait(&member->team->start);
	member->team->run(member);
	atomic_store(&member->done, true);
	return NULL;
}

void team_start(struct team *team, unsigned size, void (*run)(struct member *),
		void *arg)
{
	if (size > TEAM_MAX)
		abort();
	team->size = size;
	team->run = run;
	pthread_barrier_init(&team->start, NULL, size + 1);
	for (unsigned i = 0; i < size; i++) {
		struct member *member = &team->members[i];

		member->team = team;
		member->number = i;
		member->arg = arg;
		atomic_init(&member->tid, 0);
		atomic_init(&member->done, false);
		if (pthread_create(&member->thread, NULL, member_main, member))
			abort();
	}
	pthread_barrier_wait(&team->start);
}

void team_join(struct team *team)
{
	for (unsigned i = 0; i < team->size; i++)
		pthread_join(team->members[i].thread, NULL);
	pthread_barrier_destroy(&team->start);
}

static bool asleep(pid_t tid)
{
	char path[64];
	char line[512];
	size_t len = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);

	FILE *file = fopen(path, "re");

	if (file) {
		len = fread(line, 1, sizeof(line) - 1, file);
		fclose(file);
	}
	line[len] = '\0';

	/* "tid (name) S …": the name may hold anything, so look from its end. */
	const char *paren = strrchr(line, ')');

	return paren && paren[1] == ' ' && paren[2] == 'S';
}

void team_await_asleep(struct team *team)
{
	for (int looks = 0; looks < LOOKS; looks++) {
		for (unsigned i = 0; i < team->size; i++) {
			struct member *member = &team->members[i];

			if (!atomic_load(&member->done) &&
			    !asleep(atomic_load(&member->tid)))
				looks = -1;
		}
		sched_yield();
	}
}
