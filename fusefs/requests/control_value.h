/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_CONTROL_VALUE_H
#define FUSEFS_CONTROL_VALUE_H

/*
 * What is said to us through a control attribute: its name and value as a range
 * operation. Knows nothing of files; any bytes may come in.
 */

#include "cachelayer/range_op.h"

/** Names of control attributes begin like this; they never reach the store, and are not
 *  listed. */
#define CONTROL_PREFIX "user.foldfs."

/**
 * Parse a request.
 * @param name    of the attribute, whole
 * @param value   decimal bytes: "OFFSET+LENGTH", or "SOURCE+LENGTH>DESTINATION" for a
 *                move; not terminated
 * @param size    of the value, bytes; a newline or zero byte at its end is not looked
 * at
 * @return 0; -EOPNOTSUPP: there is no such operation; -EINVAL: not of that form, or a
 *         number past 2^63-1
 */
int control_value_parse(const char *name, const char *value, size_t size,
			struct cl_range_op *ret_op);

#endif
