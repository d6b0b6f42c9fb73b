/* SPDX-License-Identifier: MIT */
/* How many background requests the kernel has under way at once (Linux
 * fs/fuse/inode.c, process_init_limits(); fs/fuse/control.c). */

#include "background_places.h"

#include <pthread.h>
#include <stdio.h>

#include "connection_file.h"

/* FUSE_DEFAULT_MAX_BACKGROUND */
#define KERNEL_DEFAULT 12

#define LIMIT_FOR_USERS "/sys/module/fuse/parameters/max_user_bgreq"

#define MAX_BACKGROUND "max_background"

unsigned background_places_limit(void)
{
	FILE *file = fopen(LIMIT_FOR_USERS, "re");
	unsigned limit = 0;

	if (file && fscanf(file, "%u", &limit) != 1)
		limit = 0;
	if (file)
		fclose(file);
	return limit ? limit : KERNEL_DEFAULT;
}

/* What the kernel takes at most. */
#define KERNEL_MAX 65535

/* So many more at a time. */
#define STEP 128

/* What was given for those that wait. */
static struct {
	pthread_mutex_t lock;
	/* Guarded by lock. */
	unsigned set;  /* what we have written last; 0: nothing, or it is taken back */
	unsigned base; /* and in place of what */
} given = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* An administrator's number is the one to begin with. Required: given.lock. */
static unsigned base_of(unsigned places)
{
	return given.set != 0 && places == given.set ? given.base : places;
}

static unsigned most(const struct daemon *daemon)
{
	return daemon->privileged ? KERNEL_MAX : background_places_limit();
}

/* Required: given.lock. */
static void give(struct daemon *daemon, unsigned base, uint64_t more)
{
	const unsigned max = most(daemon);
	const unsigned places = base + more > max ? max : (unsigned)(base + more);

	/* It gets no fewer by us. */
	if (places <= base && given.set == 0)
		return;
	if (connection_file_write(daemon, MAX_BACKGROUND, places) < 0)
		return;
	given.base = base;
	given.set = more > 0 ? places : 0;
}

static void follow(struct daemon *daemon)
{
	uint64_t waiting, more;
	unsigned base;

	pthread_mutex_lock(&given.lock);
	waiting = atomic_load(&daemon->parked_requests) +
		  atomic_load(&daemon->queued_requests);
	more = waiting < STEP ? 0 : (waiting / STEP + 1) * STEP;
	base = base_of(connection_file_read(daemon, MAX_BACKGROUND));
	if (base > 0 && (more > 0 || given.set != 0))
		give(daemon, base, more);
	pthread_mutex_unlock(&given.lock);
}

/* Whether the kernel is to be told, at the ends of each step. */
static bool is_a_step(uint64_t count)
{
	return count > 0 && count % STEP == 0;
}

void background_places_waits(struct daemon *daemon, int more)
{
	const uint64_t before =
		atomic_fetch_add(&daemon->parked_requests, (uint64_t)(int64_t)more);

	if (is_a_step(more > 0 ? before + 1 : before))
		follow(daemon);
}

void background_places_queued(struct daemon *daemon, size_t count)
{
	const uint64_t before = atomic_exchange(&daemon->queued_requests, count);

	if (is_a_step(count > before ? count : before))
		follow(daemon);
}

unsigned background_places(const struct daemon *daemon)
{
	unsigned places;

	pthread_mutex_lock(&given.lock);
	places = base_of(connection_file_read(daemon, MAX_BACKGROUND));
	pthread_mutex_unlock(&given.lock);
	if (places)
		return places;
	places = background_places_limit();
	return places < BACKGROUND_PLACES_WANTED ? places : BACKGROUND_PLACES_WANTED;
}
