/* SPDX-License-Identifier: MIT */
/*
 * Which way a range operation is done.
 *
 *	collapse, insert    fallocate(2), else reflinks, else copies
 *	move                reflinks, else copies: no store moves ranges
 *	punch, zero         fallocate(2), else zeros written
 *
 * A file may refuse what its file system can do (ext4: no extents, larger clusters;
 * btrfs: no copy on write): then the next way is tried for that file.
 */

#include "store_range.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/stat.h>
#include <sys/stat.h>

#include "shift_journal.h"
#include "shift_run.h"
#include "store_copy.h"

static const struct store_io *io_of(const struct store_range_ctx *ctx)
{
	return ctx->io ? ctx->io : &store_io_system;
}

/* What every operation wants of a file. */
static int check_file(int fd, uint64_t *ret_size)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &stx) < 0)
		return -errno;
	if (S_ISDIR(stx.stx_mode))
		return -EISDIR;
	if (!S_ISREG(stx.stx_mode))
		return -ENODEV;
	if (stx.stx_attributes & (STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE))
		return -EPERM;
	*ret_size = stx.stx_size;
	return 0;
}

/* Arguments are right already: these say that the store, or this file, cannot. */
static bool is_refused(int err)
{
	return err == -EOPNOTSUPP || err == -ENOSYS || err == -EINVAL || err == -ENOTTY;
}

static struct store_abilities abilities(const struct store_range_ctx *ctx, int fd)
{
	struct store_abilities can =
		store_probe_ask(ctx->probe, io_of(ctx), ctx->source_fd, fd);

	if (ctx->avoid & STORE_AVOID_NATIVE)
		can.collapse = can.insert = false;
	if (ctx->avoid & STORE_AVOID_REFLINK)
		can.reflink = false;
	return can;
}

/* ----------------------------------------------------------------- with a journal */

static void tell(const struct store_range_ctx *ctx, const struct store_event *event)
{
	if (ctx->event)
		ctx->event(ctx->event_arg, event);
}

/* No journal. That SOURCE may not be written is not what the caller of an operation on
 * a file expects as EACCES: to him, the store cannot do it. */
static int refuse(const struct store_range_ctx *ctx, int fd,
		  const struct shift_geometry *geometry, int err)
{
	struct shift_target target = {.path = ""};
	struct store_event event = {
		.operation = shift_op_name(geometry->op),
		.path = target.path,
		.journal = "",
		.offset = geometry->offset,
		.len = geometry->len,
		.error = err,
	};
	int result = err;

	switch (err) {
	case -EBUSY:
		event.kind = STORE_EVENT_LIVE;
		break;
	case -EEXIST:
		event.kind = STORE_EVENT_WAITING;
		result = -EBUSY;
		break;
	case -EACCES:
	case -EPERM:
	case -EROFS:
	case -ENOTDIR:
	case -ELOOP:
		event.kind = STORE_EVENT_REFUSED;
		result = -EOPNOTSUPP;
		break;
	default:
		event.kind = STORE_EVENT_UNCHANGED;
		break;
	}
	(void)shift_target_describe(ctx->source_fd, fd, &target);
	tell(ctx, &event);
	return result;
}

static void tell_failure(const struct store_range_ctx *ctx,
			 const struct shift_journal *journal,
			 enum store_event_kind kind, int err)
{
	struct store_event event = shift_journal_event(journal, kind);

	event.error = err;
	tell(ctx, &event);
}

static int shift(const struct store_range_ctx *ctx, int fd,
		 const struct shift_geometry *geometry, bool clone)
{
	const struct store_io *io = io_of(ctx);
	struct shift_journal journal;
	struct shift_run run = {
		.io = io,
		.journal = &journal,
		.fd = fd,
		.window_bytes = ctx->window_bytes,
		.stage_below_bytes = ctx->stage_below_bytes,
		.event = ctx->event,
		.event_arg = ctx->event_arg,
		.wish = ctx->wish,
		.wish_arg = ctx->wish_arg,
		.clock_ms = ctx->clock_ms,
	};
	enum shift_outcome outcome;
	int err = store_copy_init(&run.copy, io, clone);

	if (err < 0)
		return err;
	err = shift_journal_create(io, ctx->source_fd, fd, geometry,
				   shift_run_area_bytes(geometry, clone), &journal);
	if (err < 0) {
		store_copy_fini(&run.copy);
		return refuse(ctx, fd, geometry, err);
	}
	outcome = shift_run(&run, &err);
	if (outcome == SHIFT_IS_BETWEEN)
		tell_failure(ctx, &journal,
			     err == -EINTR ? STORE_EVENT_STOPPED : STORE_EVENT_PENDING,
			     err);
	else if (outcome == SHIFT_IS_BEFORE)
		tell_failure(ctx, &journal, STORE_EVENT_UNCHANGED, err);
	if (outcome != SHIFT_IS_BETWEEN) {
		const int left = shift_journal_remove(&journal);

		if (left < 0)
			tell_failure(ctx, &journal, STORE_EVENT_NOT_REMOVED, left);
	}
	shift_journal_close(&journal);
	store_copy_fini(&run.copy);
	return outcome == SHIFT_IS_BETWEEN ? STORE_BETWEEN : err;
}

/* --------------------------------------------------------------------- operations */

static int native_or_shift(const struct store_range_ctx *ctx, int fd,
			   struct shift_geometry geometry)
{
	const bool collapses = geometry.op == SHIFT_COLLAPSE;
	const int mode = collapses ? FALLOC_FL_COLLAPSE_RANGE : FALLOC_FL_INSERT_RANGE;
	struct store_abilities can;
	int err = check_file(fd, &geometry.size);

	if (err == 0)
		err = shift_geometry_check(&geometry);
	if (err < 0)
		return err;
	can = abilities(ctx, fd);
	err = -EOPNOTSUPP;
	if (collapses ? can.collapse : can.insert)
		err = io_of(ctx)->fallocate(fd, mode, geometry.offset, geometry.len);
	return is_refused(err) ? shift(ctx, fd, &geometry, can.reflink) : err;
}

int store_collapse(const struct store_range_ctx *ctx, int fd, uint64_t offset,
		   uint64_t len)
{
	return native_or_shift(ctx, fd,
			       (struct shift_geometry){
				       .op = SHIFT_COLLAPSE,
				       .offset = offset,
				       .len = len,
			       });
}

int store_insert(const struct store_range_ctx *ctx, int fd, uint64_t offset,
		 uint64_t len)
{
	return native_or_shift(ctx, fd,
			       (struct shift_geometry){
				       .op = SHIFT_INSERT,
				       .offset = offset,
				       .len = len,
			       });
}

int store_move(const struct store_range_ctx *ctx, int fd, uint64_t source, uint64_t len,
	       uint64_t destination)
{
	struct shift_geometry geometry = {
		.op = SHIFT_MOVE,
		.offset = source,
		.len = len,
		.destination = destination,
	};
	int err = check_file(fd, &geometry.size);

	if (err == 0)
		err = shift_geometry_check(&geometry);
	if (err < 0)
		return err;
	return shift(ctx, fd, &geometry, abilities(ctx, fd).reflink);
}

static int check_clearing(int fd, uint64_t offset, uint64_t len)
{
	uint64_t size;

	if (len == 0)
		return -EINVAL;
	if (len > INT64_MAX || offset > (uint64_t)INT64_MAX - len)
		return -EFBIG;
	return check_file(fd, &size);
}

int store_punch(const struct store_range_ctx *ctx, int fd, uint64_t offset,
		uint64_t len)
{
	struct store_copy copy;
	int err = check_clearing(fd, offset, len);

	if (err == 0)
		err = store_copy_init(&copy, io_of(ctx), false);
	if (err < 0)
		return err;
	err = store_copy_punch(&copy, (struct store_place){fd, offset}, len);
	store_copy_fini(&copy);
	return err;
}

/* Blocks first: then nothing that follows can run out of room. */
static int zero_by_writing(const struct store_range_ctx *ctx, int fd, uint64_t offset,
			   uint64_t len)
{
	struct store_copy copy;
	int err = io_of(ctx)->fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, len);

	if (err < 0 && !is_refused(err))
		return err;
	err = store_copy_init(&copy, io_of(ctx), false);
	if (err < 0)
		return err;
	err = store_copy_write_zeros(&copy, (struct store_place){fd, offset}, len);
	store_copy_fini(&copy);
	return err;
}

int store_zero(const struct store_range_ctx *ctx, int fd, uint64_t offset, uint64_t len)
{
	int err = check_clearing(fd, offset, len);

	if (err < 0)
		return err;
	err = -EOPNOTSUPP;
	if (abilities(ctx, fd).zero)
		err = io_of(ctx)->fallocate(
			fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, len);
	return is_refused(err) ? zero_by_writing(ctx, fd, offset, len) : err;
}
