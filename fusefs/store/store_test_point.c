/* SPDX-License-Identifier: MIT */
/*
 * Named instants at which a test ends the process; see the header.
 */

#include "store_test_point.h"

#ifdef FOLDFS_TEST_POINTS

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char *const store_test_point_names[STORE_TEST_POINT_COUNT] = {
#define STORE_TEST_POINT_NAME(name) #name,
	STORE_TEST_POINTS(STORE_TEST_POINT_NAME)
#undef STORE_TEST_POINT_NAME
};

void (*store_test_point_hook)(enum store_test_point point);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned long times_reached; /* the point of the environment; guarded by mutex */

/* Whether the environment asks for the end at this point, at this time. */
static int is_asked_for(enum store_test_point point)
{
	const char *wish = getenv("FOLDFS_CRASH_POINT");
	const char *name = store_test_point_names[point];
	const size_t len = strlen(name);
	unsigned long at = 1;

	if (!wish || strncmp(wish, name, len) != 0)
		return 0;
	if (wish[len] == ':')
		at = strtoul(wish + len + 1, NULL, 10);
	else if (wish[len] != '\0')
		return 0;
	pthread_mutex_lock(&mutex);

	const int hit = ++times_reached == at;

	pthread_mutex_unlock(&mutex);
	return hit;
}

void store_test_point_reached(enum store_test_point point)
{
	if (store_test_point_hook)
		store_test_point_hook(point);
	if (is_asked_for(point))
		raise(SIGKILL);
}

#endif
