/* SPDX-License-Identifier: MIT */
#ifndef FUSEFS_LOG_ESCAPE_H
#define FUSEFS_LOG_ESCAPE_H

/*
 * Text for a log, made harmless: names of files are anybody's, and a new line or an escape
 * sequence in one would forge lines, or drive the terminal of whoever reads them.
 */

#include <stddef.h>

/**
 * Copy a string, with control characters (C0, DEL, C1), the marks that turn the direction
 * of writing, line and paragraph separators, backslashes and whatever is not UTF-8 as C
 * would write them: \n, \t, \r, \\, and \xNN for each byte of the rest.
 * @param size  of out, bytes, at least 5; what does not fit is left off, never an escape
 *              or a character in part
 */
void log_escape(const char *text, char *out, size_t size);

#endif
