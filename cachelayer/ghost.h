/* SPDX-License-Identifier: MIT */
#ifndef CACHELAYER_GHOST_H
#define CACHELAYER_GHOST_H

/*
 * Ghosts: which pages were reclaimed lately, without the pages.
 *
 * S3-FIFO's ghost queue holds the keys of as many pages as its main queue has. Kept as
 * a table of 32-bit fingerprints with the number of the eviction that put them there:
 * an entry is in the queue while that number is recent. So nothing has to be taken out,
 * and a ghost costs eight bytes. A false positive promotes a page that did not deserve
 * it.
 *
 * Not synchronised; reclaim.c guards it.
 */

#include "cachelayer/types.h"

struct ghost;

/** @param capacity  how many evictions back an entry is remembered, 1 or more */
int ghost_create(size_t capacity, struct ghost **ret_ghost);
void ghost_free(struct ghost *ghost);
void ghost_insert(struct ghost *ghost, uint64_t key_hash);
/** @return whether the key is there; it is forgotten if so */
bool ghost_take(struct ghost *ghost, uint64_t key_hash);
size_t ghost_bytes(size_t capacity);

#endif
