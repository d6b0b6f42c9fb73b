/* SPDX-License-Identifier: MIT */

#include "latency.h"

/* Four buckets to each power of two: the exponent, then the two bits after the first.
 */
static unsigned bucket_of(uint64_t ns)
{
	unsigned exponent, index;

	if (ns < 4)
		return (unsigned)ns;
	exponent = 63 - (unsigned)__builtin_clzll(ns);
	index = (exponent - 1) * 4 + (unsigned)(ns >> (exponent - 2) & 3);
	return index < LATENCY_BUCKETS ? index : LATENCY_BUCKETS - 1;
}

static uint64_t upper_edge(unsigned index)
{
	unsigned exponent = index / 4 + 1;

	if (index < 4)
		return index;
	return ((uint64_t)(4 + index % 4 + 1) << (exponent - 2)) - 1;
}

void latency_add(struct latency *latency, uint64_t ns)
{
	latency->count++;
	latency->total_ns += ns;
	if (ns > latency->max_ns)
		latency->max_ns = ns;
	latency->bucket[bucket_of(ns)]++;
}

void latency_merge(struct latency *into, const struct latency *from)
{
	into->count += from->count;
	into->total_ns += from->total_ns;
	if (from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t latency_quantile_ns(const struct latency *latency, double part)
{
	const uint64_t wanted = (uint64_t)((double)latency->count * part);
	uint64_t seen = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		seen += latency->bucket[i];
		if (seen > wanted || seen == latency->count)
			return upper_edge(i) < latency->max_ns ? upper_edge(i)
							       : latency->max_ns;
	}
	return latency->max_ns;
}
