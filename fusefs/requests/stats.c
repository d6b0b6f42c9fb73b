/* SPDX-License-Identifier: MIT */
/* Counters and gauges as JSON. Times are in nanoseconds, sizes in bytes. */

#include "stats.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "range_stats.h"
#include "watch.h"

#define RUNNING_MAX 64

/* json-c takes over what is added; running out of memory leaves fields out. */
static void put_number(struct json_object *object, const char *name, uint64_t value)
{
	json_object_object_add(
		object, name,
		json_object_new_int64(value > INT64_MAX ? INT64_MAX : (int64_t)value));
}

static void put_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

static struct json_object *range_operations(struct range_stats *stats)
{
	struct json_object *object = json_object_new_object();

	for (unsigned kind = 0; kind < RANGE_OP_KINDS; kind++)
		put_number(object, cl_range_op_name((enum cl_range_op_kind)kind),
			   stats->done[kind]);
	put_number(object, "failed", stats->failed);
	put_number(object, "notifications", stats->notifications);
	put_number(object, "bulk_flushes", stats->flushes);
	put_number(object, "rounds", stats->rounds);
	put_number(object, "rounds_max", stats->rounds_max);
	put_number(object, "rescued_reads", stats->rescued);
	put_number(object, "fences", stats->fences);
	put_number(object, "fence_ns", stats->fence_ns);
	put_number(object, "pages_moved", stats->pages_moved);
	put_number(object, "gate_closed_ns", stats->closed_ns);
	put_number(object, "gate_closed_max_ns", stats->closed_max_ns);
	put_number(object, "exclusive_ns", stats->exclusive_ns);
	put_number(object, "sizes_left_to_callers", stats->sizes_pending);
	return object;
}

static struct json_object *cache(struct daemon *daemon)
{
	struct json_object *object = json_object_new_object();
	struct cl_cache_stats stats;

	cl_cache_get_stats(daemon->cache, &stats);
#define PUT(name) put_number(object, #name, stats.name)
	PUT(pages_total);
	PUT(pages_used);
	PUT(pages_dirty);
	PUT(pages_writeback);
	PUT(hits);
	PUT(misses);
	PUT(fills);
	PUT(fill_bytes);
	PUT(readahead_pages);
	PUT(reclaimed);
	PUT(reclaim_skipped);
	PUT(ghost_hits);
	PUT(write_bytes);
	PUT(writeback_errors);
	PUT(hash_mismatches);
	PUT(copied_on_write);
#undef PUT
	put_number(object, "bypassed_bytes", atomic_load(&daemon->bypassed_bytes));
	put_number(object, "overhead_per_page_bytes", cl_cache_overhead_per_page());
	return object;
}

/* How many waits were shorter than so many ns, but not than half of it. */
static struct json_object *wait_times(const struct cl_wait_stats *stats)
{
	struct json_object *object = json_object_new_object();

	for (unsigned i = 0; i < CL_WAIT_BUCKETS; i++) {
		char below_ns[24];

		if (stats->buckets[i] == 0)
			continue;
		snprintf(below_ns, sizeof(below_ns), "%llu",
			 1ULL << (CL_WAIT_SHIFT + i));
		put_number(object, i + 1 < CL_WAIT_BUCKETS ? below_ns : "longer",
			   stats->buckets[i]);
	}
	return object;
}

static void put_waits(struct json_object *object, const char *name, struct cl_cache *c,
		      enum cl_wait wait)
{
	struct json_object *waits = json_object_new_object();
	struct cl_wait_stats stats;

	cl_cache_get_waits(c, wait, &stats);
	put_number(waits, "waits", stats.waits);
	put_number(waits, "total_ns", stats.total_ns);
	put_number(waits, "longest_ns", stats.longest_ns);
	if (strcmp(name, "page_lock") == 0) {
		put_number(waits, "overtaken", stats.overtaken);
		put_number(waits, "handed_over", stats.handed_over);
	}
	json_object_object_add(waits, "below_ns", wait_times(&stats));
	json_object_object_add(object, name, waits);
}

/* Who waited, then for what. */
static struct json_object *waits(struct cl_cache *c)
{
	static const struct {
		const char *who;
		const char *what;
		enum cl_wait wait;
	} rows[] = {
		{"fill", "page_lock", CL_WAIT_FILL_PAGE},
		{"fill", "gate", CL_WAIT_FILL_GATE},
		{"write", "page_lock", CL_WAIT_WRITE_PAGE},
		{"write", "gate", CL_WAIT_WRITE_GATE},
		{"writeback", "page_lock", CL_WAIT_WRITEBACK_PAGE},
		{"reclaim", "free_page", CL_WAIT_RECLAIM_PAGE},
		{"range_operation", "page_lock", CL_WAIT_RANGE_PAGE},
		{"range_operation", "gate", CL_WAIT_RANGE_GATE},
	};
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct json_object *who;

		if (!json_object_object_get_ex(object, rows[i].who, &who)) {
			who = json_object_new_object();
			json_object_object_add(object, rows[i].who, who);
		}
		put_waits(who, rows[i].what, c, rows[i].wait);
	}
	return object;
}

static struct json_object *running(struct daemon *daemon)
{
	struct json_object *array = json_object_new_array();
	struct cl_running_op ops[RUNNING_MAX];
	size_t n = cl_cache_running_ops(daemon->cache, ops, RUNNING_MAX);

	for (size_t i = 0; i < n && i < RUNNING_MAX; i++) {
		struct json_object *op = json_object_new_object();
		/* The operation may have ended, and its inode gone, since: only
		 * what was copied. */
		put_text(op, "operation", cl_range_op_name(ops[i].kind));
		put_number(op, "start", ops[i].range.start);
		put_number(op, "end", ops[i].range.end);
		put_text(op, "phase", ops[i].phase);
		put_number(op, "running_ns", ops[i].running_ns);
		put_number(op, "notifying_ns", ops[i].notifying_ns);
		json_object_array_add(array, op);
	}
	return array;
}

static struct json_object *watch(const struct watch_stats *stats)
{
	struct json_object *object = json_object_new_object();

	put_number(object, "watches", stats->watches);
	put_number(object, "refused", stats->refused);
	put_number(object, "events", stats->events);
	put_number(object, "notifications", stats->notifications);
	put_number(object, "overflows", stats->overflows);
	return object;
}

static char *to_text(struct json_object *object)
{
	char *text = NULL;

	if (object) {
		const char *json =
			json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);

		text = json ? strdup(json) : NULL;
	}
	json_object_put(object);
	return text;
}

char *stats_of_mount(struct daemon *daemon)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "version", FOLDFS_VERSION);
	json_object_object_add(object, "cache", cache(daemon));
	json_object_object_add(object, "waits", waits(daemon->cache));
	json_object_object_add(object, "range_operations",
			       range_operations(&daemon->range_stats));
	json_object_object_add(object, "running", running(daemon));
	if (daemon->watch)
		json_object_object_add(object, "watch", watch(watch_stats(daemon)));
	return to_text(object);
}

char *stats_of_inode(struct inode *inode)
{
	struct json_object *object = json_object_new_object();
	struct cl_mapping *mapping = inode->mapping;

	put_number(object, "inode", inode->ino);
	if (mapping) {
		put_number(object, "size", cl_mapping_size(mapping));
		put_number(object, "pages", cl_mapping_pages(mapping));
		put_number(object, "pages_dirty", cl_mapping_dirty_pages(mapping));
		put_number(object, "resident_pages",
			   cl_mapping_resident_pages(mapping));
		put_number(object, "resident_set_bytes",
			   cl_mapping_resident_bytes(mapping));
		put_number(object, "requests_parked", cl_gate_parked(mapping));
	}
	json_object_object_add(object, "range_operations",
			       range_operations(&inode->range_stats));
	return to_text(object);
}
