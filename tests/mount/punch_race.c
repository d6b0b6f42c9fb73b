/* SPDX-License-Identifier: MIT */
/*
 * A store made after a punch has been seen must survive it.
 *
 * One thread stores to a byte and punches are made under it by another. It waits until
 * it sees the byte zero, that is, until the punch has happened as far as anybody can
 * tell, and stores again at once. That store is later than the punch, so it must be
 * there when the punch has returned, even if it was made before it had.
 *
 * fallocate(2) itself cannot promise that on any FUSE mount: when the file system has
 * answered, the kernel throws the range's pages away once more, with no lock against
 * faults, and what was stored meanwhile goes with them. The control attributes can, and
 * the kernel's own file systems do.
 */

#include <pthread.h>
#include <stdatomic.h>

#include <foldfs.h>

#include "files.h"

#define ROUNDS 150

typedef int punch_function(int fd, off_t offset, off_t len);

struct race {
	int fd;
	punch_function *punch;
	atomic_uint asked;    /* the round that is to be punched */
	atomic_uint returned; /* the last one that has been */
	atomic_bool failed;
};

static void *punch_when_asked(void *arg)
{
	struct race *race = arg;

	for (unsigned round = 1; round <= ROUNDS; round++) {
		while (atomic_load(&race->asked) < round)
			sched_yield();
		if (race->punch(race->fd, 0, PAGE) < 0)
			atomic_store(&race->failed, true);
		atomic_store(&race->returned, round);
	}
	return NULL;
}

struct outcome {
	unsigned raced;	  /* stores made before the punch had returned */
	unsigned dropped; /* of those, not there afterwards */
};

static struct outcome run_race(punch_function *punch)
{
	struct race race = {.fd = make_file("f", 4 * PAGE, 1), .punch = punch};
	volatile char *byte = map_shared(race.fd, 4 * PAGE) + 100;
	struct outcome outcome = {0};
	pthread_t thread;
	char stored;

	ck_assert_int_eq(pthread_create(&thread, NULL, punch_when_asked, &race), 0);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		bool early;

		*byte = 'a';
		atomic_store(&race.asked, round);
		while (*byte != 0 && !atomic_load(&race.failed))
			;
		*byte = 'b';
		early = atomic_load(&race.returned) < round;
		while (atomic_load(&race.returned) < round)
			sched_yield();
		stored = *byte;
		if (stored != 'b')
			ck_assert_msg(stored == 0 && early, "round %u: %#x, %s", round,
				      stored, early ? "early" : "after the return");
		outcome.raced += early;
		outcome.dropped += stored != 'b';
		/* Whatever happened, everybody sees the same. */
		read_all(race.fd, &stored, 1, 100);
		ck_assert_int_eq(stored, *byte);
	}
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert(!atomic_load(&race.failed));
	return outcome;
}

/* As a test's comment: how often the case arose at all depends on the machine. */
static void comment(const char *what, struct outcome outcome)
{
	fprintf(stderr, "# %s: %u of %d stores raced, %u of those were dropped\n", what,
		outcome.raced, ROUNDS, outcome.dropped);
}

START_TEST(a_store_made_after_a_hole_was_seen_survives)
{
	struct outcome outcome = run_race(foldfs_punch_hole);

	comment("punch", outcome);
	ck_assert_uint_eq(outcome.dropped, 0);
}
END_TEST

START_TEST(a_store_made_after_zeros_were_seen_survives)
{
	struct outcome outcome;

	reference_lacks("tmpfs", "has no FALLOC_FL_ZERO_RANGE");
	outcome = run_race(foldfs_zero_range);
	comment("zero", outcome);
	ck_assert_uint_eq(outcome.dropped, 0);
}
END_TEST

static int plain_punch(int fd, off_t offset, off_t len)
{
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
}

/* A known limitation, see above: shown, not judged. */
START_TEST(fallocate_itself_may_drop_such_a_store_on_the_mount_alone)
{
	struct outcome outcome = run_race(plain_punch);

	comment("fallocate", outcome);
	if (!on_foldfs())
		ck_assert_uint_eq(outcome.dropped, 0);
}
END_TEST

void describe(void)
{
	everyone(a_store_made_after_a_hole_was_seen_survives);
	everyone(a_store_made_after_zeros_were_seen_survives);
	everyone(fallocate_itself_may_drop_such_a_store_on_the_mount_alone);
}
