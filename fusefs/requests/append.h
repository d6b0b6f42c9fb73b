/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_APPEND_H
#define FUSEFS_APPEND_H

/*
 * Appending: a WRITE on a descriptor with O_APPEND.
 *
 * The kernel chooses its offset, by the size that it knows. Somebody behind the mount may
 * have appended since, and his bytes must not be written over. So the offset is only a
 * guess: the store itself appends, atomically.
 *
 * When the guess was wrong, the kernel has our bytes in its cache where it believes the
 * end to be. That is put right before write(2) returns; see append.c.
 */

#include "open_file.h"

/**
 * Append, and answer.
 * @param file    its reference is taken over
 * @param buf     len bytes; copied if this returns before they are written
 * @param offset  where the kernel believes the end to be, bytes
 * Required: no lock held. Blocks for the store.
 */
void append_and_answer(fuse_req_t req, struct open_file *file, const char *buf,
		       size_t len, uint64_t offset);

#endif
