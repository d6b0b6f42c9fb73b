/* SPDX-License-Identifier: MIT */
/*
 * Which range operations make sense on a file of a given size.
 */

#include "shift_geometry.h"

#include <errno.h>
#include <stddef.h>

static bool aligned(uint64_t offset)
{
	return offset % SHIFT_ALIGNMENT == 0;
}

static int check_move(const struct shift_geometry *g)
{
	if (!aligned(g->destination))
		return -EINVAL;
	if (g->destination > (uint64_t)INT64_MAX - g->len)
		return -EFBIG;
	if (g->offset + g->len > g->size || g->destination + g->len > g->size)
		return -EINVAL;

	const bool apart = g->offset + g->len <= g->destination ||
			   g->destination + g->len <= g->offset;

	return apart ? 0 : -EINVAL;
}

int shift_geometry_check(const struct shift_geometry *g)
{
	const uint64_t limit = INT64_MAX;

	if (g->len == 0 || !aligned(g->offset) || !aligned(g->len) || g->size > limit)
		return -EINVAL;
	if (g->len > limit || g->offset > limit - g->len)
		return -EFBIG;
	switch (g->op) {
	case SHIFT_COLLAPSE:
		return g->offset + g->len < g->size ? 0 : -EINVAL;
	case SHIFT_INSERT:
		if (g->size > limit - g->len)
			return -EFBIG;
		return g->offset < g->size ? 0 : -EINVAL;
	case SHIFT_MOVE:
		return check_move(g);
	}
	return -EINVAL;
}

const char *shift_op_name(enum shift_op op)
{
	switch (op) {
	case SHIFT_COLLAPSE:
		return "collapse";
	case SHIFT_INSERT:
		return "insert";
	case SHIFT_MOVE:
		return "move";
	}
	return "";
}
