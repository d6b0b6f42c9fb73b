/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_PREFETCH_H
#define FUSEFS_PREFETCH_H

#include "open_file.h"

/** Tell the open file's stream of a READ; start to fetch what a sequential reader will
 *  want next, in the background. Locks taken: file->lock. Not after the answer: the
 *  kernel may close the file then. */
void prefetch_after(struct open_file *file, uint64_t offset, size_t len_bytes);

#endif
