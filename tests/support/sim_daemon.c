/* SPDX-License-Identifier: MIT */
/*
 * Requests as the daemon serves them (fusefs/requests/ops_read.c, ops_write.c, resize.c,
 * range_request.c, revalidate.c): try the gate, or be parked as data and go on when it
 * lets one in.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler.h"
#include "sim_kernel.h"
#include "test_point.h"

/* ------------------------------------------- our own changes of the store, sampled */

/* change_begin(): a change of ours does not hide one that was made before it */
static void change_begin(struct sim_kernel *k)
{
	k->daemon.suspect |= flat_size(k->store) != k->daemon.seen_size;
}

static void change_end(struct sim_kernel *k)
{
	k->daemon.seen_size = flat_size(k->store);
}

static ssize_t store_preadv(void *store, const struct iovec *iov, int iovcnt,
			    uint64_t offset)
{
	const struct sim_kernel *k = store;

	return flat_store_ops.preadv(k->store, iov, iovcnt, offset);
}

static ssize_t store_pwritev(void *store, const struct iovec *iov, int iovcnt,
			     uint64_t offset)
{
	struct sim_kernel *k = store;
	ssize_t ret;

	change_begin(k);
	ret = flat_store_ops.pwritev(k->store, iov, iovcnt, offset);
	change_end(k);
	return ret;
}

static int store_sync(void *store, bool data_only)
{
	const struct sim_kernel *k = store;

	return flat_store_ops.sync(k->store, data_only);
}

const struct cl_store_ops sim_store_ops = {
	.preadv = store_preadv,
	.pwritev = store_pwritev,
	.sync = store_sync,
};

/* ---------------------------------------------------------------- parked requests */

struct request {
	struct cl_gate_entry entry;
	bool granted;
};

static void note_granted(struct cl_gate_entry *entry)
{
	((struct request *)entry->granted_arg)->granted = true;
}

static bool is_granted(const void *arg)
{
	return ((const struct request *)arg)->granted;
}

/* parked_request_enter() */
static void enter(struct sim_kernel *k, struct request *r, struct sim_request *request,
		  struct cl_gate_entry entry)
{
	bool granted = false;

	*r = (struct request){.entry = entry};
	r->entry.granted = note_granted;
	r->entry.granted_arg = r;
	if (entry.kind != CL_GATE_EXCLUSIVE)
		granted = cl_gate_try_enter(k->below, &r->entry);
	granted = granted || cl_gate_enter(k->below, &r->entry);
	sim_known(k, request);
	if (granted)
		return;
	k->daemon.parked++;
	sched_wait("the gate, as data", is_granted, r);
	k->daemon.rescued += r->entry.rescued;
}

static void leave(struct sim_kernel *k, struct request *r)
{
	cl_gate_leave(k->below, &r->entry);
}

/* -------------------------------------------------------------------- READ, WRITE */

static size_t copy_out(const struct cl_read *read, uint8_t *cells)
{
	size_t done = 0;

	for (int i = 0; i < read->iovcnt; i++) {
		bytes_to_cells(cells + done / CELL_SIZE, read->iov[i].iov_base,
			       (unsigned)(read->iov[i].iov_len / CELL_SIZE));
		done += read->iov[i].iov_len;
	}
	return done;
}

/* op_read() */
size_t sim_daemon_read(struct sim_kernel *k, struct sim_request *request, uint64_t page,
		       unsigned npages, uint8_t *cells, void (*done)(void *arg),
		       void *arg)
{
	const uint64_t start = page << CL_PAGE_SHIFT;
	const size_t len = (size_t)npages << CL_PAGE_SHIFT;
	struct cl_read read;
	struct request r;
	size_t got;

	if (cl_read_init(cl_mapping_cache(k->below), &read) < 0)
		abort();
	enter(k, &r, request,
	      (struct cl_gate_entry){.range = {start, start + len},
				     .kind = CL_GATE_FILL,
				     .caches = true});
	if (cl_read_begin(k->below, start, len, &read) < 0)
		abort();
	sched_point("read_begun");
	memset(cells, 0, (size_t)npages * CELLS_PER_PAGE);
	got = copy_out(&read, cells);
	if (start + got < k->daemon.padded_size) /* adoption_padded_len() */
		got = k->daemon.padded_size - start < len
			      ? (size_t)(k->daemon.padded_size - start)
			      : len;
	if (done)
		done(arg);
	sim_answered(k, request);
	cl_read_end(&read);
	leave(k, &r);
	cl_read_fini(&read);
	return got;
}

/* write_page(): a page that the kernel writes back never makes the file longer */
static size_t cut_at_end(struct sim_kernel *k, uint64_t offset, size_t len)
{
	uint64_t size = cl_mapping_size(k->below);

	if (flat_size(k->store) > size)
		size = flat_size(k->store);
	if (offset + len <= size)
		return len;
	k->daemon.cut++;
	return offset < size ? (size_t)(size - offset) : 0;
}

static ssize_t write_cells(void *arg, void *store, size_t len, uint64_t offset)
{
	return store_pwritev(store, &(struct iovec){arg, len}, 1, offset);
}

/* long_write_try() */
static bool write_past(struct sim_kernel *k, uint8_t *bytes, size_t len,
		       uint64_t offset)
{
	struct cl_gate_entry entry = {.range = {offset, offset + len},
				      .kind = CL_GATE_EXCLUSIVE,
				      .caches = true};

	if (!k->config.daemon_writes_past || !cl_gate_try_enter(k->below, &entry))
		return false;
	if (cl_write_past(k->below, &(struct cl_source){write_cells, bytes}, len,
			  offset) != (ssize_t)len)
		abort();
	cl_gate_leave(k->below, &entry);
	return true;
}

/* op_write_buf() */
void sim_daemon_write(struct sim_kernel *k, struct sim_request *request,
		      uint64_t offset, const uint8_t *cells, unsigned ncells,
		      void (*done)(void *arg), void *arg)
{
	const bool writepage = done != NULL;
	size_t len = (size_t)ncells * CELL_SIZE;
	uint8_t *bytes = malloc(len);
	struct request r;

	if (!bytes)
		abort();
	cells_to_bytes(bytes, cells, ncells);
	if (!writepage && write_past(k, bytes, len, offset)) {
		free(bytes);
		return;
	}
	enter(k, &r, request,
	      (struct cl_gate_entry){.range = {offset, offset + len},
				     .kind = CL_GATE_WRITE,
				     .caches = !writepage,
				     .writes_back = writepage});
	if (writepage)
		len = cut_at_end(k, offset, len);
	for (size_t written = 0; written < len;) {
		const ssize_t n = cl_write(k->below, bytes + written, len - written,
					   offset + written);

		if (n <= 0)
			abort();
		written += (size_t)n;
	}
	free(bytes);
	if (CL_BROKEN(fence_answer))
		leave(k, &r);
	sched_point("write_done");
	if (done)
		done(arg);
	sim_answered(k, request);
	if (!CL_BROKEN(fence_answer))
		leave(k, &r);
}

/* ------------------------------------------------------------------ SETATTR(size) */

static void write_back_all(struct sim_kernel *k)
{
	const struct cl_range whole = {0, CL_RANGE_EOF};
	struct request r;

	enter(k, &r, NULL,
	      (struct cl_gate_entry){.range = whole, .kind = CL_GATE_WRITE});
	(void)cl_writeback(k->below, whole);
	leave(k, &r);
}

/* op_setattr(), resize_start() */
uint64_t sim_daemon_resize(struct sim_kernel *k, uint64_t size)
{
	struct request r;

	if (cl_mapping_dirty_pages(k->below) > 0)
		write_back_all(k);
	for (;;) {
		const uint64_t old = cl_mapping_size(k->below);

		enter(k, &r, NULL,
		      (struct cl_gate_entry){
			      .range = {old < size ? old : size, CL_RANGE_EOF},
			      .kind = CL_GATE_EXCLUSIVE});
		if (cl_mapping_size(k->below) >= r.entry.range.start)
			break;
		leave(k, &r); /* it has shrunk further while we waited */
	}
	change_begin(k);
	flat_resize(k->store, (unsigned)(size / CELL_SIZE));
	change_end(k);
	sched_point("resize_stored");
	cl_mapping_set_size(k->below, size);
	leave(k, &r);
	return size;
}

/* --------------------------------------------------------------- range operations */

struct operation {
	struct sim_kernel *k;
	const struct cl_range_op *op;
};

static int change_store(void *arg)
{
	const struct operation *operation = arg;
	struct sim_kernel *k = operation->k;
	const uint64_t old = flat_size(k->store);

	if (k->at_change)
		k->at_change(k, operation->op);
	change_begin(k);
	flat_apply(k->store, operation->op);
	change_end(k);
	/* adoption_begin() */
	if (flat_size(k->store) < old && k->daemon.padded_size < old)
		k->daemon.padded_size = old;
	return 0;
}

int sim_daemon_range_op(struct sim_kernel *k, const struct cl_range_op *op)
{
	struct operation operation = {k, op};
	struct cl_range_op_report report;
	const int ret = cl_range_op_run(k->below, op, sim_upper_ops(k), k,
					FLAT_CELLS * CELL_SIZE, change_store,
					&operation, &report);

	k->daemon.fenced += report.fences > 0;
	k->daemon.fenced_again |= report.fences > 1;
	return ret;
}

/* ------------------------------------------------------------------- revalidation */

struct ranges {
	struct cl_range ranges[FLAT_PAGES + 1];
	unsigned n;
};

static void add_range(void *arg, struct cl_range range)
{
	struct ranges *r = arg;

	r->ranges[r->n++] = range;
}

/* fence_drain() */
static void drain(struct sim_kernel *k)
{
	struct cl_gate_entry entry = {.range = {0, CL_RANGE_EOF},
				      .kind = CL_GATE_EXCLUSIVE};

	for (unsigned round = 0; round < 2; round++) {
		while (sim_fence(k) < 0)
			;
		cl_gate_enter_wait(k->below, &entry);
		cl_gate_leave(k->below, &entry);
	}
}

/* do_round() of revalidate.c. @return whether the size is another */
static bool revalidate(struct sim_kernel *k)
{
	struct cl_gate_entry entry = {.range = {0, CL_RANGE_EOF},
				      .kind = CL_GATE_EXCLUSIVE};
	struct ranges changed = {.n = 0};
	uint64_t old, size;

	cl_gate_enter_wait(k->below, &entry);
	(void)cl_writeback(k->below, entry.range);
	old = cl_mapping_size(k->below);
	change_end(k);
	k->daemon.suspect = false;
	(void)cl_revalidate(k->below, flat_size(k->store), add_range, &changed);
	size = cl_mapping_size(k->below);
	if (size < old && k->daemon.padded_size < old)
		k->daemon.padded_size = old;
	cl_gate_leave(k->below, &entry);
	for (unsigned i = 0; i < changed.n; i++)
		(void)sim_upper_ops(k)->invalidate(k, changed.ranges[i]);
	if (size < old && k->config.temporary_copies && !CL_BROKEN(fence_drain))
		drain(k);
	sim_upper_ops(k)->forget_attributes(k);
	return size != old;
}

static bool round_is_over(const void *arg)
{
	return !((const struct sim_kernel *)arg)->daemon.revalidating;
}

uint64_t sim_daemon_getattr(struct sim_kernel *k, bool *ret_resized)
{
	*ret_resized = false;
	if (k->daemon.revalidating) {
		sched_wait("a revalidation", round_is_over, k);
	} else if (k->daemon.suspect || flat_size(k->store) != k->daemon.seen_size) {
		k->daemon.revalidating = true;
		*ret_resized = revalidate(k);
		k->daemon.revalidating = false;
	}
	return flat_size(k->store);
}
