/* SPDX-License-Identifier: MIT */
/*
 * Error sequences, after Linux lib/errseq.c: a write error is told once to every file
 * that was open when it happened, and to the next one opened if nobody has been told.
 *
 * The word holds the errno (low 12 bits), a "seen" flag, and a counter. A new error
 * moves the counter only if the last one has been seen: otherwise nobody can tell them
 * apart anyway.
 */

#include "mapping_internal.h"

#define ERRNO_BITS 12
#define SEEN	   (1u << ERRNO_BITS)
#define COUNT_ONE  (1u << (ERRNO_BITS + 1))
#define ERRNO_MASK (SEEN - 1)

void cl_errseq_set(struct cl_mapping *mapping, int error)
{
	cl_errseq_t old = atomic_load(&mapping->errseq);
	cl_errseq_t new;

	if (error >= 0 || (unsigned)-error > ERRNO_MASK)
		return;
	do {
		new = (old & ~(cl_errseq_t)(ERRNO_MASK | SEEN)) | (unsigned)-error;
		if (old & SEEN)
			new += COUNT_ONE;
	} while (!atomic_compare_exchange_weak(&mapping->errseq, &old, new));
}

cl_errseq_t cl_errseq_sample(const struct cl_mapping *mapping)
{
	const cl_errseq_t now = atomic_load(&mapping->errseq);

	/* An error that nobody has seen is for this one, too. */
	return now & SEEN ? now : 0;
}

int cl_errseq_check(const struct cl_mapping *mapping, cl_errseq_t since)
{
	const cl_errseq_t now = atomic_load(&mapping->errseq);

	return now == since ? 0 : -(int)(now & ERRNO_MASK);
}

int cl_errseq_check_and_advance(struct cl_mapping *mapping, cl_errseq_t *since)
{
	cl_errseq_t now = atomic_load(&mapping->errseq);

	if (now == *since)
		return 0;

	const cl_errseq_t seen = now | SEEN;

	/* Marked as seen, so that the next error is a new one. If this fails, either
	 * somebody else has marked it, or there is a new error already: then the next
	 * check will find that it is not `seen`. */
	(void)atomic_compare_exchange_strong(&mapping->errseq, &now, seen);
	*since = seen;
	return -(int)(seen & ERRNO_MASK);
}
