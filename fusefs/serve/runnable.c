/* SPDX-License-Identifier: MIT */
/*
 * Runnable threads: the first number of the fourth field of /proc/loadavg, those that
 * run or wait for a processor this very moment.
 *
 * It counts the whole machine, while the scheduler, a container's quota or an affinity
 * may give us less of it; those take from whoever spins, at the worst.
 */

#include "runnable.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Once there have been too many, it is some time until the next look: a machine that is
 * busy stays so, and gains nothing by threads that spin. */
#define BETWEEN_LOOKS_NS 1000000
#define WHEN_TOO_MANY_NS 10000000

struct runnable {
	int fd;		     /* of /proc/loadavg, or -1 */
	unsigned processors; /* that we may run on */
	_Atomic uint64_t looked_ns;
	_Atomic bool too_many;
};

int runnable_create(struct runnable **ret_runnable)
{
	struct runnable *runnable = calloc(1, sizeof(*runnable));
	cpu_set_t set;

	if (!runnable)
		return -ENOMEM;
	/* More than such a set holds is many. */
	runnable->processors = sched_getaffinity(0, sizeof(set), &set) < 0
				       ? CPU_SETSIZE
				       : (unsigned)CPU_COUNT(&set);
	runnable->fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	atomic_init(&runnable->too_many, true);
	*ret_runnable = runnable;
	return 0;
}

void runnable_free(struct runnable *runnable)
{
	if (!runnable)
		return;
	if (runnable->fd >= 0)
		close(runnable->fd);
	free(runnable);
}

static bool look(const struct runnable *runnable)
{
	char line[64];
	unsigned count;
	ssize_t n;

	n = pread(runnable->fd, line, sizeof(line) - 1, 0);
	if (n <= 0)
		return true;
	line[n] = '\0';
	return sscanf(line, "%*s %*s %*s %u/", &count) != 1 ||
	       count > runnable->processors;
}

bool runnable_too_many(struct runnable *runnable)
{
	struct timespec now;
	uint64_t now_ns, looked_ns;
	bool too_many;

	if (runnable->processors < 2 || runnable->fd < 0)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	looked_ns = atomic_load_explicit(&runnable->looked_ns, memory_order_relaxed);
	/* If two look at once, both are right. */
	too_many = atomic_load_explicit(&runnable->too_many, memory_order_relaxed);
	/* No difference: somebody may have looked after our look at the clock. */
	if (now_ns >= looked_ns + (too_many ? WHEN_TOO_MANY_NS : BETWEEN_LOOKS_NS)) {
		too_many = look(runnable);
		atomic_store_explicit(&runnable->too_many, too_many,
				      memory_order_relaxed);
		atomic_store_explicit(&runnable->looked_ns, now_ns,
				      memory_order_relaxed);
	}
	return too_many;
}
