/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_LATENCY_H
#define RANGE_ORACLE_LATENCY_H

/*
 * How long things took: a histogram whose buckets grow by a quarter, from 1 ns to
 * minutes, so that any quantile is known to within 25 %.
 */

#include <stdint.h>

#define LATENCY_BUCKETS 192

struct latency {
	uint64_t count;
	uint64_t total_ns;
	uint64_t max_ns;
	uint64_t bucket[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t ns);
void latency_merge(struct latency *into, const struct latency *from);
/** The upper edge of the bucket in which this part of all (0.999: 99.9 %) is reached;
 *  never above the maximum. 0 if there is nothing. */
uint64_t latency_quantile_ns(const struct latency *latency, double part);

#endif
