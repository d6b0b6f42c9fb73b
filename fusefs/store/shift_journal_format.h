/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_SHIFT_JOURNAL_FORMAT_H
#define FUSEFS_SHIFT_JOURNAL_FORMAT_H

/*
 * A journal's header and records as bytes. Decoding takes any bytes whatever and
 * yields only what makes sense.
 *
 * Numbers are in the byte order of the machine: a journal outlives a crash, not a move
 * to other hardware, where its magic will not be recognised.
 */

#include "shift_journal.h"

#define SHIFT_HEADER_BYTES 8192u
#define SHIFT_RECORD_BYTES 4096u
#define SHIFT_RECORD_AT(i) (SHIFT_HEADER_BYTES + SHIFT_RECORD_BYTES * (uint64_t)(i))
#define SHIFT_DATA_AT	   ((uint64_t)1 << 20)
#define SHIFT_AREA_ALIGN   ((uint64_t)1 << 20)

/** Whether the saved bytes and both areas of a journal lie within what a file can hold:
 *  asked by whoever writes a header and whoever reads one. The geometry is checked. */
bool shift_layout_fits(const struct shift_geometry *geometry, uint64_t area_bytes);

/** journal->id, geometry, target and area_bytes as SHIFT_HEADER_BYTES bytes. */
void shift_header_encode(const struct shift_journal *journal, void *buf);
/** The reverse. @return 0 or -EBADMSG, nothing set then */
int shift_header_decode(const void *buf, struct shift_journal *journal);

/** A record as SHIFT_RECORD_BYTES bytes. */
void shift_record_encode(uint64_t id, uint64_t sequence,
			 const struct shift_record *record, void *buf);
/** The reverse, for a journal whose header is known.
 *  @return 0; -EBADMSG, nothing set then */
int shift_record_decode(const void *buf, const struct shift_journal *journal,
			uint64_t *ret_sequence, struct shift_record *ret_record);

#endif
