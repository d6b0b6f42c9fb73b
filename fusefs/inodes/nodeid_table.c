/* SPDX-License-Identifier: MIT */
/*
 * Nodeid table: chunks of slots, a list of free ones, a sequence number in each.
 */

#include "nodeid_table.h"

#include <errno.h>
#include <stdlib.h>

#include "inode_table.h"

#define CHUNK_SLOTS 4096
#define CHUNKS	    16384

struct slot {
	_Atomic(struct inode *) inode;
	/* Guarded by the inode table's lock. */
	uint32_t sequence;  /* how often it was given back */
	uint32_t next_free; /* 0: the last */
};

struct chunk {
	struct slot slots[CHUNK_SLOTS];
};

struct nodeid_table {
	_Atomic(struct chunk *) chunks[CHUNKS];
	/* Guarded by the inode table's lock. */
	uint32_t next_fresh; /* slots from here on were never used */
	uint32_t first_free; /* 0: none */
};

struct nodeid_table *nodeid_table_create(void)
{
	struct nodeid_table *table = calloc(1, sizeof(*table));

	if (table)
		table->next_fresh = FUSE_ROOT_ID;
	return table;
}

void nodeid_table_free(struct nodeid_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < CHUNKS; i++)
		free(atomic_load(&table->chunks[i]));
	free(table);
}

static struct slot *slot_at(struct nodeid_table *table, uint32_t index)
{
	struct chunk *chunk;

	if (index / CHUNK_SLOTS >= CHUNKS)
		return NULL;
	chunk = atomic_load_explicit(&table->chunks[index / CHUNK_SLOTS],
				     memory_order_acquire);
	return chunk ? &chunk->slots[index % CHUNK_SLOTS] : NULL;
}

struct inode *nodeid_find(struct nodeid_table *table, fuse_ino_t nodeid)
{
	struct slot *slot = slot_at(table, (uint32_t)nodeid);
	struct inode *inode;

	if (!slot)
		return NULL;
	inode = atomic_load_explicit(&slot->inode, memory_order_acquire);
	return inode && inode->nodeid == nodeid ? inode : NULL;
}

int nodeid_take(struct nodeid_table *table, fuse_ino_t *ret_nodeid)
{
	uint32_t index = table->first_free;
	struct chunk *chunk;
	struct slot *slot;

	if (index) {
		slot = slot_at(table, index);
		table->first_free = slot->next_free;
		*ret_nodeid = (fuse_ino_t)slot->sequence << 32 | index;
		return 0;
	}
	index = table->next_fresh;
	if (index / CHUNK_SLOTS >= CHUNKS)
		return -ENFILE;
	if (!slot_at(table, index)) {
		chunk = calloc(1, sizeof(*chunk));
		if (!chunk)
			return -ENOMEM;
		atomic_store_explicit(&table->chunks[index / CHUNK_SLOTS], chunk,
				      memory_order_release);
	}
	table->next_fresh++;
	*ret_nodeid = index;
	return 0;
}

void nodeid_set(struct nodeid_table *table, fuse_ino_t nodeid, struct inode *inode)
{
	atomic_store_explicit(&slot_at(table, (uint32_t)nodeid)->inode, inode,
			      memory_order_release);
}

void nodeid_release(struct nodeid_table *table, fuse_ino_t nodeid)
{
	const uint32_t index = (uint32_t)nodeid;
	struct slot *slot = slot_at(table, index);

	/* A slot whose numbers are used up, after four billion files, stays out. */
	if (++slot->sequence == 0)
		return;
	slot->next_free = table->first_free;
	table->first_free = index;
}
