/* SPDX-License-Identifier: MIT */
/* Ghosts: a set-associative table of fingerprints stamped with eviction numbers. */

#include "ghost.h"

#include <errno.h>
#include <stdlib.h>

#define WAYS 4

struct entry {
	uint32_t fingerprint; /* 0: never used */
	uint32_t stamp;
};

struct ghost {
	uint32_t capacity;
	uint32_t now; /* evictions so far, modulo 2^32 */
	size_t nsets; /* a power of two */
	struct entry entries[];
};

static size_t sets_for(size_t capacity)
{
	size_t nsets = 1;

	while (nsets * WAYS < capacity)
		nsets *= 2;
	return nsets;
}

size_t ghost_bytes(size_t capacity)
{
	return sizeof(struct ghost) + sets_for(capacity) * WAYS * sizeof(struct entry);
}

int ghost_create(size_t capacity, struct ghost **ret_ghost)
{
	struct ghost *ghost = calloc(1, ghost_bytes(capacity));

	if (!ghost)
		return -ENOMEM;
	ghost->capacity =
		capacity < UINT32_MAX / 2 ? (uint32_t)capacity : UINT32_MAX / 2;
	ghost->nsets = sets_for(capacity);
	*ret_ghost = ghost;
	return 0;
}

void ghost_free(struct ghost *ghost)
{
	free(ghost);
}

static struct entry *set_of(struct ghost *ghost, uint64_t key_hash)
{
	return &ghost->entries[(key_hash & (ghost->nsets - 1)) * WAYS];
}

static uint32_t fingerprint_of(uint64_t key_hash)
{
	const uint32_t high = (uint32_t)(key_hash >> 32);

	return high ? high : 1;
}

static uint32_t age_of(const struct ghost *ghost, const struct entry *entry)
{
	return entry->fingerprint ? ghost->now - entry->stamp : UINT32_MAX;
}

void ghost_insert(struct ghost *ghost, uint64_t key_hash)
{
	struct entry *set = set_of(ghost, key_hash);
	struct entry *oldest = &set[0];

	for (int i = 1; i < WAYS; i++)
		if (age_of(ghost, &set[i]) > age_of(ghost, oldest))
			oldest = &set[i];
	oldest->fingerprint = fingerprint_of(key_hash);
	oldest->stamp = ghost->now++;
}

bool ghost_take(struct ghost *ghost, uint64_t key_hash)
{
	struct entry *set = set_of(ghost, key_hash);
	const uint32_t fingerprint = fingerprint_of(key_hash);

	for (int i = 0; i < WAYS; i++) {
		if (set[i].fingerprint != fingerprint ||
		    age_of(ghost, &set[i]) > ghost->capacity)
			continue;
		set[i].fingerprint = 0;
		return true;
	}
	return false;
}
