/* SPDX-License-Identifier: MIT */
/* See pace.h. */

#include "pace.h"

/* The floor so often doubled is above the ceiling. */
#define DOUBLINGS_MAX	11u
/* What a new sample counts: an eighth and a quarter, as RFC 6298 has it. */
#define MEAN_SHIFT	3u
#define DEVIATION_SHIFT 2u

static uint64_t towards(uint64_t value, uint64_t sample, unsigned shift)
{
	return sample > value ? value + ((sample - value) >> shift)
			      : value - ((value - sample) >> shift);
}

void pace_measured(struct pace *pace, uint64_t silent_ns)
{
	/* A machine that was suspended for an hour is not that slow. */
	if (silent_ns > PACE_CEILING_NS)
		silent_ns = PACE_CEILING_NS;
	pace->doublings = 0;
	if (pace->mean_ns == 0) {
		pace->mean_ns = silent_ns;
		pace->deviation_ns = silent_ns / 2;
		return;
	}
	const uint64_t error_ns = silent_ns > pace->mean_ns ? silent_ns - pace->mean_ns
							    : pace->mean_ns - silent_ns;

	pace->deviation_ns = towards(pace->deviation_ns, error_ns, DEVIATION_SHIFT);
	pace->mean_ns = towards(pace->mean_ns, silent_ns, MEAN_SHIFT);
}

void pace_doubt(struct pace *pace)
{
	if (pace->doublings < DOUBLINGS_MAX)
		pace->doublings++;
}

/** Within floor and ceiling, after so many doublings. */
static uint64_t bounded(uint64_t ns, unsigned doublings)
{
	if (ns < PACE_FLOOR_NS)
		ns = PACE_FLOOR_NS;
	return ns < PACE_CEILING_NS >> doublings ? ns << doublings : PACE_CEILING_NS;
}

static uint64_t measured_ns(const struct pace *pace)
{
	return pace->mean_ns + 4 * pace->deviation_ns;
}

uint64_t pace_step_ns(const struct pace *pace)
{
	return bounded(measured_ns(pace), 0);
}

uint64_t pace_patience_ns(const struct pace *pace, uint64_t pages)
{
	const uint64_t steps = pages > PACE_PAGES ? pages / PACE_PAGES : 1;
	const uint64_t ns = measured_ns(pace);

	return ns < PACE_CEILING_NS / steps ? bounded(ns * steps, pace->doublings)
					    : PACE_CEILING_NS;
}
