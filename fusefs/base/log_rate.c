/* SPDX-License-Identifier: MIT */
/* How many lines a log gets. */

#include "log_rate.h"

#include <pthread.h>
#include <stddef.h>

/* More than there are kinds. Should there be more after all, the rest share the last. */
#define KINDS 256

struct kind {
	const char *name; /* NULL: not in use yet */
	int level;	  /* of the first line that was held back */
	uint64_t since_ms;
	unsigned lines; /* in this interval */
	unsigned held;	/* of them, not written */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Guarded by mutex. */
static struct kind kinds[KINDS];

/* Required: mutex. */
static struct kind *find(const char *name)
{
	size_t i = 0;

	while (i < KINDS - 1 && kinds[i].name && kinds[i].name != name)
		i++;
	if (!kinds[i].name)
		kinds[i].name = name;
	return &kinds[i];
}

/* Required: mutex. */
static bool is_over(const struct kind *kind, uint64_t now_ms)
{
	return now_ms - kind->since_ms >= LOG_RATE_MS;
}

bool log_rate_admits(const char *name, int level, uint64_t now_ms)
{
	struct kind *kind;
	bool admitted;

	pthread_mutex_lock(&mutex);
	kind = find(name);
	/* What was held back is told first; see log_rate_take_held(). */
	if (kind->lines == 0 || (is_over(kind, now_ms) && kind->held == 0)) {
		kind->since_ms = now_ms;
		kind->lines = 0;
	}
	admitted = kind->lines < LOG_RATE_BURST;
	kind->lines++;
	if (!admitted && kind->held++ == 0)
		kind->level = level;
	pthread_mutex_unlock(&mutex);
	return admitted;
}

unsigned log_rate_take_held(uint64_t now_ms, const char **ret_kind, int *ret_level)
{
	unsigned held = 0;

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < KINDS && kinds[i].name && held == 0; i++) {
		struct kind *kind = &kinds[i];

		if (kind->held == 0 || (now_ms != UINT64_MAX && !is_over(kind, now_ms)))
			continue;
		held = kind->held;
		*ret_kind = kind->name;
		*ret_level = kind->level;
		kind->held = kind->lines = 0;
	}
	pthread_mutex_unlock(&mutex);
	return held;
}
