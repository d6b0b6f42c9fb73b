/* SPDX-License-Identifier: MIT */
#ifndef RANGE_ORACLE_COPY_SHIFT_H
#define RANGE_ORACLE_COPY_SHIFT_H

/*
 * How not to do it: the oracle's own negative twin.
 *
 * Collapse and insert as a program would do them that has only pread(2), pwrite(2) and
 * ftruncate(2), while others use the file through mappings. On any file system this
 * loses additions made to a page between its being read and its old place being
 * written; an oracle that does not notice is no oracle.
 */

#include "model.h"

/** @return 0 or -1 with errno. A move is not offered. */
int copy_shift(int fd, struct op op);

#endif
