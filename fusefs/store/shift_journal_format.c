/* SPDX-License-Identifier: MIT */
/*
 * A journal's header and records as bytes.
 */

#include "shift_journal_format.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#define HEADER_MAGIC 0x314c414e52554f4aull /* "JOURNAL1" */
#define RECORD_MAGIC 0x31444e4f43455246ull
#define VERSION	     1u
#define MAX_SEQUENCE ((uint64_t)1 << 62) /* nobody counts that far */

struct disk_header {
	uint64_t magic;
	uint64_t id;
	uint32_t version;
	uint32_t op;
	uint64_t offset;
	uint64_t len;
	uint64_t destination;
	uint64_t size;
	uint64_t area_bytes;
	uint64_t ino;
	int64_t birth_s;
	uint32_t birth_ns;
	int32_t handle_type;
	uint32_t handle_len;
	uint32_t flags; /* HEADER_… */
	uint8_t handle[SHIFT_HANDLE_MAX];
	char path[PATH_MAX];
	uint64_t checksum; /* XXH3 of all before */
};

#define HEADER_ON_SOURCE_DEVICE 1u
#define HEADER_UNLINKED		2u
#define HEADER_FLAGS		3u

struct disk_record {
	uint64_t magic;
	uint64_t id;
	uint64_t sequence;
	uint32_t state;
	uint32_t flags; /* RECORD_… */
	uint64_t start;
	uint64_t bytes;
	uint64_t stage_sum;
	uint64_t saved_sum;
	uint64_t checksum; /* XXH3 of all before */
};

#define RECORD_UNDO	    1u
#define RECORD_STAGED	    2u
#define RECORD_STAGE_CLONED 4u
#define RECORD_SAVED_CLONED 8u
#define RECORD_AREA_1	    16u
#define RECORD_FLAGS	    31u

_Static_assert(sizeof(struct disk_header) <= SHIFT_HEADER_BYTES, "header does not fit");
_Static_assert(sizeof(struct disk_record) <= 512, "a record must fit in a sector");
_Static_assert(offsetof(struct disk_header, checksum) ==
		       96 + SHIFT_HANDLE_MAX + PATH_MAX,
	       "padding in the header would be in its checksum");

void shift_header_encode(const struct shift_journal *journal, void *buf)
{
	const struct shift_geometry *g = &journal->geometry;
	const struct shift_target *target = &journal->target;
	const struct shift_identity *identity = &target->identity;
	struct disk_header disk = {
		.magic = HEADER_MAGIC,
		.id = journal->id,
		.version = VERSION,
		.op = (uint32_t)g->op,
		.offset = g->offset,
		.len = g->len,
		.destination = g->destination,
		.size = g->size,
		.area_bytes = journal->area_bytes,
		.ino = identity->ino,
		.birth_s = identity->birth_s,
		.birth_ns = identity->birth_ns,
		.handle_type = identity->handle_type,
		.handle_len = identity->handle_len,
		.flags = (target->on_source_device ? HEADER_ON_SOURCE_DEVICE : 0) |
			 (target->unlinked ? HEADER_UNLINKED : 0),
	};

	memcpy(disk.handle, identity->handle, sizeof(disk.handle));
	memcpy(disk.path, target->path, strlen(target->path));
	disk.checksum = XXH3_64bits(&disk, offsetof(struct disk_header, checksum));
	memset(buf, 0, SHIFT_HEADER_BYTES);
	memcpy(buf, &disk, sizeof(disk));
}

/* Whether numbers of a header that somebody did write make sense together: a checksum
 * can be forged, or right by chance. */
static bool header_is_sane(const struct disk_header *disk)
{
	if (disk->version != VERSION || disk->flags & ~HEADER_FLAGS)
		return false;
	if (disk->handle_len > SHIFT_HANDLE_MAX || disk->birth_ns >= 1000000000u)
		return false;
	if (!memchr(disk->path, '\0', sizeof(disk->path)))
		return false;
	return true;
}

bool shift_layout_fits(const struct shift_geometry *geometry, uint64_t area_bytes)
{
	const uint64_t limit = (uint64_t)INT64_MAX - SHIFT_DATA_AT - SHIFT_AREA_ALIGN;
	const uint64_t saved = shift_saved(geometry);

	return area_bytes > 0 && area_bytes % SHIFT_AREA_ALIGN == 0 && saved <= limit &&
	       area_bytes <= (limit - saved) / 2;
}

int shift_header_decode(const void *buf, struct shift_journal *journal)
{
	struct disk_header disk;
	struct shift_geometry geometry;

	memcpy(&disk, buf, sizeof(disk));
	if (disk.magic != HEADER_MAGIC ||
	    disk.checksum !=
		    XXH3_64bits(&disk, offsetof(struct disk_header, checksum)) ||
	    !header_is_sane(&disk))
		return -EBADMSG;
	geometry = (struct shift_geometry){
		.op = (enum shift_op)disk.op,
		.offset = disk.offset,
		.len = disk.len,
		.destination = disk.destination,
		.size = disk.size,
	};
	if (shift_geometry_check(&geometry) < 0 ||
	    !shift_layout_fits(&geometry, disk.area_bytes))
		return -EBADMSG;
	journal->id = disk.id;
	journal->geometry = geometry;
	journal->area_bytes = disk.area_bytes;
	journal->target = (struct shift_target){
		.identity = {.ino = disk.ino,
			     .birth_s = disk.birth_s,
			     .birth_ns = disk.birth_ns,
			     .handle_type = disk.handle_type,
			     .handle_len = disk.handle_len},
		.on_source_device = disk.flags & HEADER_ON_SOURCE_DEVICE,
		.unlinked = disk.flags & HEADER_UNLINKED,
	};
	memcpy(journal->target.identity.handle, disk.handle, sizeof(disk.handle));
	memcpy(journal->target.path, disk.path, sizeof(disk.path));
	return 0;
}

void shift_record_encode(uint64_t id, uint64_t sequence,
			 const struct shift_record *record, void *buf)
{
	struct disk_record disk = {
		.magic = RECORD_MAGIC,
		.id = id,
		.sequence = sequence,
		.state = (uint32_t)record->state,
		.flags = (record->undo ? RECORD_UNDO : 0) |
			 (record->staged ? RECORD_STAGED : 0) |
			 (record->stage_cloned ? RECORD_STAGE_CLONED : 0) |
			 (record->saved_cloned ? RECORD_SAVED_CLONED : 0) |
			 (record->area ? RECORD_AREA_1 : 0),
		.start = record->start,
		.bytes = record->bytes,
		.stage_sum = record->stage_sum,
		.saved_sum = record->saved_sum,
	};

	disk.checksum = XXH3_64bits(&disk, offsetof(struct disk_record, checksum));
	memset(buf, 0, SHIFT_RECORD_BYTES);
	memcpy(buf, &disk, sizeof(disk));
}

static bool record_is_sane(const struct disk_record *disk,
			   const struct shift_journal *journal)
{
	const uint64_t count = shift_count(&journal->geometry);
	uint64_t end;

	if (disk->state < SHIFT_PREPARED || disk->state > SHIFT_DONE ||
	    disk->flags & ~RECORD_FLAGS || disk->sequence > MAX_SEQUENCE)
		return false;
	if (disk->start > count || disk->bytes > count - disk->start)
		return false;
	end = disk->start + disk->bytes;
	if ((disk->start % SHIFT_ALIGNMENT && disk->start != count) ||
	    (end % SHIFT_ALIGNMENT && end != count))
		return false;
	/* What is not staged must not overlap with where it goes. */
	if (disk->flags & RECORD_STAGED)
		return disk->bytes <= journal->area_bytes;
	return disk->bytes <= shift_distance(&journal->geometry);
}

int shift_record_decode(const void *buf, const struct shift_journal *journal,
			uint64_t *ret_sequence, struct shift_record *ret_record)
{
	struct disk_record disk;

	memcpy(&disk, buf, sizeof(disk));
	if (disk.magic != RECORD_MAGIC || disk.id != journal->id ||
	    disk.checksum !=
		    XXH3_64bits(&disk, offsetof(struct disk_record, checksum)) ||
	    !record_is_sane(&disk, journal))
		return -EBADMSG;
	*ret_sequence = disk.sequence;
	*ret_record = (struct shift_record){
		.state = (enum shift_state)disk.state,
		.undo = disk.flags & RECORD_UNDO,
		.staged = disk.flags & RECORD_STAGED,
		.stage_cloned = disk.flags & RECORD_STAGE_CLONED,
		.saved_cloned = disk.flags & RECORD_SAVED_CLONED,
		.area = disk.flags & RECORD_AREA_1 ? 1 : 0,
		.start = disk.start,
		.bytes = disk.bytes,
		.stage_sum = disk.stage_sum,
		.saved_sum = disk.saved_sum,
	};
	return 0;
}
