/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_REKEY_H
#define CACHELAYER_REKEY_H

/*
 * Re-keying: cached pages move to their new index with the bytes they stand for, under
 * their page locks, instead of being dropped. After a collapse a read of cached bytes
 * causes no read of the store.
 */

#include "cachelayer/range_op.h"

/**
 * Move and drop cached pages as the operation has moved the bytes of the store; set the
 * size. Gate: EXCLUSIVE over everything that changes; nothing in it is dirty.
 * @return how many pages have moved
 */
uint32_t rekey(struct cl_mapping *mapping, const struct cl_range_op *op);

#endif
