/* SPDX-License-Identifier: MIT */

#include "report.h"

#include <inttypes.h>
#include <stdio.h>

static double us(uint64_t ns)
{
	return (double)ns / 1000;
}

static void print_latency(const char *name, const struct latency *l)
{
	printf("  %-10s %12" PRIu64 " %10.1f %10.1f %10.1f %10.1f\n", name, l->count,
	       l->count ? us(l->total_ns / l->count) : 0,
	       us(latency_quantile_ns(l, 0.99)), us(latency_quantile_ns(l, 0.999)),
	       us(l->max_ns));
}

static void print_head(const char *what)
{
	printf("%-12s %12s %10s %10s %10s %10s\n", what, "count", "mean us", "99% us",
	       "99.9% us", "max us");
}

/* Every worker's histograms of a kind, and the shifter's own looks, together. */
static struct latency merged(const struct oracle *oracle, int kind, bool during_op)
{
	struct latency sum = {0};

	for (unsigned w = 0; w <= oracle->nworkers; w++)
		latency_merge(&sum, during_op ? &oracle->workers[w].during_op[kind]
					      : &oracle->workers[w].otherwise[kind]);
	return sum;
}

static void print_accesses(const struct oracle *oracle, bool during_op)
{
	struct latency all = {0};

	print_head(during_op ? "during ops" : "otherwise");
	for (int kind = 0; kind < ACCESS_KINDS; kind++) {
		const struct latency l = merged(oracle, kind, during_op);

		if (l.count == 0)
			continue;
		print_latency(access_name[kind], &l);
		/* fsync and the like are slow for reasons of their own. */
		if (kind != ACCESS_DISTURB)
			latency_merge(&all, &l);
	}
	print_latency("accesses", &all);
}

static void print_totals(const struct oracle *oracle, const struct shifter *shifter)
{
	const struct audit *audit = &shifter->audit;
	uint64_t adds = 0, skipped = 0, unjudged = 0, resolved = 0;

	for (uint32_t i = 1; i < shifter->next_identity; i++)
		for (unsigned c = 0; c < PAGE_CELLS; c++)
			adds += atomic_load(&oracle->accounts[i].adds[c]);
	for (unsigned w = 0; w <= oracle->nworkers; w++) {
		skipped += oracle->workers[w].skipped;
		unjudged += oracle->workers[w].unjudged;
		resolved += oracle->workers[w].resolved;
	}
	printf("%" PRIu64 " additions, %" PRIu64 " places skipped, %" PRIu64
	       " writes raced with an operation, %" PRIu64 " accesses unjudged\n",
	       adds, skipped, resolved, unjudged);
	printf("%" PRIu32 " pages made; %" PRIu64 " audits compared %" PRIu64
	       " pages: %" PRIu64 " wrong, %" PRIu64 " additions lost, %" PRIu64
	       " doubled, %" PRIu64 " writes wrong\n",
	       shifter->next_identity - 1, audit->audits, audit->pages,
	       audit->pages_wrong, audit->adds_lost, audit->adds_doubled,
	       audit->writes_wrong);
}

void report_all(const struct oracle *oracle, const struct shifter *shifter)
{
	const unsigned violations = atomic_load(&oracle->violations);

	print_head("operations");
	for (int kind = 0; kind < OP_KINDS; kind++)
		if (shifter->took[kind].count > 0)
			print_latency(op_name[kind], &shifter->took[kind]);
	print_accesses(oracle, true);
	print_accesses(oracle, false);
	print_totals(oracle, shifter);
	if (violations > 0)
		printf("%u violations, seed %" PRIu64 "\n", violations,
		       oracle->settings.seed);
	else
		printf("nothing wrong\n");
	if ((violations > 0) != (oracle->settings.method == METHOD_COPY_SHIFT))
		printf("FAILED\n");
}
