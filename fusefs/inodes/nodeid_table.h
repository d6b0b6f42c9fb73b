/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_NODEID_TABLE_H
#define FUSEFS_NODEID_TABLE_H

/*
 * From nodeid to inode, for every request: without a lock and without waiting.
 *
 * A nodeid is the number of a slot, and how often the slot had been given back when the
 * nodeid was made: so it is never used for two files, and a stale one is told apart.
 * Slots live in chunks that never move.
 */

#include <stdatomic.h>

#include "daemon.h"

struct inode;

struct nodeid_table;

/** The first nodeid_take() gives FUSE_ROOT_ID. NULL when out of memory. */
struct nodeid_table *nodeid_table_create(void);
/** Does not look at what the slots hold. NULL is fine. */
void nodeid_table_free(struct nodeid_table *table);

/** The inode with a nodeid, or NULL. Wait-free. The inode may go away as soon as this
 *  returns, unless somebody holds a reference, such as the kernel's lookup. */
struct inode *nodeid_find(struct nodeid_table *table, fuse_ino_t nodeid);

/* The rest is guarded by the inode table's lock. */

/** A nodeid that was never used before, its slot empty.
 *  @return 0; -ENOMEM; -ENFILE when all 64 Mi slots are taken */
int nodeid_take(struct nodeid_table *table, fuse_ino_t *ret_nodeid);
/** Fill the slot of a nodeid, or empty it (NULL). */
void nodeid_set(struct nodeid_table *table, fuse_ino_t nodeid, struct inode *inode);
/** Give an empty slot back: the nodeid is never seen again. */
void nodeid_release(struct nodeid_table *table, fuse_ino_t nodeid);

#endif
