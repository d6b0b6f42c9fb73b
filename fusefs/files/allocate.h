/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_ALLOCATE_H
#define FUSEFS_ALLOCATE_H

#include "cachelayer/types.h"

/** The modes of fallocate(2) that allocate_range() knows. */
bool allocate_mode_known(int mode);

/**
 * fallocate(2), by other means where the store's file system has none.
 * @param fd      open for reading and writing, or for writing only
 * @param mode    one that allocate_mode_known()
 * @param offset,len  bytes, any; their sum does not overflow; len > 0
 * @return 0; what the store said: then part of the range may have been done, but the
 *         size is as before; -EOPNOTSUPP if blocks past the end of the file were asked
 *         for without a new size: there is no other means for that
 * Nobody else may change the range meanwhile.
 */
int allocate_range(int fd, int mode, uint64_t offset, uint64_t len);

#endif
