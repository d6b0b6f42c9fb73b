/* SPDX-License-Identifier: MIT */
/*
 * Starting, leading and ending the processes.
 */

#include "team.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "perform.h"

uint64_t team_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t team_mapping_bytes(const struct limits *limits)
{
	return (limits->size + FOLDX_PAGE - 1) / FOLDX_PAGE * FOLDX_PAGE + FOLDX_PAGE;
}

static void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

/* A process's life. Ends when it is told to, or with the leader. */
__attribute__((noreturn)) static void work(struct station *station, struct board *board,
					   const struct limits *limits)
{
	struct worker worker;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1)
		_exit(0); /* the leader ended before that call */
	if (worker_init(&worker, board, limits) < 0)
		_exit(1);
	for (;;) {
		while (sem_wait(&station->go) < 0)
			; /* a signal */
		worker_obey(&worker, station);
		sem_post(&station->done);
	}
}

static int start_process(struct team *team, struct station *station)
{
	if (sem_init(&station->go, 1, 0) < 0 || sem_init(&station->done, 1, 0) < 0)
		return -errno;
	station->pid = fork();
	if (station->pid < 0)
		return -errno;
	if (station->pid == 0)
		work(station, team->board, &team->limits);
	return 0;
}

int team_start(struct team *team, const struct limits *limits, const char *directory,
	       unsigned hang_s)
{
	int err = 0;

	*team = (struct team){
		.limits = *limits,
		.board = shared_memory(sizeof(struct board)),
		.station_bytes = sizeof(struct station) + team_mapping_bytes(limits),
		.hang_s = hang_s,
	};
	if (!team->board)
		return -ENOMEM;
	for (int i = 0; i < 2; i++)
		if (snprintf(team->board->paths[i], sizeof(team->board->paths[i]),
			     "%s/foldx-%d-%c", directory, (int)getpid(),
			     'a' + i) >= (int)sizeof(team->board->paths[i]))
			err = -ENAMETOOLONG;
	for (uint32_t i = 0; err == 0 && i < limits->processes; i++) {
		team->stations[i] = shared_memory(team->station_bytes);
		err = team->stations[i] ? start_process(team, team->stations[i])
					: -ENOMEM;
	}
	if (err < 0)
		team_stop(team);
	return err;
}

void team_stop(struct team *team)
{
	for (uint32_t i = 0; i < team->limits.processes; i++) {
		struct station *station = team->stations[i];

		if (!station)
			continue;
		if (station->pid > 0) {
			kill(station->pid, SIGKILL);
			/* One that hangs in the kernel does not go. */
			for (int tries = 0; tries < 200; tries++) {
				if (waitpid(station->pid, NULL, WNOHANG) != 0)
					break;
				usleep(5000);
			}
		}
		munmap(station, team->station_bytes);
		team->stations[i] = NULL;
	}
	munmap(team->board, sizeof(*team->board));
}

void team_begin(struct team *team, uint32_t process)
{
	sem_post(&team->stations[process]->go);
}

int team_finish(struct team *team, uint32_t process)
{
	struct station *station = team->stations[process];
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	for (unsigned waited = 0; waited <= team->hang_s; waited++) {
		until.tv_sec++;
		while (sem_timedwait(&station->done, &until) < 0) {
			if (errno == EINTR)
				continue;
			if (waitpid(station->pid, NULL, WNOHANG) != 0) {
				station->pid = 0;
				return -ECHILD;
			}
			goto longer;
		}
		return 0;
	longer:;
	}
	return -ETIMEDOUT;
}

int team_do(struct team *team, uint32_t process, enum order order,
	    const struct operation *op)
{
	struct station *station = team->stations[process];

	station->order = order;
	if (op)
		station->op = *op;
	team_begin(team, process);
	return team_finish(team, process);
}
