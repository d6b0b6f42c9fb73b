/* SPDX-License-Identifier: MIT */
/* See notice.h. */

#include "notice.h"

#include "cond.h"
#include "pace.h"

void notice_begin(struct notice *notice, struct cl_range range, uint64_t since_ns)
{
	*notice = (struct notice){
		.in_flight = true,
		.range = range,
		.since_ns = since_ns,
		.sign_ns = since_ns,
		.all_ns = since_ns,
	};
}

static void end_of_silence(struct notice *notice, uint64_t now_ns)
{
	const uint64_t ns = notice_silent_ns(notice, now_ns);

	if (ns > notice->longest_ns)
		notice->longest_ns = ns;
	notice->sign_ns = now_ns;
}

uint64_t notice_end(struct notice *notice, uint64_t now_ns)
{
	const struct cl_range *range = &notice->range;

	end_of_silence(notice, now_ns);
	notice->in_flight = false;
	if (notice->disturbed)
		return 0;
	if (notice->wrote)
		return notice->longest_ns;
	/* Nobody knows how many pages there were up to the end of the file. */
	if (range->end == CL_RANGE_EOF)
		return 0;

	const uint64_t steps =
		(range->end - range->start) / (PACE_PAGES << CL_PAGE_SHIFT);

	return steps > 1 ? notice->longest_ns / steps : notice->longest_ns;
}

static bool concerns(const struct notice *notice, struct cl_range range)
{
	return notice->in_flight && cl_range_overlaps(notice->range, range);
}

void notice_write_came(struct notice *notice, struct cl_range range, uint64_t now_ns)
{
	if (!concerns(notice, range))
		return;
	end_of_silence(notice, now_ns);
	notice->wrote = true;
	notice->served++;
}

void notice_write_left(struct notice *notice, struct cl_range range, uint64_t now_ns)
{
	/* One that came before the notification is none of its. */
	if (!concerns(notice, range) || notice->served == 0)
		return;
	notice->served--;
	notice->sign_ns = now_ns;
}

void notice_fill_came(struct notice *notice, struct cl_range range)
{
	if (concerns(notice, range))
		notice->disturbed = true;
}

uint64_t notice_silent_ns(const struct notice *notice, uint64_t now_ns)
{
	return notice->served > 0 ? 0 : cl_elapsed_ns(notice->sign_ns, now_ns);
}
