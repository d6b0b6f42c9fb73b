/* SPDX-License-Identifier: MIT */
/* See client_place.h. */

#include "client_place.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool client_place_waits(struct client_place *place, uint32_t tid, uint64_t now_ns)
{
	const bool in_a_row = tid != 0 && tid == place->tid &&
			      now_ns - place->waited_ns <= CLIENT_PLACE_WAIT_NS_MAX;

	place->tid = tid;
	place->waited_ns = now_ns;
	place->waits = in_a_row ? place->waits + 1 : 0;
	if (place->waits < CLIENT_PLACE_WAITS || now_ns < place->not_before_ns)
		return false;
	place->waits = 0;
	/* Again as soon as it was allowed: it has not helped. */
	if (now_ns - place->not_before_ns > place->pause_ns)
		place->pause_ns = CLIENT_PLACE_PAUSE_NS_MIN;
	else if (place->pause_ns < CLIENT_PLACE_PAUSE_NS_MAX / 2)
		place->pause_ns *= 2;
	else
		place->pause_ns = CLIENT_PLACE_PAUSE_NS_MAX;
	place->not_before_ns = now_ns + place->pause_ns;
	return true;
}

/* The 39th field of its `stat`; the second, a name in brackets, may have anything in
 * it.
 * @return a processor's number, or -1 */
static int processor_of(uint32_t tid)
{
	char name[32], line[1024], *field;
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/proc/%u/stat", tid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	line[n] = '\0';
	field = strrchr(line, ')');
	for (int number = 2; field && number < 39; number++)
		field = strchr(field + 1, ' ');
	return field ? atoi(field + 1) : -1;
}

bool client_place_follow(uint32_t tid)
{
	const int processor = processor_of(tid);
	cpu_set_t allowed, there;

	if (processor < 0 || processor >= CPU_SETSIZE || processor == sched_getcpu() ||
	    sched_getaffinity(0, sizeof(allowed), &allowed) < 0 ||
	    !CPU_ISSET((size_t)processor, &allowed))
		return false;
	CPU_ZERO(&there);
	CPU_SET((size_t)processor, &there);
	if (sched_setaffinity(0, sizeof(there), &there) < 0)
		return false;
	/* Moved; from now on it is the scheduler's again. */
	return sched_setaffinity(0, sizeof(allowed), &allowed) == 0;
}
