/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_NOTICE_H
#define CACHELAYER_NOTICE_H

/*
 * What the gate sees of a notification that is in flight: whether it lives.
 *
 * A sign of life is what the upper cache writes back of its range, when it comes and
 * when it has been answered. While that is being served the notification waits for us,
 * not for a READ.
 *
 * Guarded by the gate's lock. Times are of cl_now_ns().
 */

#include <stdbool.h>
#include <stdint.h>

#include "cachelayer/types.h"

struct notice {
	bool in_flight;
	bool wrote;	/* there was a sign of life */
	bool disturbed; /* FILLs of its range were about: its silences prove nothing */
	struct cl_range range;
	uint64_t since_ns;
	uint64_t sign_ns; /* the last sign of life, or its start */
	uint64_t all_ns;  /* the last time that all READs were answered, or its start */
	unsigned served;  /* WRITEs that are being served */
	uint64_t longest_ns; /* the longest silence so far */
};

/** It starts. @param since_ns  READs that have come since may be in its way */
void notice_begin(struct notice *notice, struct cl_range range, uint64_t since_ns);
/** It is over. @return the silence to measure the machine by; 0: none */
uint64_t notice_end(struct notice *notice, uint64_t now_ns);
/** A writeback comes, or has been answered; a FILL comes. */
void notice_write_came(struct notice *notice, struct cl_range range, uint64_t now_ns);
void notice_write_left(struct notice *notice, struct cl_range range, uint64_t now_ns);
void notice_fill_came(struct notice *notice, struct cl_range range);
/** How long it has been silent; 0 while a WRITE is being served. */
uint64_t notice_silent_ns(const struct notice *notice, uint64_t now_ns);

#endif
