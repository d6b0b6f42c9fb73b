/* SPDX-License-Identifier: MIT */
/*
 * Comparing what an operation said and showed with the model.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

#define WHO_MAX 96

/* ------------------------------------------------------------------------- content */

static bool all_zero(const uint8_t *bytes, uint64_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* Where in the model these bytes are: whoever moved them wrongly likes to know. */
static const uint8_t *find_in_model(const struct model *model, const uint8_t *bytes,
				    uint64_t len)
{
	return len < 8 || all_zero(bytes, len)
		       ? NULL
		       : memmem(model->bytes, model->size, bytes, len);
}

static void hex(char *to, const uint8_t *bytes, uint64_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (uint64_t i = 0; i < len; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
		*to++ = ' ';
	}
	to[len > 0 ? -1 : 0] = '\0';
}

/* Bytes that somebody has seen at an offset. @param who "read(2) by process 1" */
static bool compare(struct run *run, const char *who, uint64_t offset,
		    const uint8_t *found, uint64_t len)
{
	const uint8_t *wanted = run->model.bytes + offset;
	char hint[96] = "", wanted_hex[49], found_hex[49];
	uint64_t first = 0, last, differ = 0, shown;
	const uint8_t *elsewhere;

	if (memcmp(wanted, found, len) == 0)
		return true;
	while (wanted[first] == found[first])
		first++;
	for (uint64_t i = last = first; i < len; i++) {
		if (wanted[i] != found[i]) {
			last = i;
			differ++;
		}
	}
	shown = len - first < 16 ? len - first : 16;
	elsewhere = find_in_model(&run->model, found + first, shown);
	if (elsewhere)
		snprintf(hint, sizeof(hint), "; what was found belongs at %td",
			 elsewhere - run->model.bytes);
	hex(wanted_hex, wanted + first, shown);
	hex(found_hex, found + first, shown);
	return run_fail(run,
			"%s: %" PRIu64 " bytes are wrong, the first at %" PRIu64
			" (page %" PRIu64 " + %" PRIu64 "), the last at %" PRIu64
			", of a file of %" PRIu64 "%s\n  wanted %s\n  found  %s",
			who, differ, offset + first, (offset + first) / FOLDX_PAGE,
			(offset + first) % FOLDX_PAGE, offset + last, run->model.size,
			hint, wanted_hex, found_hex);
}

static bool judge_read(struct run *run, const struct operation *op, const char *who)
{
	const struct station *station = run->team->stations[op->process];
	const uint64_t wanted = model_readable(&run->model, op);

	if (station->outcome.done != wanted)
		return run_fail(run,
				"%s: %" PRIu64 " bytes at %" PRIu64
				" instead of %" PRIu64 " of a file of %" PRIu64,
				who, station->outcome.done, op->offset, wanted,
				run->model.size);
	return compare(run, who, op->offset, station->data, wanted);
}

static bool judge_mapread(struct run *run, const struct operation *op, const char *who)
{
	const struct station *station = run->team->stations[op->process];
	const uint64_t wanted = model_mapped(&run->model, op);

	if (station->outcome.done < wanted)
		return run_fail(
			run, "%s: SIGBUS at %" PRIu64 " of a file of %" PRIu64 " bytes",
			who, op->offset + station->outcome.done, run->model.size);
	if (station->outcome.done > wanted)
		return run_fail(run,
				"%s: no SIGBUS at %" PRIu64 " of a file of %" PRIu64
				" bytes",
				who, op->offset + wanted, run->model.size);
	return compare(run, who, op->offset, station->data, wanted);
}

/* ------------------------------------------------------------------------- outcomes */

/* What a file system may say to something that is right. */
static bool may_refuse(enum op_kind kind, int err)
{
	const bool changes = operation_is_one_step(kind) || kind == OP_WRITE ||
			     kind == OP_COPY || kind == OP_ALLOCATE ||
			     kind == OP_FPUNCH || kind == OP_FZERO;

	if (!changes)
		return false;
	if (err == -ENOSPC || err == -EDQUOT || err == -EFBIG)
		return true;
	return (err == -EOPNOTSUPP || err == -ENOSYS) && kind != OP_WRITE &&
	       kind != OP_TRUNCATE;
}

static bool judge_failed(struct run *run, const struct operation *op,
			 const struct outcome *outcome, bool *ret_refused)
{
	if (!may_refuse(op->kind, outcome->err))
		return run_fail(run, "%s: %s%s", operation_name(op->kind),
				strerror(-outcome->err),
				outcome->err == -EINVAL &&
						operation_is_one_step(op->kind)
					? " (see --align)"
					: "");
	tally_refused(&run->tally, op->kind, outcome->err);
	if (outcome->done > 0) /* a part of a write or copy */
		model_apply(&run->model, op, outcome->done);
	*ret_refused = true;
	return true;
}

static void name_operation(const struct operation *op, char who[WHO_MAX])
{
	const int len = snprintf(who, WHO_MAX, "%s by process %" PRIu32,
				 operation_name(op->kind), op->process);

	if (operation_arguments(op->kind) & ARG_MAPPING)
		snprintf(who + len, WHO_MAX - (size_t)len, ", mapping %" PRIu32 " (%s)",
			 op->mapping, op->mapping % 2 ? "private" : "shared");
}

static bool judge_done(struct run *run, const struct operation *op,
		       const struct outcome *outcome)
{
	char who[WHO_MAX];

	name_operation(op, who);
	if (op->kind == OP_READ)
		return judge_read(run, op, who);
	if (op->kind == OP_MAPREAD)
		return judge_mapread(run, op, who);
	if (outcome->faulted)
		return run_fail(run, "%s: SIGBUS at %" PRIu64 " of a file of %" PRIu64,
				who, op->offset + outcome->done, run->model.size);
	if ((op->kind == OP_WRITE || op->kind == OP_COPY) && outcome->done != op->len)
		return run_fail(run, "%s: %" PRIu64 " bytes instead of %" PRIu64, who,
				outcome->done, op->len);
	return true;
}

bool judge(struct run *run, const struct operation *op, bool *ret_refused)
{
	const struct outcome *outcome = &run->team->stations[op->process]->outcome;
	struct tally_row *row = &run->tally.rows[op->kind];

	*ret_refused = false;
	if (outcome->err < 0) {
		if (!judge_failed(run, op, outcome, ret_refused))
			return false;
	} else {
		if (!judge_done(run, op, outcome))
			return false;
		row->done++;
		row->emulated += outcome->emulated;
		model_apply(&run->model, op, outcome->done);
	}
	if (outcome->size != run->model.size)
		return run_fail(run,
				"%s: afterwards fstat(2) says %" PRIu64
				" bytes instead of %" PRIu64,
				operation_name(op->kind), outcome->size,
				run->model.size);
	return true;
}

/* --------------------------------------------------------------- everything at once */

static bool check_way(struct run *run, const struct operation *op, const char *way)
{
	char who[WHO_MAX];

	if (!run_alive(run, team_do(run->team, op->process, ORDER_OPERATION, op),
		       op->process, op))
		return false;
	snprintf(who, sizeof(who), "check by process %" PRIu32 ", %s", op->process,
		 way);
	if (run->team->stations[op->process]->outcome.size != run->model.size)
		return run_fail(
			run, "%s: fstat(2) says %" PRIu64 " bytes instead of %" PRIu64,
			who, run->team->stations[op->process]->outcome.size,
			run->model.size);
	return op->kind == OP_READ ? judge_read(run, op, who)
				   : judge_mapread(run, op, who);
}

bool check_all(struct run *run)
{
	struct operation op = {.len = team_mapping_bytes(&run->limits)};

	for (op.process = 0; op.process < run->limits.processes; op.process++) {
		op.kind = OP_READ;
		if (!check_way(run, &op, "read(2)"))
			return false;
		op.kind = OP_MAPREAD;
		for (op.mapping = 0; op.mapping < run->limits.mappings; op.mapping++)
			if (!check_way(run, &op,
				       op.mapping % 2 ? "private mapping"
						      : "shared mapping"))
				return false;
	}
	return true;
}

static bool compare_behind(struct run *run, int fd, uint8_t *bytes)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return run_fail(run, "behind: %s", strerror(errno));
	if ((uint64_t)st.st_size != run->model.size)
		return run_fail(run, "behind: %jd bytes instead of %" PRIu64,
				(intmax_t)st.st_size, run->model.size);
	n = pread(fd, bytes, run->model.size, 0);
	if (n != (ssize_t)run->model.size)
		return run_fail(run, "behind: cannot be read: %s",
				n < 0 ? strerror(errno) : "too short");
	return compare(run, "behind the file system", 0, bytes, run->model.size);
}

bool check_behind(struct run *run)
{
	const struct operation sync = {.kind = OP_FSYNC};
	const char *path = run->team->board->paths[run->model.name];
	uint8_t *bytes;
	char *behind;
	bool good;
	int fd;

	if (!run->behind || run->model.unlinked)
		return true;
	if (!run_serial(run, &sync))
		return false;
	run->tally.rows[OP_FSYNC].done--; /* it was not asked for */
	if (asprintf(&behind, "%s/%s", run->behind, strrchr(path, '/') + 1) < 0)
		return run_fail(run, "behind: %s", strerror(ENOMEM));
	bytes = malloc(run->model.size + 1);
	fd = open(behind, O_RDONLY | O_CLOEXEC);
	good = fd >= 0 && bytes
		       ? compare_behind(run, fd, bytes)
		       : run_fail(run, "behind: %s: %s", behind, strerror(errno));
	if (fd >= 0)
		close(fd);
	free(bytes);
	free(behind);
	return good;
}
