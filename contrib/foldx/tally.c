/* SPDX-License-Identifier: MIT */
/*
 * Counting.
 */

#include "tally.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

void tally_refused(struct tally *tally, enum op_kind kind, int err)
{
	struct tally_row *row = &tally->rows[kind];
	unsigned i = 0;

	/* More kinds of errors than there is room for count with the last. */
	while (i < TALLY_ERRORS - 1 && row->refused[i].err != 0 &&
	       row->refused[i].err != err)
		i++;
	row->refused[i].err = err;
	row->refused[i].times++;
}

static uint64_t row_refused(const struct tally_row *row)
{
	uint64_t times = 0;

	for (unsigned i = 0; i < TALLY_ERRORS; i++)
		times += row->refused[i].times;
	return times;
}

uint64_t tally_asked(const struct tally *tally)
{
	uint64_t asked = 0;

	for (unsigned kind = 0; kind < OP_KINDS; kind++)
		asked += tally->rows[kind].done + tally->rows[kind].moot +
			 row_refused(&tally->rows[kind]);
	return asked;
}

static void print_row(FILE *to, const char *name, const struct tally_row *row)
{
	fprintf(to, "  %-10s %9" PRIu64 " %9" PRIu64 " %9" PRIu64, name, row->done,
		row->moot, row_refused(row));
	for (unsigned i = 0; i < TALLY_ERRORS && row->refused[i].err != 0; i++)
		fprintf(to, "  %s%s",
			strerrorname_np(-row->refused[i].err) ?: "unknown",
			row->refused[i].err == -EOPNOTSUPP ? ": not supported here"
							   : "");
	if (row->emulated > 0)
		fprintf(to, "  by copying and punching: not supported here");
	fprintf(to, "\n");
}

void tally_print(FILE *to, const struct tally *tally)
{
	fprintf(to, "  operation       done      moot   refused\n");
	for (unsigned kind = 0; kind < OP_KINDS; kind++) {
		const struct tally_row *row = &tally->rows[kind];

		if (row->done + row->moot + row_refused(row) > 0)
			print_row(to, operation_name((enum op_kind)kind), row);
	}
	if (tally->together > 0)
		fprintf(to,
			"  beside %" PRIu64 " of these: %" PRIu64 " loads and %" PRIu64
			" stores; of the stores that were moved or removed, %" PRIu64
			" came before and %" PRIu64 " after\n",
			tally->together, tally->loads, tally->stores,
			tally->landed_before, tally->landed_after);
}

/*
 * fallocate(2) with FALLOC_FL_ZERO_RANGE is refused by some kernels (5.10) for every FUSE
 * file system, and no daemon is asked. Where the same can be had by a control attribute,
 * the file system is not to blame.
 */
static bool kernel_refuses(const struct tally *tally, enum op_kind kind)
{
	const struct tally_row *row = &tally->rows[kind];

	return kind == OP_FZERO && row->done == 0 &&
	       row->refused[0].err == -EOPNOTSUPP &&
	       row->refused[0].times == row_refused(row) &&
	       tally->rows[OP_ZERO].done > 0;
}

bool tally_has(const struct tally *tally, unsigned required, FILE *complain)
{
	bool has = true;

	for (unsigned kind = 0; kind < OP_KINDS; kind++) {
		const struct tally_row *row = &tally->rows[kind];
		bool supported = row->done > row->emulated;

		for (unsigned i = 0; i < TALLY_ERRORS; i++)
			supported = supported && row->refused[i].err != -EOPNOTSUPP &&
				    row->refused[i].err != -ENOSYS;
		if (!(required & 1u << kind) || supported)
			continue;
		if (kernel_refuses(tally, (enum op_kind)kind)) {
			fprintf(complain,
				"foldx: fzero is left out: the kernel refuses it\n");
			continue;
		}
		fprintf(complain, "foldx: %s is required and was %s\n",
			operation_name((enum op_kind)kind),
			row->done > 0	       ? "not done by the file system"
			: row_refused(row) > 0 ? "refused"
					       : "never done");
		has = false;
	}
	return has;
}
