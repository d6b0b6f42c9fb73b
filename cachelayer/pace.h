/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_PACE_H
#define CACHELAYER_PACE_H

/*
 * The pace of this machine: how long a notification that waits for nobody may be
 * silent.
 *
 * Whether a notification waits for a READ that is parked cannot be seen. It can be
 * guessed from how long it has been silent: neither over, nor has a WRITE of its pages
 * come or been answered. How long is too long depends on the machine. One bound for all
 * would be wrong where each switch between threads takes longer than that: every READ
 * would be taken for one in the way and be answered, its pages would be up there again,
 * and the chase would run after them for ever.
 *
 * So it is measured, as TCP measures round trips (Jacobson, SIGCOMM 1988; RFC 6298):
 * a mean, a mean deviation, and four deviations above the mean are patience enough.
 * What is measured while READs were parked is ambiguous, as the answer to a segment
 * that was sent twice is; it is not used, and doubles the patience until there is
 * something that is not (Karn, SIGCOMM 1987).
 *
 * There is a floor, below which nobody would gain anything, and a ceiling: a READ that
 * is in the way is answered in the end, whatever was measured.
 */

#include <stdint.h>

#define PACE_FLOOR_NS	((uint64_t)200 * 1000)
#define PACE_CEILING_NS ((uint64_t)250 * 1000 * 1000)
/* Of clean ground a notification covers so many pages in what counts as one step. */
#define PACE_PAGES	((uint64_t)16)

/* Guarded by its owner. All zeros: nothing has been measured, the floor is it. */
struct pace {
	uint64_t mean_ns;
	uint64_t deviation_ns;
	unsigned doublings;
};

/** A silence of a notification that nobody was in the way of, in ns. */
void pace_measured(struct pace *pace, uint64_t silent_ns);
/** READs were answered because of a silence; it may have been one of the machine's. */
void pace_doubt(struct pace *pace);
/** @return how long a step takes at the most, as far as was measured: PACE_FLOOR_NS to
 *          PACE_CEILING_NS */
uint64_t pace_step_ns(const struct pace *pace);
/**
 * @param pages  that the notification covers
 * @return how long it may be silent: PACE_FLOOR_NS to PACE_CEILING_NS
 */
uint64_t pace_patience_ns(const struct pace *pace, uint64_t pages);

#endif
