/* SPDX-License-Identifier: MIT */

#include "shifter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <foldfs.h>

#include "copy_shift.h"
#include "touch.h"

#define LEN_MAX 32 /* of one operation, in pages */

/* ---------------------------------------------------------------- what to do */

/* Pages of zeros must have an identity before anything can move them up. */
static bool has_zeros(const struct model *model, uint64_t state)
{
	return model_find(model, state, 0) != NO_PAGE;
}

static enum op_kind choose_kind(struct shifter *shifter)
{
	static const unsigned weight[OP_KINDS] = {
		[OP_COLLAPSE] = 35, [OP_INSERT] = 35, [OP_MOVE] = 14,
		[OP_PUNCH] = 8,	    [OP_ZERO] = 8,
	};
	uint32_t ticket = random_below(&shifter->self.random, 100);

	for (int kind = 0; kind < OP_KINDS; kind++) {
		if (ticket < weight[kind])
			return (enum op_kind)kind;
		ticket -= weight[kind];
	}
	abort();
}

/* Whether the file has room for an operation, its zones considered. */
static bool op_fits(const struct zones *z, uint32_t npages, struct op op)
{
	switch (op.kind) {
	case OP_COLLAPSE:
		return npages - op.len > z->hot_end && op.at + op.len < npages;
	case OP_INSERT:
		return npages + op.len <= z->max_pages &&
		       op.at + op.len <= z->hot_begin;
	case OP_MOVE:
		return op.at + op.len <= z->hot_begin && op.to + op.len <= npages &&
		       (op.at + op.len <= op.to || op.to + op.len <= op.at);
	case OP_PUNCH:
	case OP_ZERO:
		return op.at + op.len <= z->hot_begin;
	default:
		return false;
	}
}

/* Random operations until one fits; collapse or insert of one page always does. */
static struct op choose_op(struct shifter *shifter)
{
	struct oracle *oracle = shifter->oracle;
	const struct zones *z = &oracle->zones;
	const uint64_t state = model_before(oracle->model);
	const uint32_t npages = model_npages(oracle->model, state);
	uint64_t *random = &shifter->self.random;
	struct op op;

	if (has_zeros(oracle->model, state))
		return (struct op){.kind = OP_STAMP};
	do {
		op.kind = choose_kind(shifter);
		op.len = 1 + random_below(random, LEN_MAX);
		op.at = random_below(random,
				     op.kind == OP_COLLAPSE ? npages : z->hot_begin);
		op.to = op.kind == OP_MOVE ? random_below(random, npages) : 0;
	} while (!op_fits(z, npages, op) ||
		 (op.kind == OP_MOVE && (oracle->settings.native ||
					 oracle->settings.method != METHOD_FOLDFS_H)));
	return op;
}

/* ------------------------------------------------------------------ doing it */

static int perform(int fd, struct op op)
{
	const off_t at = (off_t)op.at * ORACLE_PAGE_SIZE;
	const off_t len = (off_t)op.len * ORACLE_PAGE_SIZE;

	switch (op.kind) {
	case OP_COLLAPSE:
		return foldfs_collapse_range(fd, at, len);
	case OP_INSERT:
		return foldfs_insert_range(fd, at, len);
	case OP_MOVE:
		return foldfs_move_range(fd, at, len, (off_t)op.to * ORACLE_PAGE_SIZE);
	case OP_PUNCH:
		return foldfs_punch_hole(fd, at, len);
	case OP_ZERO:
		return foldfs_zero_range(fd, at, len);
	default:
		errno = EINVAL;
		return -1;
	}
}

/* Write one page's new identity, by system call or through the mapping. */
static int stamp_page(struct shifter *shifter, uint32_t index, uint32_t identity)
{
	const struct view *view = shifter->view;
	uint64_t *words = view->shared + (size_t)index * PAGE_WORDS;

	page_make(shifter->page, identity);
	if (random_below(&shifter->self.random, 2) == 0)
		return pwrite(view->fd, shifter->page, ORACLE_PAGE_SIZE,
			      (off_t)index * ORACLE_PAGE_SIZE) == ORACLE_PAGE_SIZE
			       ? 0
			       : -1;
	for (unsigned w = 0; w < PAGE_WORDS; w++) {
		if (!touch_store(words + w, shifter->page[w])) {
			errno = EFAULT;
			return -1;
		}
	}
	return 0;
}

static int stamp(struct shifter *shifter, uint64_t state)
{
	const struct model *model = shifter->oracle->model;

	for (uint32_t i = 0; i < model_npages(model, state); i++)
		if (model_identity(model, state - 1, i) == 0 &&
		    stamp_page(shifter, i, model_identity(model, state, i)) < 0)
			return -1;
	return 0;
}

/* From now on additions may be made to the new pages. */
static void open_accounts(struct oracle *oracle, uint32_t first, uint32_t end)
{
	for (uint32_t identity = first; identity < end; identity++)
		atomic_store(&oracle->accounts[identity].open, 1);
}

static void operate_once(struct shifter *shifter, struct op op)
{
	struct oracle *oracle = shifter->oracle;
	const uint32_t first_identity = shifter->next_identity;
	const int fd = shifter->view->fd;
	uint64_t begin_ns;
	int status;

	model_start(oracle->model, op, &shifter->next_identity);
	begin_ns = now_ns();
	atomic_store(&oracle->shifter_busy_since_ns, begin_ns);
	if (op.kind == OP_STAMP)
		status = stamp(shifter, model_before(oracle->model) + 1);
	else if (oracle->settings.method == METHOD_COPY_SHIFT)
		status = copy_shift(fd, op);
	else
		status = perform(fd, op);
	if (status < 0)
		violation(oracle,
			  "%s of %" PRIu32 " pages at %" PRIu32 " to %" PRIu32 ": %s",
			  op_name[op.kind], op.len, op.at, op.to, strerror(errno));
	model_finish(oracle->model);
	atomic_store(&oracle->shifter_busy_since_ns, 0);
	latency_add(&shifter->took[op.kind], now_ns() - begin_ns);
	open_accounts(oracle, first_identity, shifter->next_identity);
}

/* --------------------------------------------------------------- looking at it */

static void look_everywhere(struct shifter *shifter, uint32_t index)
{
	struct self *self = &shifter->self;

	access_load(self, index);
	access_load_private(self, index);
	access_read(self, index);
	if (shifter->view->direct_fd >= 0)
		access_read_direct(self, index);
}

/* Where mistakes show first: both edges of the range, and both sides of the end. */
static void look_around(struct shifter *shifter, struct op op)
{
	struct oracle *oracle = shifter->oracle;
	const uint32_t npages =
		model_npages(oracle->model, model_before(oracle->model));

	access_stat(&shifter->self, 0);
	if (op.at > 0)
		look_everywhere(shifter, op.at - 1);
	if (op.at < npages)
		look_everywhere(shifter, op.at);
	if (op.at + op.len < npages)
		look_everywhere(shifter, op.at + op.len);
	if (op.kind == OP_MOVE)
		look_everywhere(shifter, op.to + op.len - 1);
	look_everywhere(shifter, npages - 1);
	if (npages < oracle->zones.max_pages)
		access_tail(&shifter->self, npages);
}

static void checkpoint(struct shifter *shifter)
{
	struct oracle *oracle = shifter->oracle;

	atomic_store(&oracle->pause, true);
	while (atomic_load(&oracle->standing) < oracle->nworkers)
		usleep(100);
	verify_all(oracle, shifter->view, shifter->store_path, &shifter->audit);
	atomic_store(&oracle->pause, false);
	while (atomic_load(&oracle->standing) > 0)
		usleep(100);
}

void shifter_begin(struct shifter *shifter)
{
	operate_once(shifter, (struct op){.kind = OP_STAMP});
}

static bool go_on(struct shifter *shifter, uint64_t end_ns)
{
	struct oracle *oracle = shifter->oracle;

	if (shifter->next_identity + oracle->zones.max_pages > IDENTITY_MAX) {
		violation(oracle,
			  "no identities are left: run this for a shorter time");
		return false;
	}
	return atomic_load(&oracle->violations) == 0 && now_ns() < end_ns;
}

void *shifter_run(void *arg)
{
	struct shifter *shifter = arg;
	struct oracle *oracle = shifter->oracle;
	const struct settings *settings = &oracle->settings;
	const uint64_t end_ns = now_ns() + settings->seconds * UINT64_C(1000000000);
	const uint64_t checkpoint_ns = settings->checkpoint_ms * UINT64_C(1000000);
	uint64_t last_checkpoint_ns = now_ns();

	while (go_on(shifter, end_ns)) {
		struct op op;

		while (atomic_load(&oracle->queueing) > 0)
			usleep(20);
		pthread_mutex_lock(&oracle->op_lock);
		op = choose_op(shifter);
		operate_once(shifter, op);
		pthread_mutex_unlock(&oracle->op_lock);
		look_around(shifter, op);
		if (now_ns() - last_checkpoint_ns > checkpoint_ns) {
			checkpoint(shifter);
			last_checkpoint_ns = now_ns();
		}
		if (settings->pause_us > 0)
			usleep(random_below(&shifter->self.random,
					    2 * settings->pause_us));
	}
	checkpoint(shifter);
	atomic_store(&oracle->stop, true);
	return NULL;
}
