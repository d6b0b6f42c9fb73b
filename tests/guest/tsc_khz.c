/* SPDX-License-Identifier: MIT */
/*
 * How fast this machine's time stamp counter counts, in kHz, for a guest that is
 * emulated and shares it: left to find out by itself, on a machine that has no time for
 * it, it is wrong by any factor, and so are all its clocks.
 *
 * Exit status 1 if there is no such counter.
 */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#if defined(__x86_64__)

#include <x86intrin.h>

#define LENGTH_NS 200000000
/* Of so many looks the quickest counts: nobody was in between. */
#define LOOKS	  200

struct instant {
	uint64_t ns, ticks;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct instant look(void)
{
	struct instant best = {0};
	uint64_t shortest = UINT64_MAX;

	for (int i = 0; i < LOOKS; i++) {
		const uint64_t before = __rdtsc();
		const uint64_t ns = now_ns();
		const uint64_t took = __rdtsc() - before;

		if (took < shortest) {
			shortest = took;
			best = (struct instant){ns, before + took / 2};
		}
	}
	return best;
}

int main(void)
{
	const struct timespec length = {.tv_nsec = LENGTH_NS};
	const struct instant from = look();
	struct instant to;

	nanosleep(&length, NULL);
	to = look();
	printf("%" PRIu64 "\n", (to.ticks - from.ticks) * 1000000 / (to.ns - from.ns));
	return 0;
}

#else

int main(void)
{
	return 1;
}

#endif
